"""From ended trials to verdicts: finalists against the baseline on fresh seeds, and candidates that change nothing."""

from collections.abc import Callable, Iterable

from headway.store import Store, StudyRecord, TrialRecord
from headway.studies.declaration import Declaration
from headway.studies.gate import Gate
from headway.studies.judging import (
    Judgement,
    compared,
    comparison_data,
    first_change,
    flagged,
    identical,
    of_two_versions,
    race_data,
    trusted,
)
from headway.studies.plan import StudyPlan
from headway.studies.racing import Racing
from headway.studies.stream import Stream
from headway.validate import Standing, compare_noninferior, format_odds

__all__ = ["conclude"]

_MOST_DROPPED = 200  # verdicts on candidates that a race gave up, the last ones


def conclude(
    store: Store,
    record: StudyRecord,
    study: Declaration,
    plan: StudyPlan,
    changed: Callable[[TrialRecord], str | None],
) -> None:
    """Write a study's verdicts, in one transaction; what was decided before and still holds keeps its date.

    `changed` says which file a trial used has changed since it ran: results of two versions are not compared.
    """
    if plan.stream is not None:
        _close_stream(store, record, plan, plan.stream)
        return
    finalists = plan.finalists()
    sides = (plan.baseline, *finalists)
    mixed = first_change((plan.trial(side, seed) for side in sides for seed in plan.fresh_seeds), changed)
    gate = Gate(store, record, study, plan.baseline)
    with store.database.write():  # a test that is counted and the verdict that it allows are written together
        verdicts = {
            name: trusted(_decide(study, plan, gate, name, len(finalists), mixed), study.trust) for name in finalists
        }
        verdicts |= {name: flagged(doubts) for name, doubts in plan.flagged.items()}
        verdicts |= {trial.candidate: identical(trial) for trial in plan.identicals()}
        dropped = {} if plan.racing is None else plan.racing.dropped()
        given_up = [(name, _dropped(item)) for name, item in dropped.items() if name not in verdicts]
        verdicts |= dict(given_up[-_MOST_DROPPED:])
        known = [(item.candidate, item.decision, item.sentence) for item in store.studies.verdicts(record.id)]
        if verdicts and [(name, item.decision, item.sentence) for name, item in verdicts.items()] == known:
            return
        store.studies.clear_verdicts(record.id)
        for name, item in verdicts.items():
            store.studies.decide(record.id, name, plan.baseline, item.decision, item.sentence, item.data)
        if not finalists:
            store.events.add("conclusion", study=record.id, text=_without_finalists(study, plan))
        elif plan.note is not None:
            store.events.add("note", study=record.id, text=plan.note)
        if plan.racing is not None:
            _keep_what_was_learned(store, record, plan.racing)


def _close_stream(store: Store, record: StudyRecord, plan: StudyPlan, stream: Stream) -> None:
    with store.database.write():
        stream.settle()
        stream.close()
        if plan.note is not None:
            store.events.add("conclusion", study=record.id, text=plan.note)
        if plan.racing is not None:
            _keep_what_was_learned(store, record, plan.racing)


def _keep_what_was_learned(store: Store, record: StudyRecord, racing: Racing) -> None:
    if (learned := racing.learned()) is not None:
        store.events.add("race", study=record.id, **learned)
    if (moved := racing.drift()) is not None:
        text = (
            f"The baseline moved by {moved.change:.3g} from its run {moved.since + 1} on, more than chance allows "
            f"({format_odds(moved.log_e)}): something beside the seed has changed. Its later runs are no fair control."
        )
        store.events.add("note", study=record.id, text=text)


def _dropped(standing: Standing) -> Judgement:
    runs, chance, data = race_data(standing)
    if standing.state == "superseded":
        sentence = f"Not confirmed: the race kept it after {runs}, and later one that is better."
        return Judgement(decision="undecided", sentence=sentence, data=data)
    sentence = f"Not kept: after {runs}, the race gives it a chance of {chance} to beat what it keeps."
    return Judgement(decision="rejected", sentence=sentence, data=data)


def _decide(
    study: Declaration, plan: StudyPlan, gate: Gate, candidate: str, finalists: int, mixed: str | None
) -> Judgement:
    if mixed is not None:
        return of_two_versions(mixed)
    ours, theirs = plan.values(candidate), plan.values(plan.baseline)
    shared = sorted(ours.keys() & theirs.keys())
    if len(shared) < 2:
        sentence = _why_unmeasured(study, plan, candidate)
        return Judgement(decision="undecided", sentence=sentence, data={"pairs": len(shared)})
    if study.margin is not None:
        return _as_good(study, plan, candidate, finalists, study.margin)
    trials = [plan.trial(candidate, seed) for seed in plan.fresh_seeds]
    comparison, data = compared(study, gate, candidate, ours, theirs, trials, comparisons=finalists)
    return Judgement(decision=str(comparison.decision), sentence=comparison.sentence, data=data)


def _as_good(study: Declaration, plan: StudyPlan, candidate: str, candidates: int, margin: float) -> Judgement:
    """Ask whether a candidate is as good as the baseline, within the margin, and takes less time."""
    ours, theirs = plan.values(candidate), plan.values(plan.baseline)
    found = compare_noninferior(
        ours,
        theirs,
        margin,
        candidate_cost=_seconds(plan, candidate, ours),
        baseline_cost=_seconds(plan, plan.baseline, theirs),
        metric=study.experiment.metric,
        cost="seconds",
        direction=study.experiment.direction,
        level=study.level,
        comparisons=candidates,
    )
    data = comparison_data(found.quality) | {
        "seeds": sorted(ours.keys() & theirs.keys()),
        "cost_seconds": _cost(plan, candidate),
        "margin": margin,
        "cost_ratio": found.cost_ratio,
        "cost_low": found.cost_low,
        "cost_high": found.cost_high,
    }
    return Judgement(decision=str(found.decision), sentence=found.sentence, data=data)


def _seconds(plan: StudyPlan, candidate: str, seeds: Iterable[int]) -> dict[int, float]:
    found = {seed: plan.trial(candidate, seed) for seed in seeds}
    return {seed: trial.wall_seconds for seed, trial in found.items() if trial is not None}


def _cost(plan: StudyPlan, candidate: str) -> float:
    trials = [plan.trial(candidate, seed) for seed in plan.fresh_seeds]
    return sum(trial.wall_seconds for trial in trials if trial is not None)


def _why_unmeasured(study: Declaration, plan: StudyPlan, candidate: str) -> str:
    first, start = plan.first_trial(candidate), plan.first_trial(plan.baseline)
    seen = ""
    if first is not None and start is not None and first.value is not None and start.value is not None:
        seen = f" One run each gave {first.value:.6g} against {start.value:.6g}."
    if not study.experiment.has_seed_channel:
        return f"Undecided: no seed reaches the experiment, so its noise is unknown.{seen} Use {{seed}} in the command."
    failed = [plan.trial(candidate, seed) for seed in plan.fresh_seeds]
    reasons = sorted({str(trial.reason) for trial in failed if trial is not None and trial.reason is not None})
    why = f" ({', '.join(reasons)})" if reasons else ""
    return f"Undecided: fewer than two pairs of fresh seeds ran to their end{why}.{seen}"


def _without_finalists(study: Declaration, plan: StudyPlan) -> str:
    if plan.note is not None:
        return plan.note
    if not study.experiment.space.parameters:
        return _baseline_alone(study, plan)
    return "No candidate ran to its end with another result than the baseline's, so there is nothing to confirm."


def _baseline_alone(study: Declaration, plan: StudyPlan) -> str:
    trials = [plan.trial(plan.baseline, seed) for seed in (study.seed, *plan.fresh_seeds)]
    values = [trial.value for trial in trials if trial is not None and trial.value is not None]
    if trials[0] is None or not values:
        return "Only the baseline ran, as there is no parameter to vary, and it reached no value."
    reached = ", ".join(f"{value:.6g}" for value in values)
    others = {name: value for name, value in trials[0].metrics.items() if name != study.experiment.metric}
    beside = ", ".join(f"{name} {value:.6g}" for name, value in others.items())
    return f"{study.experiment.metric} {reached}{beside and f' ({beside})'}. Only the baseline ran: nothing varies."
