"""Who proposes changes: a model, a command-line agent, a Python function. Each answers a `Context`."""

import contextlib
import os
import secrets
import tempfile
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import final

from headway.core import HeadwayError, UsageError
from headway.llm import CommandAgent, Message, Model, ModelError, Request
from headway.propose.evolve.answers import parse_answer
from headway.propose.evolve.context import Context, Proposed
from headway.propose.evolve.prompt import INSTRUCTIONS, prompt_of
from headway.sandbox import processes

__all__ = ["AgentProposer", "FunctionProposer", "ModelProposer", "Proposer"]

_PROMPT_TOKENS = 12_000
_ANSWER_TOKENS = 8_000
_AGENT_SECONDS = 900.0
_END_SECONDS = 10.0
_MARK = "HEADWAY_PROPOSER"
_LARGEST_BYTES = 4_000_000  # of a file that an agent wrote; what may be proposed is far smaller


class Proposer(ABC):
    """Propose changes of programs. Several threads may ask at once, but where `instant`: then nobody waits for it."""

    instant: bool = False

    @property
    @abstractmethod
    def name(self) -> str:
        """Return who proposes, for the record."""

    @abstractmethod
    def propose(self, context: Context) -> Proposed:
        """Return a change of the parent.

        Raise `UsageError` for an answer without one, `ModelError` where none came, and `HeadwayError` for what asking
        again cannot mend.
        """

    @abstractmethod
    def close(self) -> None:
        """End what still runs, as nobody waits for it any more."""


@final
class ModelProposer(Proposer):
    """Ask a model. Each proposal has a seed of its own, by which a cache tells them apart."""

    def __init__(
        self,
        model: Model,
        *,
        prompt_tokens: int = _PROMPT_TOKENS,
        answer_tokens: int = _ANSWER_TOKENS,
        temperature: float | None = None,
    ) -> None:
        self._model = model
        self._prompt_tokens = prompt_tokens
        self._answer_tokens = answer_tokens
        self._temperature = temperature

    @property
    def name(self) -> str:
        """Return the model's name."""
        return self._model.name

    def propose(self, context: Context) -> Proposed:
        """Ask for a change."""
        prompt = prompt_of(context, tokens=self._prompt_tokens)
        request = Request(
            messages=(Message(role="system", text=INSTRUCTIONS), Message(role="user", text=prompt)),
            max_tokens=self._answer_tokens,
            temperature=self._temperature,
            seed=context.seed,
        )
        answer = self._model.complete(request)
        tokens = 0 if answer.cached else answer.input_tokens + answer.output_tokens
        try:
            found = parse_answer(answer.text, sorted(context.parent.files))
        except UsageError as error:
            if answer.truncated:
                raise UsageError(f"{error} It was cut off at {self._answer_tokens} tokens.") from error
            raise
        return replace(found, tokens=tokens, dollars=answer.dollars, seconds=answer.seconds)

    def close(self) -> None:
        """Do nothing: a request that is under way runs nothing here."""


@final
class FunctionProposer(Proposer):
    """Call a function of a prompt and a seed that returns what a model would: for scripts, and for benchmarks."""

    instant = True

    def __init__(self, function: Callable[[str, int], str], name: str, *, prompt_tokens: int = _PROMPT_TOKENS) -> None:
        self._function = function
        self._name = name
        self._prompt_tokens = prompt_tokens

    @property
    def name(self) -> str:
        """Return the function's name."""
        return self._name

    def propose(self, context: Context) -> Proposed:
        """Call the function. Raise `HeadwayError` where it fails or returns no text: it would do so again."""
        prompt = prompt_of(context, tokens=self._prompt_tokens)
        try:
            answer = self._function(prompt, context.seed)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise HeadwayError(
                f"The proposer {self._name} failed with seed {context.seed}: {type(error).__name__}: {error} "
                f"({last.filename}, line {last.lineno}: {last.line}). Mend it, and go on with: headway resume"
            ) from error
        if not isinstance(answer, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise HeadwayError(
                f"The proposer {self._name} returned {type(answer).__name__}, expected the text of an answer. Mend it, "
                "and go on with: headway resume"
            )
        return parse_answer(answer, sorted(context.parent.files))

    def close(self) -> None:
        """Do nothing: a call is over when it returns."""


@final
class AgentProposer(Proposer):
    """Let a command-line agent edit the parent's files, in a folder that holds these alone and the task.

    `environment` is added to that of the agent.
    """

    def __init__(
        self,
        command: str,
        *,
        seconds: float = _AGENT_SECONDS,
        prompt_tokens: int = _PROMPT_TOKENS,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._mark = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._lock = threading.Lock()
        self._running = 0
        self._closed = False
        self._agent = CommandAgent(command, environment={**os.environ, **environment, _MARK: self._mark})
        self._seconds = seconds
        self._prompt_tokens = prompt_tokens

    @property
    def name(self) -> str:
        """Return the command."""
        return self._agent.name

    def propose(self, context: Context) -> Proposed:
        """Lay the files out, run the agent, and read what it changed."""
        with tempfile.TemporaryDirectory(prefix="headway-agent-", ignore_cleanup_errors=True) as place:
            folder = Path(place)
            _write(folder, context.parent.files)
            prompt = prompt_of(context, tokens=self._prompt_tokens)
            task = f"{_TASK}\n\n{prompt}"
            with self._counted():
                ended = self._agent.edit(folder, task, seconds=self._seconds)
            changed = _changed(folder, context.parent.files)
        if not changed:
            limit = f"was ended at its limit of {self._seconds:.0f} s"
            how = limit if ended.timed_out else f"ended with exit code {ended.code}"
            last = ended.output.strip().splitlines()[-1:] or ["nothing"]
            text = f"The agent {how} and changed none of the files. It said last: {last[0][:200]}"
            raise UsageError(text) if ended.ok else ModelError(f"{text}. Run {self.name} by hand to see why.")
        note = next((line for line in reversed(ended.output.splitlines()) if line.lower().startswith("idea:")), "")
        return Proposed(note=note[5:].strip()[:200], files=changed, seconds=ended.seconds)

    def close(self) -> None:
        """End the agents that still run, and all that they started; no other one begins."""
        self._closed = True
        deadline = time.monotonic() + _END_SECONDS
        while self._running and time.monotonic() < deadline:
            processes.end_carrying(f"{_MARK}={self._mark}")
            time.sleep(0.01)

    @contextlib.contextmanager
    def _counted(self) -> Generator[None]:
        """Count an agent while it runs. Raise `ModelError` once nobody waits for it any more."""
        with self._lock:
            self._running += 1
        try:
            if self._closed:
                raise ModelError(f"{self.name} is not asked any more, as the session has ended.")
            yield
        finally:
            with self._lock:
                self._running -= 1


_TASK = (
    "Edit the files in this folder: make one change that should improve the metric, and save it. Change no other "
    "files, and run nothing that takes long: your change is measured afterwards. Print one last line that begins with "
    "'Idea:' and says what you changed."
)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode())


def _changed(folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    """Return the new texts of files that were changed; links, what is no text, or gone, or huge, count as unchanged."""
    found: dict[str, str] = {}
    for path, text in files.items():
        place = folder / path
        if place.resolve() != folder.resolve() / path or not place.is_file() or place.stat().st_size > _LARGEST_BYTES:
            continue
        try:
            now = place.read_bytes().decode()
        except (UnicodeDecodeError, OSError):
            continue
        if now != text:
            found[path] = now
    return found
