"""A real endpoint for tests: an HTTP server in a thread that speaks /v1/chat/completions, and misbehaves if told to."""

import contextlib
import gzip
import json
import ssl
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Endpoint", "answering", "chat"]


class Endpoint(ThreadingHTTPServer):
    """Answer each request by the next of `plan`, and when that is used up, with the last message turned round.

    A step of the plan is a status (`429`, or `(429, {"Retry-After": "1"})`), bytes that are sent as the body, a
    dictionary that is sent as JSON, or one of the words `hang` (no answer until the test ends), `drop` (the connection
    closes without a byte), `half` (it closes in the middle of the body), `last` (it closes after the answer, unsaid)
    and `gzip` (a compressed answer). With a `context` it speaks TLS. As a proxy it answers by itself.
    """

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._scheme = "http" if context is None else "https"
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.plan: list[Any] = []
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.peers: set[Any] = set()
        self.over = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request, client_address) -> None:
        """Say nothing of clients that went."""


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the client's delayed acknowledgement makes each answer take 40 ms

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append(body)
            self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.server.paths.append(self.path)
            self.server.peers.add(self.client_address)
            step = self.server.plan.pop(0) if self.server.plan else None
        if urlsplit(self.path).path != "/v1/chat/completions":
            self._send(404, b'{"error": {"message": "no such path"}}')
            return
        match step:
            case None:
                self._send(200, json.dumps(chat(body["messages"][-1]["content"][::-1])).encode())
            case int():
                self._send(step, b'{"error": {"message": "as planned"}}')
            case (int(status), dict(headers)):
                self._send(status, b'{"error": {"message": "as planned"}}', headers)
            case bytes():
                self._send(200, step)
            case dict():
                self._send(200, json.dumps(step).encode())
            case "gzip":
                packed = gzip.compress(json.dumps(chat("compressed")).encode())
                self._send(200, packed, {"Content-Encoding": "gzip"})
            case _:
                self._close(step, body["messages"][-1]["content"][::-1])

    def _close(self, step: str, text: str) -> None:
        match step:
            case "half":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"choices": [')
            case "last":
                self._send(200, json.dumps(chat(text)).encode())
            case "hang":
                self.server.over.wait()
            case _:
                pass
        self.close_connection = True

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object, **__: object) -> None:
        """Say nothing."""


def chat(text: object, *, finish: str = "stop", tokens: tuple[int, int] | None = (100, 10)) -> dict[str, Any]:
    """Return the JSON of a chat completion."""
    answer: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "served-name",
        "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
    }
    if tokens is not None:
        answer["usage"] = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    return answer


@contextlib.contextmanager
def answering(context: ssl.SSLContext | None = None) -> Generator[Endpoint]:
    """Serve until the block ends."""
    endpoint = Endpoint(context)
    thread = threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.over.set()
        endpoint.shutdown()
        thread.join()
        endpoint.server_close()
