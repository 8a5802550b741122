"""What a running study has come to, as its observers count it: trials done, the best, what is left, the time to go."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from headway.core import Budget, Role, Spent, TrialState, better
from headway.engine import Assignment
from headway.interfaces.cli.curves import sparkline
from headway.interfaces.cli.words import change_text, number_text, seconds_text, state_text, styled
from headway.store import Point, Store, TrialRecord
from headway.studies import Declaration

__all__ = ["Before", "Curve", "Tally", "change_of", "role_text"]

_LONGEST = 2048  # points kept of a running trial; every second one goes when there are more


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """Hold what earlier sessions of a study did: what they executed and spent, the baseline's run and the best."""

    executed: int = 0
    unfinished: frozenset[int] = frozenset()
    seconds: float = 0.0
    mean_seconds: float | None = None
    start: TrialRecord | None = None
    best: TrialRecord | None = None

    @classmethod
    def of(cls, store: Store, name: str) -> "Before":
        """Read it from the record; nothing, where the study is new."""
        study = store.studies.find(name)
        if study is None:
            return cls()
        tally = store.places.tally(study.id)
        ranked = store.places.best(study.id, study.direction, 1, Role.SEARCH)
        start = next((place.trial for place in store.places.of_numbers(study.id, [0])), None)
        going = [state for state in TrialState if not state.ended]
        return cls(
            executed=tally.executed,
            unfinished=frozenset(
                place.trial.id for state in going for place in store.places.of_study(study.id, state=state)
            ),
            seconds=store.studies.spent(study.id).seconds,
            mean_seconds=tally.ended_seconds / tally.executed_ended if tally.executed_ended else None,
            start=start if start is not None and start.state == TrialState.COMPLETE else None,
            best=store.trials.get(ranked[0].trial) if ranked else None,
        )


@dataclass(slots=True)
class Curve:
    """Hold a running trial: what it is for, since when, and the curve to draw, thinned where it is long."""

    assignment: Assignment
    began: float
    step: int | None = None
    metric: str = ""
    values: list[float] = field(default_factory=list[float])

    def take(self, points: Sequence[Point], objective: str) -> None:
        """Take in points: those of the objective where it is logged, else of the first metric."""
        for point in points:
            self.step = max(self.step or 0, point.step + 1)
            if point.metric != self.metric:
                if self.metric and point.metric != objective:
                    continue
                self.metric, self.values = point.metric, []
            self.values.append(point.value)
        if len(self.values) > _LONGEST:
            self.values = self.values[::2]


class Tally:
    """Count along. Observers show what stands here."""

    def __init__(self, study: Declaration, before: Before) -> None:
        self.study = study
        self.running: dict[int, Curve] = {}
        self.best: TrialRecord | None = None
        self.start: TrialRecord | None = None
        self.horizon: int | None = None
        self.workers = 1
        self.idle_share = 0.0
        self._before = before
        self._began = time.monotonic()
        self._executed = before.executed
        self._ended = self._reused = 0
        self._seconds = 0.0  # of the trials that were executed in this session

    @property
    def objective(self) -> str:
        """Return the metric that decides."""
        return self.study.experiment.metric

    @property
    def done(self) -> int:
        """Count the trials that ended, in this session or from the record."""
        return self._ended

    @property
    def total(self) -> int | None:
        """Return how many trials there can be: the budget and what the record answered; None without such a budget."""
        trials = self.study.budget.trials
        if trials is None:
            return None
        return max(trials + self._reused, self._ended + len(self.running))

    @property
    def left(self) -> Budget:
        """Return what is left of the budget."""
        seconds = self._before.seconds + time.monotonic() - self._began
        return self.study.budget.left(Spent(trials=self._executed, seconds=seconds))

    @property
    def share(self) -> float:
        """Return how far the study is, from 0 to 1, by whichever budget is further."""
        shares = [0.0]
        if self.total:
            shares.append(self.done / self.total)
        if self.study.budget.seconds and self.left.seconds is not None:
            shares.append(1 - self.left.seconds / self.study.budget.seconds)
        return min(1.0, max(shares))

    @property
    def seconds_to_go(self) -> float | None:
        """Estimate the time to go by the mean length of a trial; None where nothing is known yet."""
        estimates: list[float] = []
        executed = self._executed - self._before.executed - len(self.running)
        mean = self._seconds / executed if executed > 0 and self._seconds else self._before.mean_seconds
        if self.total is not None and mean is not None:
            estimates.append((self.total - self.done) * mean / max(1, self.workers))
        if self.left.seconds is not None:
            estimates.append(self.left.seconds)
        return min(estimates, default=None)

    def recalled(self, trials: int) -> str:
        """Count the trials of earlier sessions that stand, and say so in one line."""
        self._ended += trials
        self.start, self.best = self._before.start, self._before.best or self._before.start
        return f"{trials} {'trial stands' if trials == 1 else 'trials stand'} in the record."

    def started(self, trial: int, assignment: Assignment) -> None:
        """Count a trial that runs now."""
        self._executed += trial not in self._before.unfinished
        self.running[trial] = Curve(assignment, time.monotonic())

    def progressed(self, trial: int, points: Sequence[Point]) -> None:
        """Take in what a trial logged."""
        if trial in self.running:
            self.running[trial].take(points, self.objective)

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> str:
        """Count a trial that ended, and say so in one line."""
        curve = self.running.pop(trial.id, None)
        self._ended += 1
        self._reused += reused
        self.horizon = trial.horizon or self.horizon
        self._seconds += 0.0 if reused else trial.wall_seconds
        self._compare(trial, assignment)
        return self._line(trial, assignment, curve, reused=reused)

    def tick(self, workers: int, idle_share: float) -> None:
        """Take in how busy the engine is."""
        self.workers, self.idle_share = workers, idle_share

    def facts(self) -> list[str]:
        """Return where the study stands, in a few short texts."""
        total = "" if self.total is None else f"/{self.total}"
        texts = [f"{self.done}{total} trials"]
        if self.best is not None:
            start = None if self.start is None else self.start.value
            against = f" (baseline {number_text(start)})" if self.best is not self.start else " (the baseline)"
            texts.append(f"best {self.objective} {number_text(self.best.value)}{against}")
        if self.study.budget.seconds is not None:
            texts.append(f"{seconds_text(self.left.seconds)} of the budget left")
        elif self.left.trials is not None:
            texts.append(f"{self.left.trials} trials left")
        if self.seconds_to_go is not None:
            texts.append(f"about {_rough(self.seconds_to_go)} to go")
        texts.append(f"idle {100 * self.idle_share:.0f} %")
        return texts

    def _compare(self, trial: TrialRecord, assignment: Assignment) -> None:
        if trial.state != TrialState.COMPLETE or trial.value is None or assignment.seed != self.study.seed:
            return
        if assignment.role == Role.BASELINE:
            self.start = trial
        best = self.best.value if self.best is not None else None
        if best is None or better(trial.value, best, self.study.experiment.direction):
            self.best = trial

    def _line(self, trial: TrialRecord, assignment: Assignment, curve: Curve | None, *, reused: bool) -> str:
        total = "" if self.total is None else f"/{self.total}"
        parts = [
            styled(f"[{self.done:>3}{total}]", fg="bright_black"),
            _padded(state_text(str(trial.state)), f"● {trial.state}", 10),
            f"trial {trial.id:<4}",
            f"{role_text(assignment):<11}",
            f"seed {assignment.seed:<2}",
            f"{number_text(None if trial.state == TrialState.FAILED else trial.value):>9}",
            "from the record" if reused else f"{seconds_text(trial.wall_seconds):>8}",
        ]
        if trial.reason is not None:
            parts.append(f"{trial.reason}: {trial.message}"[:160])
        if curve is not None and curve.values:
            parts.append(sparkline(curve.values, 12))
        if trial.reason is None and assignment.role == Role.SEARCH:
            parts.append(change_of(assignment, self.study)[:120])
        return "  ".join(parts).rstrip()


def change_of(assignment: Assignment, study: Declaration) -> str:
    """Return what the candidate of an assignment changes, in one line."""
    code = assignment.note is not None
    return change_text(assignment.config, study.baseline, code=code, note=assignment.note or "")


def role_text(assignment: Assignment) -> str:
    """Say what a trial is for."""
    return str(assignment.role) if assignment.role == Role.BASELINE else f"{assignment.role} #{assignment.number}"


def _rough(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else seconds_text(60 * round(seconds / 60))


def _padded(shown: str, bare: str, size: int) -> str:
    return shown + " " * (size - len(bare))
