"""Serve MCP over HTTP as `headway mcp --http` does, each answer timed: `mcp_server.py ADDRESS TIMES`."""

import json
import sys
from pathlib import Path

import anyio

from headway.interfaces.mcp.http import PATH, listening, serve_http, token_of
from headway.interfaces.mcp.server import make_server
from headway.store import Store

if __name__ == "__main__":
    address, times = map(Path, sys.argv[1:3])
    taken: dict[str, list[float]] = {}
    with Store.open(Path.cwd() / ".headway", create=False) as store, listening(0) as listener:
        token, _ = token_of(store.folder, {})
        url = f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
        address.write_text(json.dumps({"url": url, "token": token}))
        server = make_server(store, timed=lambda verb, seconds: taken.setdefault(verb, []).append(seconds))
        try:
            anyio.run(serve_http, server, listener, token)
        except KeyboardInterrupt:  # how it is asked to end
            pass
        finally:
            times.write_text(json.dumps(taken))
