"""Decisions at rungs: what the scheduler says of a trial that waits, written down so that a later session knows it."""

import math
from collections.abc import Callable, Container

from headway.core import Reason
from headway.engine.attempt import Attempt
from headway.engine.schedulers import Scheduler
from headway.store import Store, StudyRecord

__all__ = ["Rungs"]


class Rungs:
    """Answer trials that wait at a rung."""

    def __init__(self, store: Store, study: StudyRecord, scheduler: Scheduler, note: Callable[[str], None]) -> None:
        self._store = store
        self._study = study
        self._scheduler = scheduler
        self._note = note
        self._warned = False

    @property
    def fractions(self) -> tuple[float, ...]:
        """Return the rungs as fractions of a full run."""
        return self._scheduler.rungs

    def recall(self, stale: Container[int]) -> None:
        """Tell the scheduler what was decided in earlier sessions, but for trials that do not count any more."""
        if not self._scheduler.rungs:
            return
        for event in self._store.events.of_study(self._study.id, kinds=("rung",)):
            trial = event.trial
            if trial is not None and trial not in stale and self._store.places.has(self._study.id, trial):
                self._scheduler.recall(trial, event.data["rung"], event.data["value"])

    def recall_trial(self, trial: int) -> None:
        """Tell the scheduler what was decided of one trial, which the record answered."""
        if self._scheduler.rungs:
            for event in self._store.events.of_trial(trial):
                if event.kind == "rung" and event.study == self._study.id:
                    self._scheduler.recall(trial, event.data["rung"], event.data["value"])

    def answer(self, trial: int, attempt: Attempt, step: int) -> None:
        """Let a trial go on that waits at a step, or stop it."""
        if step in attempt.decided:
            return
        attempt.decided.add(step)
        progress = attempt.follower.progress
        rung = self._index(progress.horizon or 0, step)
        value = progress.value_at(self._study.metric, step)
        if value is None and progress.restored is not None:
            value = self._earlier(trial, step)
        go_on = self._scheduler.decide(trial, rung, value)
        shown = value if value is not None and math.isfinite(value) else None
        self._store.events.add(
            "rung", study=self._study.id, trial=trial, rung=rung, step=step, go_on=go_on, value=shown
        )
        if value is None:
            self._warn(trial, step)
        if go_on:
            attempt.follower.grant(step + 1)
        elif value is not None and not math.isfinite(value):
            attempt.stop(Reason.NOT_FINITE)
        else:
            attempt.stop(Reason.SCHEDULER)

    def _earlier(self, trial: int, step: int) -> float | None:
        """Return what an earlier attempt logged last within the first `step` steps."""
        curve = self._store.curves.read(trial, self._study.metric).get(self._study.metric)
        if curve is None:
            return None
        return next(
            (value for at, value in zip(curve.steps[::-1], curve.values[::-1], strict=True) if at <= step), None
        )

    def _index(self, horizon: int, step: int) -> int:
        return sum(max(1, math.ceil(horizon * rung)) < step for rung in self._scheduler.rungs)

    def _warn(self, trial: int, step: int) -> None:
        if not self._warned:
            self._warned = True
            metric = self._study.metric
            self._note(
                f"Trial {trial} logged no {metric} by step {step}, so nothing can be decided early: log it in the "
                f"loop, run.log({metric}=...)."
            )
