"""Whether structure and knobs are found better together: evolution with both proposers, and with each one alone."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.runner import (
    Context,
    Result,
    Row,
    Sample,
    Table,
    at_least,
    benchmark,
    median,
)
from headway.testing.repositories import committed
from headway.validate import Comparison, Decision, compare_paired

_EXAMPLES = Path(__file__).parents[1] / "examples"
_SECONDS, _QUICK_SECONDS = 240, 40
_JUDGED_SEEDS, _QUICK_JUDGED_SEEDS = 8, 3
_WORKERS = 2
_SEED_STEP = 1000  # the studies of one repeat use fewer seeds than that
_FIRST_JUDGED_SEED = 900_000  # no study runs seeds as high as these
_STRUCTURE = f"function:{_EXAMPLES / 'evolve' / 'structures.py'}:complete"
_TUNE = "tune:near"
_PROPOSERS = {"both": (_STRUCTURE, _TUNE), "structure": (_STRUCTURE,), "knobs": (_TUNE,)}
_NOTES = {
    "baseline": "examples/autoresearch as it is",
    "both": "a scripted model proposes structure, a sampler turns the knobs, in turns",
    "structure": "the scripted model alone",
    "knobs": "the sampler alone",
}
_ALONE = ("structure", "knobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repeat:
    """Hold one repeat: what each study came to, the values of each program by seed, both verdicts."""

    studies: Mapping[str, Mapping[str, Any]]
    values: Mapping[str, Mapping[int, float]]
    verdicts: Mapping[str, Comparison]

    def mean(self, name: str) -> float:
        """Return the mean of a program over the judged seeds."""
        return sum(self.values[name].values()) / len(self.values[name])


@benchmark("structure and knobs together beat each alone at equal seconds, by a verdict on fresh seeds, in each repeat")
def run(context: Context) -> Result:
    """Evolve the demo's task with both proposers and with each alone, and judge what the studies chose side by side."""
    repeats = max(1, context.repeats - 3)  # one takes a quarter of an hour
    return _result(context, [_repeat(context, number, 2 * repeats) for number in range(repeats)])


def _repeat(context: Context, number: int, comparisons: int) -> _Repeat:
    """Run three studies one after the other, each time in another order, and judge their programs."""
    names = [*_PROPOSERS][number % 3 :] + [*_PROPOSERS][: number % 3]
    with context.folder() as folder:
        studies: dict[str, Mapping[str, Any]] = {}
        for name in names:
            context.say(f"repeat {number + 1}: {name}, {context.pick(_SECONDS, _QUICK_SECONDS)} s")
            studies[name] = _study(context, folder / name, name, number)
            context.say(f"{name}: {studies[name]['trials']} trials, {' + '.join(studies[name]['ideas']) or 'nothing'}")
        context.say("the same fresh seeds for all programs")
        values = _judged(context, folder, studies, number)
    better = partial(compare_paired, values["both"], metric="val_bpb", direction="minimize", comparisons=comparisons)
    return _Repeat(studies=studies, values=values, verdicts={name: better(values[name]) for name in _ALONE})


def _study(context: Context, repository: Path, name: str, number: int) -> Mapping[str, Any]:
    _lay_out(repository)
    seconds = context.pick(_SECONDS, _QUICK_SECONDS)
    words = (repository, ",".join(_PROPOSERS[name]), seconds, _WORKERS, 42 + _SEED_STEP * number)
    return context.drive("joint_study", *words, folder=repository.parent, seconds=10 * seconds + 600).data


def _judged(
    context: Context, folder: Path, studies: Mapping[str, Mapping[str, Any]], number: int
) -> dict[str, dict[int, float]]:
    """Return the values of the first program and of the chosen ones, on seeds that no study used."""
    task, programs = _lay_out(folder / "task"), folder / "programs.json"
    programs.write_text(json.dumps({"baseline": {}, **{name: item["files"] for name, item in studies.items()}}))
    seeds = context.pick(_JUDGED_SEEDS, _QUICK_JUDGED_SEEDS)
    first = _FIRST_JUDGED_SEED + _SEED_STEP * number
    found = context.drive("joint_judge", task, programs, first, seeds, _WORKERS, folder=folder, seconds=3600).data
    return {name: {int(seed): value for seed, value in values.items()} for name, values in found.items()}


def _lay_out(folder: Path) -> Path:
    shutil.copytree(_EXAMPLES / "autoresearch", folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return committed(folder)


def _result(context: Context, repeats: Sequence[_Repeat]) -> Result:
    rows = [
        Row(name=name, samples=[Sample(item.mean(name)) for item in repeats], note=note, ours=name == "both")
        for name, note in _NOTES.items()
    ]
    seeds = context.pick(_JUDGED_SEEDS, _QUICK_JUDGED_SEEDS)
    title = f"The program that a study of {context.pick(_SECONDS, _QUICK_SECONDS)} s chose, mean of {seeds} fresh seeds"
    accepted = {name: sum(item.verdicts[name].decision == Decision.ACCEPTED for item in repeats) for name in _ALONE}
    figures: dict[str, float | None] = {"repeats": float(len(repeats))}
    for name in _NOTES:
        figures[f"{name}_val_bpb"] = median([item.mean(name) for item in repeats])
    for name in _PROPOSERS:
        figures[f"{name}_gain"] = median([item.mean("baseline") - item.mean(name) for item in repeats])
        figures[f"{name}_trials"] = median([float(item.studies[name]["trials"]) for item in repeats])
        figures[f"{name}_seconds"] = median([float(item.studies[name]["wall_seconds"]) for item in repeats])
    least = context.pick(len(repeats), 0)
    return Result(
        tables=[Table(title=title, unit="val_bpb", rows=rows)],
        figures={**figures, **{f"accepted_over_{name}": float(accepted[name]) for name in _ALONE}},
        targets={f"accepted_over_{name}": at_least(accepted[name], least) for name in _ALONE},
        notes=[line for number, item in enumerate(repeats, 1) for line in _told(number, item)],
    )


def _told(number: int, repeat: _Repeat) -> list[str]:
    """Say what each study did, and the verdicts."""
    lines = [
        f"Repeat {number}, {name}: {study['trials']} trials of {study['programs']} programs ({study['failed']} failed) "
        f"in {study['wall_seconds']:.0f} s: {' + '.join(study['ideas']) or 'nothing better'}"
        for name, study in repeat.studies.items()
    ]
    return lines + [f"Repeat {number}, both against {name}: {item.sentence}" for name, item in repeat.verdicts.items()]
