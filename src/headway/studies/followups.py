"""Studies that ask further about what a study accepted: which of its changes count, what it is worth at equal compute,
and what is the cheapest that still does it.

Each is a study of its own beside the first, with its own verdicts, and is rebuilt from its definition to go on.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headway.core import Budget, NothingToDo, TrialState, UsageError, exists
from headway.store import RankedTrial, Store, StudyRecord, is_accepted
from headway.studies.declaration import Declaration
from headway.studies.study import Study

__all__ = ["Cheaper", "ablation", "accepted_candidate", "cheapest", "equal_compute", "rebuilt", "simple_search"]

_EQUAL_COST = 1.05  # a candidate that costs at most so many times the baseline's seconds has nothing to be matched
_RANKED = 500
Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheaper:
    """Hold one way to the accepted result at less cost: a candidate of the study, and its seconds as a share."""

    config: Config
    share: float


def accepted_candidate(store: Store, record: StudyRecord) -> dict[str, Any]:
    """Return the configuration that the study accepted with the largest effect, or raise `NothingToDo`."""
    accepted = [item for item in store.studies.verdicts(record.id) if is_accepted(item.decision)]
    if not accepted:
        raise NothingToDo(
            f"The study {record.name!r} has accepted nothing yet, so there is nothing to ask further. "
            f"See: headway show {record.name}"
        )
    best = max(accepted, key=lambda item: item.data.get("effect") or 0.0)
    return dict(store.studies.candidate(best.candidate).config)


def ablation(store: Store, record: StudyRecord, study: Declaration, *, seeds: int | None = None) -> Study:
    """Return the study that takes each change of the accepted candidate back, one at a time.

    Its baseline is the accepted candidate. A candidate that is rejected there was worse without its change: that change
    earns its place. Parameters that exist only under another's value go with that one.
    """
    full = accepted_candidate(store, record)
    without = list(_leave_one_out(study, full))
    if len(without) < 2:
        raise NothingToDo(
            f"The accepted candidate of {record.name!r} has one change, and the study has judged that one already."
        )
    return _follow(study, "ablation", full, [config for _, config in without], seeds)


def ablated_parameter(study: Declaration, full: Config, config: Config) -> str:
    """Return which parameter a candidate of an ablation took back."""
    return next((name for name, found in _leave_one_out(study, full) if found == dict(config)), "")


def equal_compute(store: Store, record: StudyRecord, study: Declaration, *, by: str, seeds: int | None = None) -> Study:
    """Return the study of the accepted candidate against a baseline that gets as much compute.

    `by` names the numeric parameter that buys compute (steps, width, samples): the baseline's is raised by as many
    times as the candidate's trials took longer.
    """
    full, parameter = accepted_candidate(store, record), study.experiment.space.parameters.get(by)
    if parameter is None or not isinstance(study.baseline.get(by), int | float):
        numeric = [name for name, value in study.baseline.items() if type(value) in (int, float)]
        raise UsageError(
            f"{by!r} is no numeric parameter of {record.name!r} that could buy compute. There are: "
            f"{', '.join(numeric) or 'none'}."
        )
    ratio = _seconds(store, record, full) / _seconds(store, record, study.baseline)
    if ratio <= _EQUAL_COST:
        raise NothingToDo(
            f"The accepted candidate takes {ratio:.2f} times the baseline's seconds a run: they were compared at equal "
            "compute."
        )
    value = study.baseline[by] * ratio
    matched = {**study.baseline, by: round(value) if isinstance(study.baseline[by], int) else value}
    if (problem := parameter.problem(matched[by])) is not None:
        raise UsageError(
            f"The accepted candidate takes {ratio:.2f} times the baseline's seconds a run; the baseline would need "
            f"{by} = {matched[by]:.6g}, which the space does not allow: {problem}. Widen it there."
        )
    return _follow(study, "equal-compute", matched, [full], seeds)


def simple_search(store: Store, record: StudyRecord, study: Declaration) -> Study:
    """Return a random search over the same space with the trials that the study has spent: the simple method's turn."""
    spent = store.places.tally(record.id).executed
    control = Study(
        study.experiment,
        name=f"{study.name}-random",
        baseline=study.baseline,
        sampler="random",
        scheduler="full",
        budget=Budget(trials=max(spent, study.smallest)),
        seeds=study.seeds,
        finalists=study.finalists,
        seed=study.seed,
        level=study.level,
        workers=study.workers,
    )
    control.source, control.follows = study.source, {"study": study.name, "kind": "random"}
    return control


def cheapest(
    store: Store, record: StudyRecord, study: Declaration, *, margin: float, most: int = 4, seeds: int | None = None
) -> Study:
    """Return the study that looks for the cheapest candidate that is as good as the accepted one, within a `margin`.

    `margin`, in the metric's units, is how much worse still counts as good. Its candidates are those of the study that
    ran to the end in less time and within that of the accepted one's value, the cheapest `most` of them; one run each
    is no proof, so the new study tests each for non-inferiority on fresh seeds.
    """
    full = accepted_candidate(store, record)
    found = _cheaper(store, record, full, margin)[:most]
    if not found:
        raise NothingToDo(
            f"No candidate of {record.name!r} ran to the end in less time and within {margin:g} of the accepted one's "
            f"{record.metric}. Let it search on, or give a larger --margin."
        )
    return _follow(study, "cheaper", full, [item.config for item in found], seeds, margin=margin)


def rebuilt(study: Declaration, record: StudyRecord) -> Study:
    """Return the follow-up that a record holds, from its definition and the `study` that it follows."""
    definition = record.definition
    given = definition.get("candidates")
    proposed: dict[str, Any] = {"candidates": given} if given else {"sampler": definition["sampler"]}
    again = Study(
        study.experiment,
        name=record.name,
        baseline=definition["baseline"],
        **proposed,
        scheduler=definition["scheduler"],
        budget=Budget(**record.settings["budget"]),
        rule=definition.get("rule", "finalists"),
        seeds=definition["seeds"],
        finalists=definition["finalists"],
        seed=definition["seed"],
        level=definition["level"],
        margin=definition.get("margin"),
        workers=study.workers,
    )
    again.source, again.follows = study.source, definition["follows"]
    return again


def _follow(
    study: Declaration,
    kind: str,
    baseline: Config,
    candidates: Sequence[Config],
    seeds: int | None,
    margin: float | None = None,
) -> Study:
    """Return a study of these candidates. Its seeds are others than those by which the first study chose."""
    follow_up = Study(
        study.experiment,
        name=f"{study.name}-{kind}",
        baseline=baseline,
        candidates=candidates,
        rule="every",
        seeds=seeds or study.seeds,
        seed=max(study.fresh_seeds) + 1,
        level=study.level,
        margin=margin,
        workers=study.workers,
    )
    follow_up.source, follow_up.follows = study.source, {"study": study.name, "kind": kind}
    return follow_up


def _leave_one_out(study: Declaration, full: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    base, space = study.baseline, study.experiment.space
    for name in space.parameters:
        if name in full and name in base and full[name] != base[name]:
            config: dict[str, Any] = dict(space.constants)
            for other, parameter in space.parameters.items():
                if exists(parameter, config):
                    sources = (base, full) if other == name or other not in full else (full, base)
                    found = next((source[other] for source in sources if other in source), parameter.at(0.5))
                    config[other] = found
            yield name, space.check(config)


def _cheaper(store: Store, record: StudyRecord, full: Config, margin: float) -> list[Cheaper]:
    """Return the candidates that took less time and, seed by seed, came within the margin of the accepted one."""
    sign = 1.0 if record.direction == "maximize" else -1.0
    goal, seconds = {run.seed: run.value for run in _runs(store, record, full)}, _seconds(store, record, full)
    runs: dict[str, list[RankedTrial]] = {}
    for item in store.places.best(record.id, record.direction, _RANKED):
        if item.seed in goal:
            runs.setdefault(item.candidate, []).append(item)
    found = [
        Cheaper(config=own[0].config, share=statistics.median(item.seconds for item in own) / seconds)
        for own in runs.values()
        if dict(own[0].config) != dict(full)
        and statistics.fmean(sign * (item.value - goal[item.seed]) for item in own) > -margin
    ]
    return sorted((item for item in found if item.share < 1), key=lambda item: item.share)


@dataclass(frozen=True, slots=True)
class _Run:
    seed: int
    value: float
    seconds: float


def _runs(store: Store, record: StudyRecord, config: Config) -> list[_Run]:
    """Return the complete runs of a configuration."""
    number = next(
        (item.number for item in store.studies.proposals(record.id) if dict(item.config) == dict(config)), None
    )
    places = [] if number is None else store.places.of_numbers(record.id, [number])
    return [
        _Run(place.trial.seed, place.trial.value, place.trial.wall_seconds)
        for place in places
        if place.trial.state == TrialState.COMPLETE and place.trial.value is not None
    ]


def _seconds(store: Store, record: StudyRecord, config: Config) -> float:
    return statistics.median(run.seconds for run in _runs(store, record, config))
