"""Observers without a terminal: plain lines, and silence."""

import sys
from collections.abc import Sequence

from headway.engine import Assignment
from headway.store import Point, TrialRecord

__all__ = ["PlainObserver", "QuietObserver", "describe_end"]


class QuietObserver:
    """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def recalled(self, trials: int) -> None:
        """Say nothing."""

    def preparing(self, text: str) -> None:
        """Say nothing."""

    def started(self, trial: int, assignment: Assignment) -> None:
        """Say nothing."""

    def progressed(self, trial: int, points: Sequence[Point]) -> None:
        """Say nothing."""

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> None:
        """Say nothing."""

    def tick(self, *, busy: int, workers: int, idle_share: float) -> None:
        """Say nothing."""


class PlainObserver(QuietObserver):
    """Write a line to standard error for each trial that ends."""

    def note(self, text: str) -> None:
        """Write the note."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    def recalled(self, trials: int) -> None:
        """Write how many trials need not run again."""
        self.note(f"{trials} {'trial stands' if trials == 1 else 'trials stand'} in the record.")

    def preparing(self, text: str) -> None:
        """Write what is waited for."""
        if text:
            self.note(f"{text} ...")

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> None:
        """Write how the trial ended."""
        self.note(describe_end(trial, assignment, reused=reused))


def describe_end(trial: TrialRecord, assignment: Assignment, *, reused: bool) -> str:
    """Say in one line how a trial ended."""
    whose = f"{assignment.role} #{assignment.number}" if assignment.number else str(assignment.role)
    what = f"trial {trial.id:>4}  {whose:<12}  seed {trial.seed:<3}"
    value = "" if trial.value is None else f"  {trial.value:.5g}"
    how = "from the record" if reused else f"{trial.wall_seconds:.1f} s"
    why = f"  {trial.reason}: {trial.message}" if trial.reason is not None else ""
    return f"{what}  {trial.state:<8}{value}  {how}{why}"[:200]
