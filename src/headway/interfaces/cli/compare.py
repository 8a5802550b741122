"""`headway compare`: two trials side by side, and their candidates where one study has both."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import better
from headway.interfaces.agents.results import by_seed, differences
from headway.interfaces.cli.app import command
from headway.interfaces.cli.curves import sparkline
from headway.interfaces.cli.places import open_store, store_flag, trial_numbered
from headway.interfaces.cli.reading import curves_json, progress_of, trial_json
from headway.interfaces.cli.words import (
    Column,
    echo,
    echo_json,
    fact_lines,
    number_text,
    seconds_text,
    state_text,
    styled,
    table_lines,
)

if TYPE_CHECKING:
    from headway.core import Direction
    from headway.interfaces.cli.reading import Progress
    from headway.store import Store, StudyRecord, TrialRecord

__all__ = ["compare"]

_METRICS = 8


@command("Compare two trials and their candidates.")
@click.argument("first", metavar="TRIAL_A")
@click.argument("second", metavar="TRIAL_B")
def compare(first: str, second: str, store: Path | None, as_json: bool) -> None:
    """Compare two trials: configurations, values, curves; and their candidates over all seeds that both ran with.

    One seed each proves nothing: the verdict of a study does.
    """
    with open_store(store) as opened:
        pair = trial_numbered(opened, first), trial_numbered(opened, second)
        shared = _shared(opened, *pair)
        if as_json:
            echo_json(_json(opened, pair, shared))
        else:
            echo(_lines(opened, pair, shared))


_Pair = tuple["TrialRecord", "TrialRecord"]


def _json(store: "Store", pair: _Pair, shared: "list[StudyRecord]") -> dict[str, Any]:
    progress = [progress_of(store, trial) for trial in pair]
    return {
        "trials": [
            {**trial_json(trial), "curves": curves_json(item.curves)}
            for trial, item in zip(pair, progress, strict=True)
        ],
        "config": {name: list(values) for name, values in differences(pair[0].config, pair[1].config).items()},
        "identical_curves": progress[0].curves == progress[1].curves,
        "difference": _difference(pair),
        "studies": [
            {
                "study": study.name,
                "by_seed": [{"seed": seed, "values": values} for seed, values in _by_seed(store, study, pair).items()],
                "verdicts": [
                    {"candidate": item.candidate, "decision": item.decision, "sentence": item.sentence}
                    for item in _verdicts(store, study, pair)
                ],
            }
            for study in shared
        ],
    }


def _lines(store: "Store", pair: _Pair, shared: "list[StudyRecord]") -> list[str]:
    first, second = pair
    names = [styled(f"trial {trial.id}", bold=True) for trial in pair]
    columns = [Column(""), *(Column(name) for name in names)]
    rows = [
        ["state", *(state_text(str(trial.state)) for trial in pair)],
        ["seed", *(str(trial.seed) for trial in pair)],
        ["value", *(number_text(trial.value, 7) for trial in pair)],
        ["time", *(seconds_text(trial.wall_seconds) for trial in pair)],
    ]
    rows += [[name, *map(_value_text, values)] for name, values in differences(first.config, second.config).items()]
    lines = table_lines(columns, rows)
    if first.config == second.config:
        lines.append(styled("The configurations are equal.", fg="bright_black"))
    lines += _curve_lines(*(progress_of(store, trial) for trial in pair), pair=pair)
    for study in shared:
        lines += _study_lines(store, study, pair)
    if not shared:
        metrics = {str(trial.record.get("metric", "")) for trial in pair}
        if len(metrics) > 1:
            lines += ["", "They have different metrics, so their values do not compare."]
    flag = store_flag(store.folder)
    return [*lines, "", *fact_lines([("next", f"headway show {second.id}{flag}")], indent=0)]


def _curve_lines(first: "Progress", second: "Progress", pair: _Pair) -> list[str]:
    shared = [name for name in first.curves if name in second.curves][:_METRICS]
    if not shared:
        return []
    if first.curves == second.curves:
        return ["", "All curves are equal, bit for bit."]
    rows = [
        [
            name,
            *(sparkline(progress.curves[name].values, 24) for progress in (first, second)),
            *(number_text(progress.curves[name].values[-1]) for progress in (first, second)),
        ]
        for name in shared
        if first.curves[name].values and second.curves[name].values
    ]
    a, b = (f"trial {trial.id}" for trial in pair)
    columns = [Column("curve"), Column(a), Column(b), Column("last", right=True), Column("last", right=True)]
    return ["", *table_lines(columns, rows)]


def _study_lines(store: "Store", study: "StudyRecord", pair: _Pair) -> list[str]:
    by_seed = _by_seed(store, study, pair)
    lines = ["", styled(f"{study.name}: {study.metric} by seed ({study.direction})", bold=True)]
    rows = [
        [str(seed), *(number_text(value, 6) for value in values), _which(values, study.direction, pair)]
        for seed, values in by_seed.items()
    ]
    a, b = (f"trial {trial.id}'s" for trial in pair)
    columns = [Column("seed", right=True), Column(a, right=True), Column(b, right=True), Column("better")]
    lines += table_lines(columns, rows, indent=2)
    lines += [f"  {state_text(item.decision)}  {item.sentence}" for item in _verdicts(store, study, pair)]
    return lines


def _shared(store: "Store", first: "TrialRecord", second: "TrialRecord") -> "list[StudyRecord]":
    names = set(store.trials.studies_of(first.id)) & set(store.trials.studies_of(second.id))
    return [study for study in store.studies.all() if study.name in names]


def _by_seed(store: "Store", study: "StudyRecord", pair: _Pair) -> dict[int, tuple[float | None, float | None]]:
    return by_seed(store, study, (pair[0].candidate, pair[1].candidate))


def _verdicts(store: "Store", study: "StudyRecord", pair: _Pair) -> list[Any]:
    candidates = {trial.candidate for trial in pair}
    return [
        item
        for item in store.studies.verdicts(study.id)
        if item.candidate in candidates and (item.baseline in candidates or len(candidates) == 1)
    ]


def _difference(pair: _Pair) -> float | None:
    first, second = pair
    return None if first.value is None or second.value is None else second.value - first.value


def _which(values: tuple[float | None, float | None], direction: "Direction", pair: _Pair) -> str:
    first, second = values
    if first is None or second is None:
        return ""
    if first == second:
        return "equal"
    return f"trial {pair[0 if better(first, second, direction) else 1].id}'s"


def _value_text(value: Any) -> str:
    return number_text(value) if isinstance(value, float) else str(value)
