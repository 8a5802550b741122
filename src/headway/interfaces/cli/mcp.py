"""`headway mcp`: serve agents over the Model Context Protocol, while `headway run` runs beside it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import MissingExtra, UsageError
from headway.interfaces.cli.app import command
from headway.interfaces.cli.places import open_store
from headway.interfaces.cli.words import echo_json

if TYPE_CHECKING:
    from headway.store import Store

__all__ = ["mcp"]


@command("Serve agents: the verbs as MCP tools.", {6: "the package mcp is not installed"})
@click.option("--http", is_flag=True, help="Serve HTTP on 127.0.0.1, with a token, and not standard input and output.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port for --http (default: a free one).")
@click.option("--proposer", metavar="WHO", help="Who proposes where a call does not say (default: the client's name).")
def mcp(http: bool, port: int | None, proposer: str | None, store: Path | None, as_json: bool) -> None:
    """Serve the verbs brief, propose, status, wait, result, compare, explain_failure and promote as MCP tools.

    No trial runs here: 'headway run' runs beside it and takes what is proposed. With --http, each request needs the
    token: it is in the store's file mcp.token, or in HEADWAY_MCP_TOKEN. --json tells the address as a document.
    """
    if as_json and not http:
        raise UsageError("--json and the protocol both want standard output. Leave out --json, or add --http.")
    if port is not None and not http:
        raise UsageError("--port belongs to --http. Add --http, or leave out --port.")
    with open_store(store) as opened:
        if http:
            _serve_http(opened, port or 0, proposer, as_json=as_json)
        else:
            _serve_stdio(opened, proposer)


def _serve_stdio(store: "Store", proposer: str | None) -> None:
    try:
        import anyio

        from headway.interfaces.mcp.server import make_server, serve_stdio
    except ImportError as error:
        raise _missing(error) from error
    anyio.run(serve_stdio, make_server(store, proposer=proposer))


def _serve_http(store: "Store", port: int, proposer: str | None, *, as_json: bool) -> None:
    try:
        import anyio

        from headway.interfaces.mcp.http import LOOPBACK, PATH, listening, serve_http, token_of
        from headway.interfaces.mcp.server import make_server
    except ImportError as error:
        raise _missing(error) from error
    token, path = token_of(store.folder, os.environ)
    with listening(port) as listener:
        url = f"http://{LOOPBACK}:{listener.getsockname()[1]}{PATH}"
        if as_json:
            echo_json({"url": url, "token_file": None if path is None else str(path), "pid": os.getpid()})
        else:
            where = "in HEADWAY_MCP_TOKEN" if path is None else f"in {path}"
            click.echo(f"Serving {url} (token {where}). Ctrl-C ends it.", err=True)
        anyio.run(serve_http, make_server(store, proposer=proposer), listener, token)


def _missing(error: ImportError) -> Exception:
    known: Any = (error.name or "").partition(".")[0]
    if known in ("mcp", "mcp_types", "anyio", "uvicorn", "starlette"):
        return MissingExtra("the package mcp", "mcp", "'headway mcp'")
    return error
