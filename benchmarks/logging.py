"""What logging costs: CPU a point, bytes a point, and the time to read a curve back, beside four trackers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._trackers import TRACKERS, row_of
from benchmarks.runner import (
    Context,
    Driven,
    PeerFailed,
    Result,
    Row,
    Sample,
    Table,
    Target,
    at_least,
    at_most,
    benchmark,
    ratio,
)
from headway.store import RunLog, RunLogReader

_NOTES = {
    "headway": "run.log, as an experiment calls it",
    "headway_point": "RunLog.point, which run.log calls",
    "mmap": "no logger: struct.pack_into a memory map, and the loop that all rows share",
    "trackio": "SQLite, written by its thread",
    "tensorboardx": "event file, native checksums; keeps single precision only",
    "mlflow": "log_batch of 1,000 points into SQLite",
    "wandb": "offline, with its service process",
}
_PEERS = [name for name in _NOTES if name in TRACKERS]
_STEPS, _PEER_STEPS, _WANDB_STEPS = 200_000, 20_000, 5_000  # 20,000 points cost Headway too little to be measured well
_TIMES_CHEAPER, _BYTES_LIVE, _BYTES_AT_REST, _TIMES_SOONER = 20, 24, 10, 50
_METRICS = 4
_READERS = {
    "headway at rest": ("headway_at_rest", "store.curves.read, from the columns of a trial that ended"),
    "headway live": ("headway", "RunLogReader.read, from the run log of a running trial"),
    "trackio": ("trackio", "SQLiteStorage.get_logs, as its dashboard does"),
}


@benchmark("a point costs 1/20 of the CPU of four trackers, 24 bytes live, 10 at rest, and reads back 50 times sooner")
def run(context: Context) -> Result:
    """Measure one metric a step, four metrics a step, bytes, and reading."""
    single = context.in_turns({name: partial(_log, context, name, 1) for name in _NOTES})
    several = context.in_turns({name: partial(_log, context, name, _METRICS) for name in _NOTES}, repeats=2)
    cpu = _cpu(context, "one metric a step", single)
    cpu_of_several = _cpu(context, f"{_METRICS} metrics a step, in one call where the logger takes them", several)
    space = _space(context, single)
    reading = _reading(context)
    figures = {
        **_named(cpu, "cpu_microseconds_per_point"),
        **_named(cpu_of_several, f"cpu_microseconds_per_point_of_{_METRICS}_a_step"),
        **_named(space, "bytes_per_point"),
        **_named(reading, f"cpu_milliseconds_to_read_{_steps(context, 'headway')}_points"),
    }
    targets = _targets(cpu, space, reading)
    return Result(tables=(cpu, cpu_of_several, space, reading), figures=figures, targets=targets)


def _targets(cpu: Table, space: Table, reading: Table) -> dict[str, Target]:
    point, read = cpu.row("headway").figure, reading.row("trackio").figure
    return {
        **{
            f"times_cheaper_than_{name}": at_least(ratio(cpu.row(name).figure, point), _TIMES_CHEAPER)
            for name in _PEERS
        },
        "bytes_live": at_most(space.row("headway").figure, _BYTES_LIVE),
        # A running trial's log is read point by point: its row stands in the table, and claims nothing.
        "bytes_at_rest_float64": at_most(space.row("headway at rest, float64").figure, _BYTES_AT_REST),
        "bytes_at_rest_float32": at_most(space.row("headway at rest, float32").figure, _BYTES_AT_REST),
        "times_sooner_read_at_rest": at_least(ratio(read, reading.row("headway at rest").figure), _TIMES_SOONER),
    }


def _named(table: Table, what: str) -> dict[str, float | None]:
    return {f"{row.name.replace(',', '').replace(' ', '_')}_{what}": row.figure for row in table.rows}


# CPU


def _cpu(context: Context, title: str, found: "Mapping[str, Sequence[Driven] | PeerFailed]") -> Table:
    rows = [row_of(context, name, found[name], _microseconds, note) for name, note in _NOTES.items()]
    return Table(title=f"CPU of a point: {title}", unit="µs", rows=rows)


def _microseconds(data: dict[str, Any]) -> float:
    return data["cpu_seconds"] / data["points"] * 1e6


def _log(context: Context, name: str, metrics: int) -> Driven:
    with context.folder() as folder:
        return _write(context, folder, name, _steps(context, name) // metrics, metrics=metrics)


def _write(context: Context, folder: Path, name: str, steps: int, *, metrics: int = 1, values: str = "") -> Driven:
    peer = TRACKERS.get(name)
    return context.drive("log_points", name, folder / name, steps, metrics, *values.split(), folder=folder, peer=peer)


def _steps(context: Context, name: str) -> int:
    steps = _WANDB_STEPS if name == "wandb" else _PEER_STEPS if name in _PEERS else _STEPS
    return context.pick(steps, steps // 10)


# space


def _space(context: Context, single: "Mapping[str, Sequence[Driven] | PeerFailed]") -> Table:
    file_note = "the run log as a file, with the space that it takes ahead: at most 4 MiB"
    rows = [
        Row(name="headway", samples=[Sample(_live_bytes(context))], ours=True, note="a point in the run log"),
        _at_rest(context, "float64", "columns in the store, after the trial"),
        _at_rest(context, "float32", "the same, where single precision holds the values"),
        row_of(context, "headway file", single["headway"], _bytes, file_note),
        *(row_of(context, name, single[name], _bytes) for name in _PEERS),
    ]
    return Table(title="Space of a point, a noisy loss curve", unit="bytes", rows=rows)


def _bytes(data: dict[str, Any]) -> float:
    return data["bytes"] / data["points"]


def _live_bytes(context: Context) -> float:
    """Return what one more point adds to the records of a run log."""
    with context.folder() as folder:
        log = RunLog(folder / "worker.runlog")
        with RunLogReader(folder / "worker.runlog") as reader:
            log.point("loss", 0, 0.5)
            named = reader.length
            log.point("loss", 1, 0.5)
            added = reader.length - named
        log.close()
    return added


def _at_rest(context: Context, values: str, note: str) -> Row:
    with context.folder() as folder:
        written = _write(context, folder, "headway_at_rest", _steps(context, "headway"), values=values)
    return row_of(context, f"headway at rest, {values}", [written], _bytes, note)


# reading


def _reading(context: Context) -> Table:
    with context.folder() as folder:
        found = context.in_turns(
            {title: partial(_read, context, folder, name) for title, (name, _) in _READERS.items()}
        )
    rows = [
        replace(row_of(context, title, found[title], _milliseconds, note), ours=title == "headway at rest")
        for title, (_, note) in _READERS.items()
    ]
    steps = _steps(context, "headway")
    return Table(title=f"Reading {steps:,} points of one metric", unit="ms of CPU", rows=rows)


def _read(context: Context, folder: Path, name: str) -> Driven:
    """Read a run in a fresh process; it was written at the first repeat."""
    steps = _steps(context, "headway")
    if not (folder / name).exists():
        context.say(f"{name}: writing {steps:,} points to read")
        _write(context, folder, name, steps, values="float64")
    read = context.drive("read_points", name, folder / name, folder=folder, peer=TRACKERS.get(name))
    if read.data["points"] != steps:
        raise PeerFailed(f"{read.data['points']:,} of {steps:,} points came back")
    return read


def _milliseconds(data: dict[str, Any]) -> float:
    return data["cpu_seconds"] * 1000
