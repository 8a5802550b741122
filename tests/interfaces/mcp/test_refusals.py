"""What the server lets in, and how it says no."""

import socket
import stat

import anyio
import httpx2
import pytest

from headway.core import UsageError
from headway.interfaces.mcp.http import listening, token_of
from tests.interfaces.mcp.conftest import ask, refused

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def post(service, **headers: str) -> httpx2.Response:
    given = {"Accept": "application/json, text/event-stream", "Authorization": f"Bearer {service.token}", **headers}
    return httpx2.post(service.url, json=PING, headers={key: value for key, value in given.items() if value})


def test_a_request_without_the_token_is_refused(service):
    for token in ("", "Bearer wrong", f"Basic {service.token}", f"Bearer {service.token}x"):
        answer = post(service, Authorization=token)
        assert answer.status_code == 401
        assert "mcp.token" in answer.json()["error"]
    assert post(service).status_code not in (401, 403, 421)


def test_pages_of_other_origins_are_refused_though_they_know_the_token(service):
    port = httpx2.URL(service.url).port
    for origin in ("http://evil.example", f"http://evil.example:{port}", "http://127.0.0.1:1", "null"):
        assert post(service, Origin=origin).status_code == 403
    assert post(service, Origin=f"http://localhost:{port}").status_code not in (401, 403, 421)


def test_a_name_that_was_bent_to_this_machine_is_refused(service):
    port = httpx2.URL(service.url).port
    for host in (f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "127.0.0.1:1"):
        assert post(service, Host=host).status_code == 421


def test_the_server_listens_on_loopback_alone_and_its_token_is_the_owners(tmp_path):
    with listening(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        with pytest.raises(UsageError, match="cannot be used"):
            listening(listener.getsockname()[1])
    token, path = token_of(tmp_path, {})
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token_of(tmp_path, {}) == (token, path)
    assert token_of(tmp_path, {"HEADWAY_MCP_TOKEN": "x" * 16}) == ("x" * 16, None)
    with pytest.raises(UsageError, match="at least 16"):
        token_of(tmp_path, {"HEADWAY_MCP_TOKEN": "short"})


def test_a_port_that_is_taken_is_told_in_one_message(project, recorded):
    del recorded
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        said = project.json("mcp", "--http", "--port", str(other.getsockname()[1]))
    assert "--port 0" in said["error"]["message"]


def test_json_over_stdio_and_a_port_without_http_are_refused(project, recorded):
    del recorded
    assert "standard output" in project.json("mcp")["error"]["message"]
    assert "--http" in project.json("mcp", "--port", "80")["error"]["message"]


def test_calls_that_cannot_be_meant_are_answered_by_what_was_expected(recorded):
    async def main() -> None:
        async with recorded.over_stdio() as client:
            assert "Did you mean 'note'?" in await refused(client, "propose", config={"x": 0.1}, noted="x")
            assert "changes of code" in await refused(client, "propose", patch="--- a", config={"x": 0.1})
            assert "At most 400000" in await refused(client, "propose", patch="x" * 400_001)
            assert "At most 10000" in await refused(client, "propose", file="x" * 10_001)
            assert "needs the argument 'candidate'" in await refused(client, "result")
            assert "baseline itself" in await refused(client, "propose")
            mine = (await ask(client, "propose", config={"x": 0.7}))["candidate"]
            assert "has no files" in await refused(client, "result", candidate=mine, file="train.py")
            assert "Give file=PATH too" in await refused(client, "result", candidate=mine, offset=3)
            assert "nothing is official" in await refused(client, "result", candidate="official")
            assert "Expected an object" in await refused(client, "propose", config="x=0.1")
            assert "expected a number in [0.0, 1.0]" in await refused(client, "propose", config={"x": 7})
            assert "did you mean 'mode'" in await refused(client, "propose", config={"modes": "plain"})
            assert "baseline itself" in await refused(client, "propose", config={})
            assert "study's own" in await refused(client, "propose", config={"x": 0.1}, proposer="random")
            assert "no study 'quik'. Did you mean 'quick'?" in await refused(client, "brief", study="quik")
            assert "no cursor" in await refused(client, "wait", since="yesterday")
            assert "0 to 300" in await refused(client, "wait", timeout=1e9)
            assert "#7" in await refused(client, "result", candidate="#7")
            assert "no candidate" in await refused(client, "result", candidate="zz")
            assert "There is no verb 'brif'" in await refused(client, "brif")
            message = await refused(client, "propose", config={"k" * 100_000: 1})
            assert len(message) < 2000
            assert await ask(client, "status")

    anyio.run(main)
