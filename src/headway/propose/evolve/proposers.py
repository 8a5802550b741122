"""Who proposes changes: a model, a command-line agent, a Python function. Each answers a `Context`."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import final

from headway.core import UsageError
from headway.llm import CommandAgent, Message, Model, Request
from headway.propose.evolve.answers import parse_answer
from headway.propose.evolve.context import Context, Proposed
from headway.propose.evolve.prompt import INSTRUCTIONS, prompt_of

__all__ = ["AgentProposer", "FunctionProposer", "ModelProposer", "Proposer"]

_PROMPT_TOKENS = 12_000
_ANSWER_TOKENS = 8_000
_AGENT_SECONDS = 900.0


class Proposer(ABC):
    """Propose changes of programs. Several threads may ask at once, but where `instant`: then nobody waits for it."""

    instant: bool = False

    @property
    @abstractmethod
    def name(self) -> str:
        """Return who proposes, for the record."""

    @abstractmethod
    def propose(self, context: Context) -> Proposed:
        """Return a change of the parent. Raise `UsageError` for an answer without one, `ModelError` where none came."""


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
        """Call the function. Raise `UsageError` where it returns no text."""
        answer = self._function(prompt_of(context, tokens=self._prompt_tokens), context.seed)
        if not isinstance(answer, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(f"{self._name} returned {type(answer).__name__}. Expected the text of an answer.")
        return parse_answer(answer, sorted(context.parent.files))


@final
class AgentProposer(Proposer):
    """Let a command-line agent edit the parent's files, in a folder that holds these alone and the task."""

    def __init__(
        self, agent: CommandAgent, *, seconds: float = _AGENT_SECONDS, prompt_tokens: int = _PROMPT_TOKENS
    ) -> None:
        self._agent = agent
        self._seconds = seconds
        self._prompt_tokens = prompt_tokens

    @property
    def name(self) -> str:
        """Return the command."""
        return self._agent.name

    def propose(self, context: Context) -> Proposed:
        """Lay the files out, run the agent, and read what it changed."""
        with tempfile.TemporaryDirectory(prefix="headway-agent-") as place:
            folder = Path(place)
            _write(folder, context.parent.files)
            prompt = prompt_of(context, tokens=self._prompt_tokens)
            task = f"{_TASK}\n\n{prompt}"
            ended = self._agent.edit(folder, task, seconds=self._seconds)
            changed = _changed(folder, context.parent.files)
        if not changed:
            how = "was ended at its limit" if ended.timed_out else f"ended with exit code {ended.code}"
            last = ended.output.strip().splitlines()[-1:] or ["nothing"]
            raise UsageError(f"The agent {how} and changed none of the files. It said last: {last[0][:200]}")
        note = next((line for line in reversed(ended.output.splitlines()) if line.lower().startswith("idea:")), "")
        return Proposed(note=note[5:].strip()[:200], files=changed, seconds=ended.seconds)


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
    """Return the new texts of files that were changed; links and what is no text are left as they were."""
    found: dict[str, str] = {}
    for path, text in files.items():
        place = folder / path
        if place.is_file() and not place.is_symlink():
            try:
                now = place.read_bytes().decode()
            except UnicodeDecodeError:
                continue
            if now != text:
                found[path] = now
    return found
