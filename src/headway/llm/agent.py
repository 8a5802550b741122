"""A command-line agent that edits the files of a folder: `claude -p`, `codex exec`, `gemini -p`, or any command.

The agent runs as the user does, with the user's environment (it needs its keys) and without a sandbox: what it may do
is what its own settings allow. All that it started ends with it. What it changed is for the caller to read; what it
printed is kept without secrets.
"""

import contextlib
import math
import os
import secrets
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from headway.core import Redactor, UsageError
from headway.sandbox import processes

__all__ = ["AgentEdit", "CommandAgent"]

_PROMPT, _PROMPT_FILE = "{prompt}", "{prompt_file}"
_INSTALL = {
    "claude": "npm install -g @anthropic-ai/claude-code",
    "codex": "npm install -g @openai/codex",
    "gemini": "npm install -g @google/gemini-cli",
}
_EXAMPLES = (
    "For example: 'claude -p --permission-mode acceptEdits', or 'codex exec --sandbox workspace-write {prompt}'."
)
_MARK = "HEADWAY_AGENT"
_LONGEST_ARGUMENT_BYTES = 128 * 1024 - 1  # Linux: MAX_ARG_STRLEN, with the zero at its end
_PIECE_BYTES = 64 * 1024
_HEAD_SHARE = 4  # the first quarter of the room for output keeps how it began, the rest how it ended
_DRAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEdit:
    """Hold how an agent's run ended: its exit code (negative: the signal), wall seconds, and what it printed.

    `output` is stdout and stderr in the order of arrival, capped and without secrets. `timed_out` tells that the limit
    ended it.
    """

    code: int
    seconds: float
    output: str
    timed_out: bool = False

    @property
    def ok(self) -> bool:
        """Tell whether the agent ended by itself, with exit code 0."""
        return self.code == 0 and not self.timed_out


class CommandAgent:
    """Run a command that edits files.

    `command` is a list, or one string as a shell would split it; no shell runs. `{prompt}` in it becomes the prompt,
    `{prompt_file}` the path of a file with it; without either, the prompt is the command's standard input. Other braces
    stay. `output_bytes` caps what is kept of the output. Raise `UsageError` where there is no such command.
    """

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        output_bytes: int = 200_000,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        words = _split(command)
        self._template = words
        self._output_bytes = output_bytes
        self._environment = environment
        self._redactor = Redactor.of_environment(environment)
        self._program = _found(words[0], environment)
        if output_bytes < 1:
            raise UsageError(f"output_bytes is {output_bytes}, expected 1 or more.")

    @property
    def name(self) -> str:
        """Return the command as it was given, without secrets."""
        return self._redactor.text(shlex.join(self._template))

    def edit(self, folder: Path, prompt: str, *, seconds: float) -> AgentEdit:
        """Run the agent in `folder` for at most so many seconds, and end all that it started."""
        if not (math.isfinite(seconds) and seconds > 0):
            raise UsageError(f"The agent got a limit of {seconds} s. Give a finite number above 0.")
        if not folder.is_dir():
            raise UsageError(f"The agent's folder {folder} is not there. Make it first.")
        with tempfile.TemporaryDirectory(prefix="headway-agent-") as aside:
            file = Path(aside, "prompt.md")
            file.write_text(prompt, encoding="utf-8", errors="replace")
            return self._run(folder, self._arguments(prompt, file), self._input(file), seconds)

    def _arguments(self, prompt: str, file: Path) -> list[str]:
        if any(_PROMPT in word for word in self._template):
            _check_argument(prompt)
        words = [word.replace(_PROMPT_FILE, str(file)).replace(_PROMPT, prompt) for word in self._template[1:]]
        return [self._program, *words]

    def _input(self, file: Path) -> Path:
        given = any(_PROMPT in word or _PROMPT_FILE in word for word in self._template)
        return Path(os.devnull) if given else file

    def _run(self, folder: Path, arguments: list[str], stdin: Path, seconds: float) -> AgentEdit:
        mark = f"{os.getpid()}-{secrets.token_hex(8)}"
        began = time.monotonic()
        with stdin.open("rb") as read, _started(arguments, folder, self._environment, mark, read) as process:
            output = _Output(process, self._output_bytes)
            timed_out = False
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                timed_out = True
            finally:
                _end(process, mark)
            text = output.text()
        return AgentEdit(
            code=process.returncode,
            seconds=time.monotonic() - began,
            output=self._redactor.text(text),
            timed_out=timed_out,
        )


class _Output:
    """Read all that a process prints, and keep its begin and its end."""

    def __init__(self, process: "subprocess.Popen[bytes]", limit: int) -> None:
        assert process.stdout is not None
        self._pipe = process.stdout
        self._head_bytes = limit // _HEAD_SHARE
        self._tail_bytes = limit - self._head_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="agent-output", daemon=True)
        self._thread.start()

    def text(self) -> str:
        """Return what is kept, once all who could print have ended."""
        self._thread.join(_DRAIN_SECONDS)
        with self._lock:
            self._cut()
            gap = f"\n[... {self._left_out:,} bytes left out ...]\n".encode() if self._left_out else b""
            return bytes(self._head + gap + self._tail).decode(errors="replace")

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed under it, where somebody escaped and holds the pipe
            while piece := os.read(self._pipe.fileno(), _PIECE_BYTES):
                with self._lock:
                    self._take(piece)

    def _take(self, piece: bytes) -> None:
        room = max(0, self._head_bytes - len(self._head))
        self._head += piece[:room]
        self._tail += piece[room:]
        if len(self._tail) > 2 * self._tail_bytes + _PIECE_BYTES:  # cutting at each piece would move the tail each time
            self._cut()

    def _cut(self) -> None:
        over = max(0, len(self._tail) - self._tail_bytes)
        del self._tail[:over]
        self._left_out += over


@contextlib.contextmanager
def _started(
    arguments: list[str], folder: Path, environment: Mapping[str, str], mark: str, stdin: IO[bytes]
) -> "Generator[subprocess.Popen[bytes]]":
    """Start the command; what is left of it when the block ends is ended."""
    try:
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env={**environment, _MARK: mark},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The agent {arguments[0]!r} cannot be started ({error}). Run it by hand to see why."
        ) from error
    try:
        yield process
    finally:
        _end(process, mark)
        assert process.stdout is not None
        process.stdout.close()


def _end(process: "subprocess.Popen[bytes]", mark: str) -> None:
    """End the command, its group, and all that carries the mark of this run: also what left the session."""
    if process.poll() is None:
        processes.end_tree(process.pid)
        process.wait()
    processes.end_group(process.pid)
    processes.end_carrying(f"{_MARK}={mark}")


def _split(command: str | Sequence[str]) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(command) if isinstance(command, str) else command)
    except ValueError as error:
        raise UsageError(f"The agent's command {command!r} cannot be split into words ({error}). {_EXAMPLES}") from None
    if not words or not words[0].strip():
        raise UsageError(f"The agent's command is empty. {_EXAMPLES}")
    if _PROMPT in words[0] or _PROMPT_FILE in words[0]:
        raise UsageError(f"The agent's command {command!r} begins with the prompt. Begin with a program. {_EXAMPLES}")
    return words


def _found(program: str, environment: Mapping[str, str]) -> str:
    """Return the path of a program, as a path that holds in any folder."""
    path = shutil.which(os.path.expanduser(program), path=environment.get("PATH", os.defpath))
    if path is not None:
        return os.path.abspath(path)
    how = _INSTALL.get(os.path.basename(program))
    what = f"Install it ({how})" if how else "Install it"
    raise UsageError(
        f"The agent's command {program!r} was not found, or may not be run. {what}, or give the path of a program. "
        + _EXAMPLES
    )


def _check_argument(prompt: str) -> None:
    size = len(prompt.encode(errors="replace"))
    instead = "Write {prompt_file} into the command, or nothing: then the prompt is its standard input."
    if size > _LONGEST_ARGUMENT_BYTES:
        raise UsageError(
            f"The prompt has {size:,} bytes; as an argument it may have {_LONGEST_ARGUMENT_BYTES:,}. {instead}"
        )
    if "\0" in prompt:
        raise UsageError(f"The prompt holds a zero byte, which no argument may. {instead}")
