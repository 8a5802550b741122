"""A model behind an endpoint: what is sent, what comes back, and what is said when nothing usable does."""

import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from headway.core import MissingExtra, UsageError
from headway.llm import Message, ModelError, OpenAIModel, Price, Request
from headway.llm import endpoint as module
from tests.llm.answering import chat

KEY = "sk-test-0123456789abcdef"
REQUEST = Request(messages=(Message(role="system", text="Be brief."), Message(role="user", text="abc")))


def model(endpoint, **changes):
    given: dict[str, Any] = {"url": endpoint.url, "model": "small", "retries": 0, "seconds": 10.0, **changes}
    return OpenAIModel(**given)


def failure(model, request=REQUEST):
    with pytest.raises(ModelError) as caught:
        model.complete(request)
    return caught.value


def test_an_answer_carries_text_tokens_and_dollars(endpoint):
    price = Price(input_dollars=2.0, output_dollars=10.0)
    completion = model(endpoint, price=price).complete(REQUEST)
    assert (completion.text, completion.model) == ("cba", "served-name")
    assert (completion.input_tokens, completion.output_tokens) == (100, 10)
    assert completion.dollars == pytest.approx(100 * 2e-6 + 10 * 10e-6)
    assert 0 < completion.seconds < 10
    assert not completion.cached
    assert not completion.truncated


def test_a_request_sends_what_it_holds_and_nothing_else(endpoint):
    model(endpoint).complete(REQUEST)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "abc"}]
    assert endpoint.requests == [{"model": "small", "messages": messages}]
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    full = Request(messages=REQUEST.messages, max_tokens=7, temperature=0.5, seed=3, schema=schema)
    model(endpoint).complete(full)
    sent = endpoint.requests[1]
    assert (sent["max_tokens"], sent["temperature"], sent["seed"]) == (7, 0.5, 3)
    expected = {"name": "answer", "schema": schema, "strict": False}
    assert sent["response_format"] == {"type": "json_schema", "json_schema": expected}
    model(endpoint, limit_name="max_completion_tokens").complete(full)
    assert endpoint.requests[2]["max_completion_tokens"] == 7
    assert "max_tokens" not in endpoint.requests[2]


def test_a_closed_schema_is_sent_as_strict(endpoint):
    inner = {"type": "object", "properties": {"b": {}}, "required": ["b"], "additionalProperties": False}
    outer = {"type": "object", "properties": {"a": inner}, "required": ["a"], "additionalProperties": False}
    opened = {**outer, "properties": {"a": {**inner, "required": []}}}
    for schema, strict in ((outer, True), (opened, False)):
        model(endpoint).complete(Request(messages=REQUEST.messages, schema=schema))
        assert endpoint.requests[-1]["response_format"]["json_schema"]["strict"] is strict


def test_the_key_goes_to_the_endpoint_and_the_identity_of_an_openai_account_does_not(endpoint, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-ours")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai-must-not-leave")
    model(endpoint, key_env="SMALL_KEY", environment={"SMALL_KEY": KEY}).complete(REQUEST)
    model(endpoint).complete(REQUEST)
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"
    assert "sk-openai" not in str(endpoint.headers)
    assert "org-of-ours" not in str(endpoint.headers)


def test_a_proxy_is_not_asked_for_this_machines_own_address(endpoint, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    assert model(endpoint).complete(REQUEST).text == "cba"


@pytest.mark.parametrize("passing", [(429, {"Retry-After": "0.05"}), 500, 503, "drop"])
def test_what_passes_is_tried_again(endpoint, passing):
    endpoint.plan = [passing]
    assert model(endpoint, retries=1).complete(REQUEST).text == "cba"
    assert len(endpoint.requests) == 2


def test_a_retry_waits_as_long_as_the_endpoint_asks(endpoint):
    endpoint.plan = [(429, {"Retry-After": "1.5"})]
    began = time.monotonic()
    model(endpoint, retries=1).complete(REQUEST)
    assert 1.4 < time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("status", "charged", "says"),
    [
        (400, False, "Check the request"),
        (401, False, "Name the variable of its key"),
        (404, False, "the model's name 'small'"),
        (429, False, "ask less at once"),
        (500, True, "look at the server's log"),
    ],
)
def test_a_refusal_says_what_to_do(endpoint, status, charged, says):
    endpoint.plan = [status]
    error = failure(model(endpoint))
    assert (error.status, error.charged) == (status, charged)
    assert says in str(error)
    assert "as planned" in str(error)
    assert len(endpoint.requests) == 1


def test_a_key_that_an_endpoint_repeats_is_not_shown(endpoint):
    endpoint.plan = [(401, {}), {"choices": [], "echo": KEY}]
    keyed = model(endpoint, key_env="SMALL_KEY", environment={"SMALL_KEY": KEY})
    assert "Check the key in SMALL_KEY" in str(failure(keyed))
    echoed = str(failure(keyed))
    assert KEY not in echoed
    assert "[redacted]" in echoed


def test_silence_ends_at_the_limit(endpoint):
    endpoint.plan = ["hang"]
    began = time.monotonic()
    error = failure(model(endpoint, seconds=0.3))
    assert time.monotonic() - began < 5
    assert "silent for 0.3 s" in str(error)
    assert error.charged


def test_a_server_that_is_not_there_charges_nothing():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    error = failure(OpenAIModel(url=url, model="small", retries=0))
    assert "cannot be reached" in str(error)
    assert not error.charged


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b"",
        b"[]",
        b"{}",
        b'"text"',
        b"null",
        b'{"choices": null}',
        b'{"choices": []}',
        b'{"choices": 5}',
        b'{"choices": [null]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"role": "assistant", "content": null}}]}',
        b'{"choices": [{"message": {"role": "assistant", "content": 5}}]}',
        b'{"error": {"message": "overloaded"}}',
    ],
)
def test_an_answer_without_text_is_an_error_that_shows_it(endpoint, body):
    endpoint.plan = [body]
    error = failure(model(endpoint))
    assert "without the text of a message" in str(error)
    assert error.charged


def test_an_empty_text_is_an_answer(endpoint):
    endpoint.plan = [chat("")]
    assert model(endpoint).complete(REQUEST).text == ""


def test_an_answer_that_was_cut_off_says_so(endpoint):
    endpoint.plan = [chat("half a", finish="length")]
    assert model(endpoint).complete(REQUEST).truncated


def test_tokens_are_estimated_where_the_endpoint_does_not_count_them(endpoint):
    endpoint.plan = [chat("x" * 300, tokens=None)]
    completion = model(endpoint).complete(REQUEST)
    assert completion.output_tokens == 100
    assert completion.input_tokens == REQUEST.tokens


def test_many_threads_ask_at_once(endpoint):
    asked, texts = model(endpoint), {}

    def ask(number):
        texts[number] = asked.complete(Request(messages=(Message(role="user", text=f"n{number}"),))).text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {number: f"n{number}"[::-1] for number in range(16)}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("127.0.0.1:8000/v1", "is no URL of an endpoint"),
        ("ftp://host/v1", "is no URL of an endpoint"),
        ("http://host:port/v1", "is no URL"),
        ("http://me:hidden-word@host/v1", "Give the bare URL"),
        ("http://host/v1?key=hidden-word", "Give the bare URL"),
    ],
)
def test_a_bad_url_is_refused_without_its_secrets(url, says):
    with pytest.raises(UsageError, match=says) as caught:
        OpenAIModel(url=url, model="small")
    assert "hidden-word" not in str(caught.value)


def test_a_missing_key_is_named():
    with pytest.raises(UsageError, match="SMALL_KEY is not set"):
        OpenAIModel(url="http://127.0.0.1:1/v1", model="small", key_env="SMALL_KEY", environment={"SMALL_KEY": " "})


def test_bad_limits_are_refused():
    bad: list[dict[str, Any]] = [{"seconds": 0.0}, {"seconds": float("nan")}, {"retries": -1}]
    for changes in bad:
        with pytest.raises(UsageError, match="Give more than 0 s"):
            OpenAIModel(url="http://127.0.0.1:1/v1", model="small", **changes)


def test_the_extra_is_named_where_the_client_is_missing():
    code = (
        "import sys\n"
        "sys.modules['urllib3'] = None\n"  # as Python marks what cannot be imported
        "from headway.llm import OpenAIModel\n"
        "OpenAIModel(url='http://127.0.0.1:1/v1', model='small')\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert MissingExtra.__name__ in answer.stderr
    assert "pip install 'headway[llm]'" in answer.stderr


def test_the_room_loads_no_client_until_a_model_is_asked():
    code = f"import sys, {module.__name__}, headway.llm; print('urllib3' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
