"""What the engine asks for and hears back: the Protocol that a study implements, and the values that cross it."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from headway.core import Role
from headway.store import Point, TrialRecord

__all__ = ["Assignment", "Observer", "Work"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Ask for one trial: a candidate, a seed, and its place in the study. Scheduled trials may be stopped early.

    `note` are a proposer's words for a change of code; None for a candidate that changes its configuration alone.
    """

    candidate: str
    config: Mapping[str, Any]
    seed: int
    role: Role
    number: int
    scheduled: bool = False
    note: str | None = None


class Work(Protocol):
    """Say what to run next and take in what came of it. The engine calls it from one thread."""

    def recall(self, stale: Container[int]) -> int:
        """Take in what the record holds of the study, before anything else is asked; return how many trials stand.

        `stale` are the ids of its ended trials whose results do not count today.
        """
        ...

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Take what ends the engine's rest, before the first trial is asked for.

        Call it, from any thread, when something has come that the next trial waited for; else it is found up to a
        twentieth of a second later.
        """
        ...

    def next(self, running: Sequence[Assignment]) -> Assignment | None:
        """Return the next trial to run, or None when there is nothing to start now."""
        ...

    def prepare(self, running: Sequence[Assignment]) -> None:
        """Do what can be done for the next trial while others run; called each turn, so it must not wait."""
        ...

    def begins(self, assignment: Assignment) -> None:
        """Write what the record must hold before the trial: called in the transaction that writes its beginning."""
        ...

    def done(self) -> bool:
        """Tell whether nothing more will come, even once the running trials have ended."""
        ...

    def ended(self, assignment: Assignment, trial: TrialRecord, *, reused: bool) -> None:
        """Take in a trial that has ended, or that the record answered."""
        ...


class Observer(Protocol):
    """Watch the engine: live progress and plain logs implement it."""

    def note(self, text: str) -> None:
        """Hear something worth a line."""
        ...

    def recalled(self, trials: int) -> None:
        """Hear how many trials of earlier sessions stand in the record."""
        ...

    def preparing(self, text: str) -> None:
        """Hear what the engine waits for before the first trial."""
        ...

    def started(self, trial: int, assignment: Assignment) -> None:
        """Hear that a trial runs."""
        ...

    def progressed(self, trial: int, points: Sequence[Point]) -> None:
        """Hear what a trial logged."""
        ...

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> None:
        """Hear that a trial ended."""
        ...

    def tick(self, *, busy: int, workers: int, idle_share: float) -> None:
        """Hear that time passed; comes several times a second."""
        ...
