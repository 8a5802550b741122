"""A study and its trials written through Headway's store, as the engine writes them, without running anything."""

from headway.core import Role, TrialState
from headway.store import Store

__all__ = ["METRIC", "add_study", "begin_trial", "end_trial"]

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


def begin_trial(store: Store, study: int, number: int) -> tuple[int, int]:
    """Write that a new candidate was proposed and that its first trial runs, in one transaction, as the launcher does.

    Return the ids of the trial and of the attempt at it.
    """
    config = {"lr": 1e-3 * (number + 1), "layers": number % 7}
    with store.database.write():
        candidate = store.studies.add_candidate("train", config)
        store.studies.propose(study, number, candidate, "random")
        attempt = store.trials.begin_new(candidate, 0, study, Role.SEARCH, number, _RECORD)
    return attempt.trial, attempt.id


def end_trial(store: Store, trial: int, attempt: int, value: float) -> None:
    """Write the end of an attempt and of its trial with a final value, in one transaction, as the recorder does."""
    with store.database.write():
        store.trials.end_attempt(attempt, "complete", wall_seconds=1.0, cpu_seconds=1.0, peak_memory_bytes=0)
        store.trials.end(trial, TrialState.COMPLETE, value=value, metrics={METRIC: value}, step=1, horizon=1)
