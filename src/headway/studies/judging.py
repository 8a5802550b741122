"""What all rules for verdicts share: the comparison with its gate, and the sentences of what needs none."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from headway.store import TrialRecord, is_accepted
from headway.studies.declaration import Declaration
from headway.studies.gate import Gate
from headway.validate import Comparison, Standing, compare_paired

__all__ = [
    "Judgement",
    "compared",
    "comparison_data",
    "first_change",
    "flagged",
    "identical",
    "of_two_versions",
    "race_data",
    "trusted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Hold a verdict before it is written: what was decided, why in a sentence, and the numbers, as JSON."""

    decision: str
    sentence: str
    data: Mapping[str, Any]


def compared(
    study: Declaration,
    gate: Gate,
    candidate: str,
    ours: Mapping[int, float],
    theirs: Mapping[int, float],
    trials: Iterable[TrialRecord | None],
    *,
    comparisons: int = 1,
) -> tuple[Comparison, dict[str, Any]]:
    """Compare a candidate's values with a baseline's, by seed, as far as the gate lets it pass.

    `trials` are those that the comparison cost; `comparisons` how many candidates are judged together. Called in a
    transaction, as the gate counts its test. Returns the comparison, and all that is kept with the verdict.
    """
    experiment = study.experiment
    comparison = compare_paired(
        ours,
        theirs,
        metric=experiment.metric,
        direction=experiment.direction,
        level=study.level,
        comparisons=comparisons,
    )
    comparison, found = gate.passed(candidate, comparison, ours, theirs)
    cost = sum(trial.wall_seconds for trial in trials if trial is not None)
    seeds = sorted(ours.keys() & theirs.keys())
    return comparison, comparison_data(comparison) | {"seeds": seeds, "cost_seconds": cost} | found


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison's numbers, without its words."""
    return {name: value for name, value in asdict(comparison).items() if name not in ("decision", "sentence")}


def identical(trial: TrialRecord) -> Judgement:
    """Say that a candidate changes nothing."""
    sentence = f"Identical: with seed {trial.seed} it gives the baseline's curves, bit for bit."
    return Judgement(decision="identical", sentence=sentence, data={})


def first_change(trials: Iterable[TrialRecord | None], changed: Callable[[TrialRecord], str | None]) -> str | None:
    """Return the first change of a file since a trial used it; None where all trials are of today's files."""
    found = (changed(trial) for trial in trials if trial is not None)
    return next((change for change in found if change is not None), None)


def of_two_versions(change: str) -> Judgement:
    """Say that nothing is compared, as a file changed during the study."""
    what = change.removesuffix(" while the trial ran")
    sentence = f"Undecided: {what} during the study, so its trials are of two versions. Run it again to decide."
    return Judgement(decision="undecided", sentence=sentence, data={})


def race_data(standing: Standing) -> tuple[str, str, dict[str, Any]]:
    """Return how many runs a race gave a candidate and its chance to be better, both in words, and as JSON."""
    runs = f"{standing.runs} run{'' if standing.runs == 1 else 's'}"
    chance = f"{100 * standing.better:.0f} %" if standing.better >= 0.005 else "under 1 %"
    return runs, chance, {"runs": standing.runs, "chance_better": standing.better}


def flagged(doubts: Sequence[str]) -> Judgement:
    """Say what speaks against a score, so that a person looks."""
    more = f" (and {len(doubts) - 1} more)" if len(doubts) > 1 else ""
    sentence = f"Flagged: {doubts[0].rstrip('.')}{more}. Its score is not believed before a person has looked."
    return Judgement(decision="flagged", sentence=sentence, data={"doubts": list(doubts)})


def trusted(judgement: Judgement, trust: str | None) -> Judgement:
    """Say in a verdict how far its scores are to be trusted; nobody's code needs it where a person wrote it all."""
    if trust is None:
        return judgement
    decision, sentence = judgement.decision, judgement.sentence
    if is_accepted(decision):
        decision = f"{decision} ({trust})"
        sentence = f"{sentence.removesuffix('.')} ({trust})."
    elif f"({trust})" not in sentence:
        sentence = f"{sentence} Trust: {trust}."
    return Judgement(decision=decision, sentence=sentence, data={**judgement.data, "trust": trust})
