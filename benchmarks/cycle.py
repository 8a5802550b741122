"""What a trial costs around its first step: a torch trial with 50 MB of data, in a fresh process and in warm ones."""

import statistics
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.runner import (
    Context,
    Driven,
    Peer,
    PeerFailed,
    Result,
    Row,
    Sample,
    Table,
    Target,
    at_least,
    benchmark,
    ratio,
)

_EXAMPLES, _FEATURES, _CLASSES = 50_000, 250, 10  # 50 MB of single precision
_TRIALS, _SLOW_TRIALS = 30, 2
_SKIPPED = 3  # the baseline's trials
_TIMES_LESS_CPU, _TIMES_SOONER = 80, 60
_PEERS = {
    "ray": Peer(name="ray", package="ray", group="ray"),
    "loky": Peer(name="loky", package="loky", group="ray"),
    "forkserver": None,
    "spawn": None,
}
_NOTES = {
    "fresh": "python train.py: imports torch, loads the data, builds model and optimizer, one step",
    "headway": "a study, one worker; forks of the warm template; supervised and recorded",
    "ray": "a warm actor takes trial after trial: nothing keeps them apart",
    "loky": "the reusable executor takes trial after trial: nothing keeps them apart",
    "forkserver": "multiprocessing: a fork a trial of a server that holds data and optimizer; no record, no limits",
    "headway spawn": "a study, a fresh interpreter a trial",
    "spawn": "multiprocessing: a fresh interpreter a trial",
}
_PARTS = {
    "worker": "from the fork to its last moment, the step included",
    "template": "forks, and waits for workers to be gone",
    "engine": "proposes, records, follows",
}
_FAST = ("fresh", "headway")
# One thread each: what a single small step needs. Modules are compiled once, as they are where people work.
_VARIABLES = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}

_Found = Mapping[str, "Sequence[dict[str, Any]] | PeerFailed"]


@benchmark("to the first optimizer step and out again: 1/80 of the CPU and 1/60 of the time of a fresh python train.py")
def run(context: Context) -> Result:
    """Measure all contestants in turns, then Headway beside the fresh process some more."""
    with context.folder() as data:
        _make_data(data)
        contestants = {name: partial(_measure, context, name, data) for name in _NOTES}
        found = context.in_turns(contestants, repeats=1 if context.quick else min(2, context.repeats))
        more = context.repeats - 2
        if more > 0:
            further = context.in_turns({name: contestants[name] for name in _FAST}, repeats=more)
            found |= {name: _joined(found[name], further[name]) for name in _FAST}
    cpu = _table(context, "CPU of a trial, to the end of its process", "cpu_seconds", found)
    step = _table(context, "Submit to the end of the first step", "first_step_seconds", found)
    whole = _table(context, "Submit to the end of the process, and of its record", "whole_seconds", found)
    warm_up = _table(context, "Warm-up with the first trial, once a session: CPU", "warm_up_cpu_seconds", found)
    parts = _parts(found["headway"])
    figures = {
        **_named(cpu, "cpu_milliseconds"),
        **_named(step, "first_step_milliseconds"),
        **_named(whole, "whole_milliseconds"),
        **_named(warm_up, "warm_up_cpu_milliseconds"),
        **_named(parts, "of_headway_cpu_milliseconds"),
    }
    return Result(tables=(cpu, step, whole, parts, warm_up), figures=figures, targets=_targets(cpu, step))


def _targets(cpu: Table, step: Table) -> dict[str, Target]:
    return {
        "times_less_cpu_than_fresh": at_least(_against_fresh(cpu), _TIMES_LESS_CPU),
        "times_sooner_than_fresh": at_least(_against_fresh(step), _TIMES_SOONER),
    }


def _against_fresh(table: Table) -> float | None:
    return ratio(table.row("fresh").figure, table.row("headway").figure)


def _named(table: Table, what: str) -> dict[str, float | None]:
    return {f"{row.name.replace(' ', '_')}_{what}": row.figure for row in table.rows}


def _make_data(folder: Path) -> None:
    chance = np.random.default_rng(0)
    np.save(folder / "inputs.npy", chance.standard_normal((_EXAMPLES, _FEATURES), dtype=np.float32))
    np.save(folder / "labels.npy", chance.integers(0, _CLASSES, _EXAMPLES))


def _joined(
    one: "Sequence[dict[str, Any]] | PeerFailed", other: "Sequence[dict[str, Any]] | PeerFailed"
) -> "list[dict[str, Any]] | PeerFailed":
    if isinstance(one, PeerFailed):
        return one
    return other if isinstance(other, PeerFailed) else [*one, *other]


def _table(context: Context, title: str, key: str, found: _Found) -> Table:
    """Make a table of one number of each contestant; the contestants that have none are left out."""
    rows = [_row(context, name, key, note, found[name]) for name, note in _NOTES.items()]
    return Table(title=title, unit="ms", rows=[row for row in rows if row.samples or row.failure])


def _row(context: Context, name: str, key: str, note: str, found: "Sequence[dict[str, Any]] | PeerFailed") -> Row:
    peer = _PEERS.get(name)
    version = context.version(peer) if peer is not None or name.startswith("headway") else ""
    if isinstance(found, PeerFailed):
        return Row(name=name, failure=str(found), version=version, note=note)
    wall = "warm_up_wall_seconds" if key == "warm_up_cpu_seconds" else ""
    samples = [Sample(data[key] * 1000, wall_seconds=data.get(wall)) for data in found if key in data]
    return Row(name=name, samples=samples, version=version, note=note, ours=name == "headway")


def _parts(found: "Sequence[dict[str, Any]] | PeerFailed") -> Table:
    rows = [
        Row(name=name, failure=str(found), note=note)
        if isinstance(found, PeerFailed)
        else Row(name=name, samples=[Sample(data[f"{name}_cpu_seconds"] * 1000) for data in found], note=note)
        for name, note in _PARTS.items()
    ]
    return Table(title="Where a trial's CPU goes in Headway", unit="ms", rows=rows)


# one measurement: seconds of a trial's CPU, of its way to the first step, and of its whole life


def _measure(context: Context, name: str, data: Path) -> dict[str, Any]:
    with context.folder() as folder:
        variables = {**_VARIABLES, "BENCH_DATA": str(data)}
        drive = partial(context.drive, folder=folder, variables=variables)
        count = context.pick(_TRIALS, 10)
        slow = context.pick(_SLOW_TRIALS, 1)
        match name:
            case "fresh":
                return _fresh(drive("cycle_train", time.time()))
            case "headway":
                return _ours(drive("headway_cycle", folder, "local", _SKIPPED, count))
            case "headway spawn":
                return _ours(drive("headway_cycle", folder, "spawn", 1, slow))
            case _:
                found = drive("cycle_pool", name, slow if name == "spawn" else count, peer=_PEERS[name])
                return _with_medians(found.data)


def _fresh(found: Driven) -> dict[str, Any]:
    process = found.process
    return {
        "cpu_seconds": process.cpu_seconds,
        **found.data,
        "whole_seconds": process.wall_seconds,
    }


def _ours(found: Driven) -> dict[str, Any]:
    parts = ("worker_cpu_seconds", "template_cpu_seconds", "engine_cpu_seconds")
    return {**_with_medians(found.data), "cpu_seconds": sum(found.data[part] for part in parts)}


def _with_medians(data: dict[str, Any]) -> dict[str, Any]:
    return {
        **data,
        "first_step_seconds": statistics.median(data["first_step_seconds"]),
        "whole_seconds": statistics.median(data["whole_seconds"]),
    }
