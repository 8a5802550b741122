"""What goes over the wire: connections that are kept, tries and the waits between them, proxies, certificates."""

import datetime
import email.utils
import ipaddress
import socket
import ssl
import threading
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from headway.core import UsageError
from headway.llm import Message, ModelError, OpenAIModel, Request
from headway.llm.sending import Lost, Sender, wait_seconds
from tests.llm.answering import answering, chat

REQUEST = Request(messages=(Message(role="user", text="abc"),))
BODY = b'{"messages": [{"role": "user", "content": "abc"}]}'


def model(url, **changes):
    given: dict[str, Any] = {"url": url, "model": "small", "retries": 0, "seconds": 10.0, **changes}
    return OpenAIModel(**given)


def sender(endpoint, **changes):
    given: dict[str, Any] = {"headers": {}, "seconds": 10.0, "retries": 1, **changes}
    return Sender(f"{endpoint.url}/chat/completions", **given)


def no_proxies(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_requests_go_over_one_connection(endpoint):
    asked = model(endpoint.url)
    for _ in range(5):
        asked.complete(REQUEST)
    assert len(endpoint.peers) == 1


def test_threads_keep_a_connection_each(endpoint):
    asked = model(endpoint.url)
    for _ in range(3):
        threads = [threading.Thread(target=asked.complete, args=(REQUEST,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(endpoint.requests) == 12
    assert len(endpoint.peers) <= 4


def test_a_connection_that_the_endpoint_closed_meanwhile_costs_no_try(endpoint):
    asked = model(endpoint.url)
    endpoint.plan = ["last"]  # answers, and closes without having said so
    assert asked.complete(REQUEST).text == "cba"
    time.sleep(0.1)
    assert asked.complete(REQUEST).text == "cba"
    assert len(endpoint.peers) == 2


def test_connections_end_with_the_model(endpoint, recwarn):
    for _ in range(3):
        model(endpoint.url).complete(REQUEST)
    assert not [item for item in recwarn if item.category is ResourceWarning]


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 529])
def test_a_status_that_may_pass_is_tried_again(endpoint, status):
    endpoint.plan = [(status, {"Retry-After": "0.01"})]
    assert sender(endpoint).post(BODY).status == 200
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_status_that_will_not_pass_is_not(endpoint, status):
    endpoint.plan = [(status, {"Retry-After": "0.01"})]
    assert sender(endpoint).post(BODY).status == status
    assert len(endpoint.requests) == 1


def test_tries_end(endpoint):
    endpoint.plan = [(503, {"Retry-After": "0.01"})] * 9
    assert sender(endpoint, retries=2).post(BODY).status == 503
    assert len(endpoint.requests) == 3


def test_an_endpoint_may_say_itself_whether_a_try_makes_sense(endpoint):
    endpoint.plan = [(400, {"x-should-retry": "true", "retry-after-ms": "5"}), (500, {"x-should-retry": "false"})]
    assert sender(endpoint, retries=3).post(BODY).status == 500
    assert len(endpoint.requests) == 2


def test_who_asks_for_more_than_two_minutes_is_not_asked_again(endpoint):
    endpoint.plan = [(429, {"Retry-After": "121"}), (429, {"Retry-After": "1e999"})]
    began = time.monotonic()
    for _ in range(2):
        assert sender(endpoint, retries=4).post(BODY).status == 429
    assert time.monotonic() - began < 1
    assert len(endpoint.requests) == 2


def test_a_date_to_come_back_at_is_waited_for(endpoint):
    date = email.utils.formatdate(time.time() + 2, usegmt=True)
    endpoint.plan = [(503, {"Retry-After": date})]
    began = time.monotonic()
    assert sender(endpoint).post(BODY).status == 200
    assert 0.9 < time.monotonic() - began < 5


@pytest.mark.parametrize("nonsense", ["soon", "", "nan", "-5", "Mon, 99 Foo 2026"])
def test_what_cannot_be_read_is_waited_for_as_if_nothing_was_said(endpoint, nonsense):
    endpoint.plan = [(503, {"Retry-After": nonsense})]
    began = time.monotonic()
    assert sender(endpoint).post(BODY).status == 200
    assert 0.35 < time.monotonic() - began < 3


def test_waits_double_up_to_eight_seconds_and_differ():
    for tried, longest in enumerate((0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)):
        waits = [wait_seconds(tried) for _ in range(200)]
        assert longest * 0.75 <= min(waits) < max(waits) <= longest
        assert len(set(waits)) > 100


def test_a_lost_connection_may_have_carried_the_request(endpoint):
    endpoint.plan = ["drop"]
    with pytest.raises(Lost) as caught:
        sender(endpoint, retries=0).post(BODY)
    assert (caught.value.arrived, caught.value.silent) == (True, False)


def test_an_answer_that_breaks_off_is_lost(endpoint):
    endpoint.plan = ["half"]
    with pytest.raises(Lost) as caught:
        sender(endpoint, retries=0).post(BODY)
    assert caught.value.arrived
    endpoint.plan = ["half"]
    assert sender(endpoint, retries=1).post(BODY).status == 200


def test_a_name_that_is_nobodys_cannot_be_reached(monkeypatch):
    no_proxies(monkeypatch)
    with pytest.raises(ModelError, match="cannot be reached") as caught:
        model("http://nobody.invalid/v1").complete(REQUEST)
    assert not caught.value.charged


def test_a_redirect_is_followed(endpoint):
    with answering() as other:
        endpoint.plan = [(308, {"Location": f"{other.url}/chat/completions"})]
        keyed = model(endpoint.url, key_env="KEY", environment={"KEY": "sk-0123456789abcdef"})
        assert keyed.complete(REQUEST).text == "cba"
    assert len(other.requests) == 1
    assert "authorization" in endpoint.headers[0]
    assert "authorization" not in other.headers[0]  # another host's business


@pytest.mark.parametrize("named", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_asked_for_other_machines(endpoint, monkeypatch, named):
    no_proxies(monkeypatch)
    # Python takes HTTP_PROXY in small letters only, where a server's request header could have set the other.
    monkeypatch.setenv(named.lower(), f"me:pass%20word@127.0.0.1:{endpoint.server_address[1]}")
    assert model("http://models.invalid/v1").complete(REQUEST).text == "cba"
    assert endpoint.paths == ["http://models.invalid/v1/chat/completions"]
    assert endpoint.headers[0]["proxy-authorization"] == "Basic bWU6cGFzcyB3b3Jk"
    monkeypatch.setenv("NO_PROXY", "models.invalid")
    with pytest.raises(ModelError, match="cannot be reached"):
        model("http://models.invalid/v1").complete(REQUEST)


def test_a_proxy_that_is_not_there_charges_nothing(monkeypatch):
    no_proxies(monkeypatch)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="cannot be reached") as caught:
        model("https://models.invalid/v1").complete(REQUEST)
    assert not caught.value.charged


def test_a_proxy_of_another_kind_is_refused_without_its_password(monkeypatch):
    no_proxies(monkeypatch)
    monkeypatch.setenv("all_proxy", "socks5://me:hidden-word@127.0.0.1:9")
    with pytest.raises(UsageError, match="Expected one of http://") as caught:
        model("https://models.invalid/v1").complete(REQUEST)
    assert "hidden-word" not in str(caught.value)


def test_custom_headers_are_sent_and_never_shown(endpoint):
    headers = "X-Team: ours\nX-Secret:  hidden-word-1\nno header"
    asked = model(endpoint.url, environment={"OPENAI_CUSTOM_HEADERS": headers})
    assert asked.complete(REQUEST).text == "cba"
    assert endpoint.headers[0]["x-team"] == "ours"
    assert endpoint.headers[0]["x-secret"] == "hidden-word-1"
    endpoint.plan = [{"choices": [], "echo": "hidden-word-1"}]
    with pytest.raises(ModelError) as caught:
        asked.complete(REQUEST)
    assert "hidden-word-1" not in str(caught.value)


def test_without_a_key_none_is_sent(endpoint):
    model(endpoint.url).complete(REQUEST)
    assert "authorization" not in endpoint.headers[0]


def test_a_key_that_no_header_may_hold_is_refused_without_being_shown():
    for key in ("hidden\nword", "hidden-wörd"):
        with pytest.raises(UsageError, match="KEY has characters") as caught:
            model("http://127.0.0.1:1/v1", key_env="KEY", environment={"KEY": key})
        assert "hidden" not in str(caught.value)


def test_half_a_character_in_a_prompt_does_not_stop_it(endpoint):
    text = model(endpoint.url).complete(Request(messages=(Message(role="user", text="a\ud800é"),))).text
    assert text == "é?a"


def test_an_answer_that_is_compressed_is_read(endpoint):
    endpoint.plan = ["gzip"]
    assert model(endpoint.url).complete(REQUEST).text == "compressed"


def test_deep_nonsense_is_no_answer(endpoint):
    endpoint.plan = [b"[" * 200_000]
    with pytest.raises(ModelError, match="without the text"):
        model(endpoint.url).complete(REQUEST)


# certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Make a certificate of 127.0.0.1 that signs itself; give its file and that of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("certificate")
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files[1].write_bytes(key.private_bytes(*private))
    return files


@pytest.fixture
def secure(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with answering(context) as endpoint:
        yield endpoint


def test_a_certificate_that_the_system_does_not_know_ends_it_and_charges_nothing(secure):
    with pytest.raises(ModelError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        model(secure.url).complete(REQUEST)
    assert not caught.value.charged
    assert not secure.requests


def test_a_certificate_that_the_environment_names_is_trusted(secure, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    asked = model(secure.url)
    secure.plan = [chat("one"), chat("two")]
    assert [asked.complete(REQUEST).text for _ in range(2)] == ["one", "two"]
    assert len(secure.peers) == 1


def test_an_endpoint_without_encryption_says_so_under_https(endpoint):
    with pytest.raises(ModelError, match="cannot be reached") as caught:
        model(endpoint.url.replace("http:", "https:")).complete(REQUEST)
    assert not caught.value.charged


def test_an_address_that_takes_no_connection_charges_nothing():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        taken = [socket.socket() for _ in range(3)]
        for one in taken:  # fill its queue: the next one hangs
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(ModelError, match=r"silent for 0\.3 s") as caught:
            model(f"http://127.0.0.1:{full.getsockname()[1]}/v1", seconds=0.3).complete(REQUEST)
        for one in taken:
            one.close()
    assert not caught.value.charged
