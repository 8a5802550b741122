"""The server over HTTP, for this machine alone: loopback, a token, and no page of another origin.

A web page that a person visits can send requests to any port of this machine, also under a name of its own that it lets
point to 127.0.0.1 (DNS rebinding). So `Host` and `Origin` must name this very address, and each request carries the
token, which only those who may read the store's folder know.
"""

import hmac
import json
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.lowlevel import Server
from starlette.types import ASGIApp, Receive, Scope, Send

from headway.core import UsageError

__all__ = ["LOOPBACK", "PATH", "Gate", "listening", "serve_http", "token_of"]

LOOPBACK = "127.0.0.1"
PATH = "/mcp"
_TOKEN_FILE = "mcp.token"
_VARIABLE = "HEADWAY_MCP_TOKEN"
_SHORTEST_TOKEN = 16
_LARGEST_BODY = 4 * 1024**2  # bytes: a patch has up to 400,000 characters, and JSON may take six bytes for one


class Gate:
    """Let in what comes from this machine, to this address, from no foreign page, with the token; else say why not."""

    def __init__(self, app: ASGIApp, port: int, token: str) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {f"{name}:{port}" for name in (LOOPBACK, "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http" and (problem := self._problem(scope)) is not None:
            await _refuse(send, *problem)
            return
        await self._app(scope, receive, send)

    def _problem(self, scope: Scope) -> tuple[int, str] | None:
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        peer = scope.get("client")
        if peer is None or not str(peer[0]).startswith("127."):
            return 403, "Headway's MCP server serves this machine alone."
        if headers.get("host", "") not in self._hosts:
            return 421, f"The Host header must be one of: {', '.join(sorted(self._hosts))}."
        origin = headers.get("origin")
        if origin is not None and origin.removeprefix("http://") not in self._hosts:
            return 403, "Pages of other origins may not use Headway's MCP server."
        return None if self._known(headers) else (401, _without_token())

    def _known(self, headers: Mapping[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode("latin-1"), self._token)


async def serve_http(server: Server[Any], listener: socket.socket, token: str) -> None:
    """Serve many clients at a listening socket until a signal ends it."""
    app = server.streamable_http_app(
        streamable_http_path=PATH, json_response=True, host=LOOPBACK, max_request_body_size=_LARGEST_BODY
    )
    gate = Gate(app, listener.getsockname()[1], token)
    config = uvicorn.Config(gate, log_level="warning", timeout_graceful_shutdown=2, access_log=False)
    await uvicorn.Server(config).serve(sockets=[listener])


def listening(port: int) -> socket.socket:
    """Listen on a port of the loopback address; 0 takes a free one. Raises `UsageError` where it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(128)  # who comes while the server begins, waits
    except OSError as error:
        listener.close()
        raise UsageError(f"Port {port} of {LOOPBACK} cannot be used: {error.strerror}. Try --port 0.") from error
    return listener


def token_of(folder: Path, environment: Mapping[str, str]) -> tuple[str, Path | None]:
    """Return the token and the file that holds it: from the environment, else from the store's folder, made once.

    The file can be read by its owner alone.
    """
    given = environment.get(_VARIABLE)
    if given is not None:
        if len(given) < _SHORTEST_TOKEN:
            raise UsageError(f"{_VARIABLE} has {len(given)} characters. Use at least {_SHORTEST_TOKEN} random ones.")
        return given, None
    path = folder / _TOKEN_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        token = path.read_text().strip()
        if len(token) < _SHORTEST_TOKEN:
            raise UsageError(f"{path} holds no token. Delete it, and a new one is made.") from None
        return token, path
    with os.fdopen(descriptor, "w") as file:
        token = secrets.token_urlsafe(24)
        file.write(token + "\n")
    return token, path


def _without_token() -> str:
    return f"Send the header 'Authorization: Bearer TOKEN'. The store's file {_TOKEN_FILE} holds it, or {_VARIABLE}."


async def _refuse(send: Send, status: int, message: str) -> None:
    body = json.dumps({"error": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
