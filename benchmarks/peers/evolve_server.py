"""Serve a model of evolve_stub.py as `/v1/chat/completions`, for tools that only speak to an endpoint.

`evolve_server.py MODEL SEED` prints its address and serves until its input is closed. Calls count as they come in.
"""

import asyncio
import itertools
import json
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen

from evolve_stub import MODELS

__all__ = ["served"]


@contextmanager
def served(model: str, seed: int) -> Generator[str]:
    """Serve a model from a process of its own, and yield the address that ends in `/v1`."""
    words = [sys.executable, str(Path(__file__)), model, str(seed)]
    with Popen(words, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


async def _serve(name: str, seed: int) -> None:
    calls = itertools.count()

    def answered(body: bytes) -> str:
        messages = json.loads(body)["messages"]
        return MODELS[name]("\n".join(message["content"] for message in messages), seed, str(next(calls)))

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                writer.write(_response(answered(await reader.readexactly(size))))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 24)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)


def _response(text: str) -> bytes:
    message = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    whole = {"id": "stub", "object": "chat.completion", "created": 0, "model": "stub"}
    body = json.dumps({**whole, "choices": [message], "usage": usage}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
