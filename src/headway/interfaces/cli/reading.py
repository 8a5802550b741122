"""What several commands read of a trial: its curves as they stand now, where it is, its JSON form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headway.core import TrialState
from headway.store import Curve, Mark, Point, Store, StudyTrial, TrialRecord, live_items

__all__ = ["Progress", "curves_json", "place_json", "progress_of", "trial_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Hold a trial's curves and how far it is, the points of a running attempt included."""

    curves: Mapping[str, Curve]
    step: int | None
    horizon: int | None

    @property
    def text(self) -> str:
        """Return how far it is, as step/horizon."""
        if self.step is None:
            return ""
        return f"{self.step}/{self.horizon}" if self.horizon else str(self.step)


def progress_of(store: Store, trial: TrialRecord) -> Progress:
    """Read a trial's curves; those of a running one from the run log that it writes at this moment."""
    if trial.state != TrialState.RUNNING:
        return Progress(curves=store.curves.read(trial.id), step=trial.step, horizon=trial.horizon)
    items: list[Point | Mark] = []
    for attempt in store.trials.attempts(trial.id):
        if attempt.ended is None:
            items += live_items(store.folder, attempt)
    points = [item for item in items if isinstance(item, Point)]
    horizons = [int(item.data["steps"]) for item in items if isinstance(item, Mark) and item.kind == "horizon"]
    return Progress(
        curves=store.curves.read(trial.id, live=points),
        step=max((point.step + 1 for point in points), default=trial.step),
        horizon=horizons[-1] if horizons else trial.horizon,
    )


def trial_json(trial: TrialRecord) -> dict[str, Any]:
    """Return a trial as JSON, without what only `show` needs."""
    return {
        "trial": trial.id,
        "candidate": trial.candidate,
        "config": dict(trial.config),
        "seed": trial.seed,
        "state": str(trial.state),
        "reason": trial.reason,
        "message": trial.message,
        "value": trial.value,
        "metrics": dict(trial.metrics),
        "step": trial.step,
        "horizon": trial.horizon,
        "wall_seconds": trial.wall_seconds,
        "cpu_seconds": trial.cpu_seconds,
        "peak_memory_bytes": trial.peak_memory_bytes,
        "created": trial.created,
        "started": trial.started,
        "ended": trial.ended,
    }


def place_json(place: StudyTrial) -> dict[str, Any]:
    """Return a trial and its place in a study as JSON."""
    return {
        **trial_json(place.trial), "role": str(place.role), "number": place.number, "reused": place.reused
    }  # fmt: skip


def curves_json(curves: Mapping[str, Curve]) -> dict[str, Any]:
    """Return curves as JSON."""
    return {name: {"steps": list(curve.steps), "values": list(curve.values)} for name, curve in curves.items()}
