"""What all studies keep account of: the budget, how many trials, why some failed, what runs, what was promoted."""

from collections.abc import Mapping
from typing import Any

from headway.core import Budget, Spent, TrialState
from headway.interfaces.agents.answers import number, quoted
from headway.interfaces.agents.candidates import SHORT
from headway.interfaces.agents.whereabouts import engine_alive
from headway.store import Store, StudyRecord, Tally

__all__ = ["budget_json", "counts_json", "failures_json", "promoted_json", "running_json"]

_CAUSES, _RUNNING = 5, 8


def budget_json(study: StudyRecord, spent: Spent) -> dict[str, Any]:
    """Return what is left of the study's budget, by its unit; empty where it has none."""
    given: Mapping[str, Any] = study.settings.get("budget", {})
    if given.get("trials") is None and given.get("seconds") is None:
        return {}
    budget = Budget(trials=given.get("trials"), seconds=given.get("seconds"))
    left = budget.left(spent)
    return {
        name: {"left": number(remaining), "of": whole}
        for name, remaining, whole in (
            ("trials", left.trials, budget.trials),
            ("seconds", left.seconds, budget.seconds),
        )
        if whole is not None
    }


def counts_json(study: StudyRecord, tally: Tally) -> dict[str, int]:
    """Count a study's trials by state; what an engine left running when it died is `interrupted`."""
    counts = {str(state): tally.by_state[state] for state in TrialState if tally.by_state.get(state)}
    if not engine_alive(study) and "running" in counts:
        counts["interrupted"] = counts.pop("running")
    return counts


def failures_json(store: Store, study: StudyRecord) -> list[dict[str, Any]]:
    """Return the causes of failures, the most frequent first."""
    found: list[dict[str, Any]] = []
    for failure in store.places.failures(study.id)[:_CAUSES]:
        trial = store.trials.get(failure.trial, record=False)
        numbers = store.places.numbers_of_failure(study.id, failure.trial, 3)
        found.append(
            {
                "reason": trial.reason,
                "count": failure.count,
                "candidates": [f"#{item}" for item in numbers],
                "message": quoted(trial.message, f"trial {trial.id}", 160),
            }
        )
    return found


def promoted_json(store: Store, study: StudyRecord) -> dict[str, str]:
    """Return what was asked to be built on, and what came of it."""
    return {item.candidate[:SHORT]: item.state for item in store.promotions.of_study(study.id)}


def running_json(store: Store, study: StudyRecord) -> list[dict[str, Any]]:
    """Return the trials that run now."""
    return [
        {
            "candidate": place.trial.candidate[:SHORT],
            "number": place.number,
            "for": str(place.role),
            "seed": place.trial.seed,
            "trial": place.trial.id,
        }
        for place in store.places.of_study(study.id, state=TrialState.RUNNING, limit=_RUNNING)
    ]
