"""A study and its trials written through Headway's store, as the engine writes them, without running anything."""

from headway.core import Role, TrialState
from headway.store import Store

__all__ = ["METRIC", "add_study", "begin_trial", "end_trial", "propose"]

METRIC = "loss"
_RECORD = {"machine": "bench"}


def add_study(store: Store, name: str = "bench") -> int:
    """Create a study and return its id."""
    study = store.studies.create(
        name=name,
        definition={"baseline": {}},
        settings={},
        source="study.py",
        experiment="train",
        metric=METRIC,
        direction="minimize",
    )
    return study.id


def propose(store: Store, study: int, number: int) -> str:
    """Write a candidate and who proposed it, in one transaction, as a plan does; return its id."""
    with store.database.write():
        candidate = store.studies.add_candidate("train", {"lr": 1e-3 * (number + 1), "layers": number % 7})
        store.studies.propose(study, number, candidate, "random")
    return candidate


def begin_trial(store: Store, study: int, number: int, candidate: str) -> tuple[int, int]:
    """Write a trial, its place in the study and an attempt at it, in one transaction, as the launcher does."""
    with store.database.write():
        trial = store.trials.create(candidate, seed=0)
        store.places.add(study, trial, Role.SEARCH, number, reused=False)
        return trial, store.trials.begin(trial, study, f"runs/{trial}/1", _RECORD)


def end_trial(store: Store, trial: int, attempt: int, value: float) -> None:
    """Write the end of an attempt and of its trial with a final value, in one transaction, as the recorder does."""
    with store.database.write():
        store.trials.end_attempt(attempt, "complete", wall_seconds=1.0, cpu_seconds=1.0, peak_memory_bytes=0)
        store.trials.end(trial, TrialState.COMPLETE, value=value, metrics={METRIC: value}, step=1, horizon=1)
