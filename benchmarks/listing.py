"""How soon a full record answers, how fast runs are written to it, and what it costs to import Headway."""

import json
from functools import partial
from pathlib import Path

from benchmarks._trackers import TRACKERS
from benchmarks.runner import (
    Context,
    PeerFailed,
    ProcessFailed,
    Result,
    Row,
    Sample,
    Table,
    Target,
    at_least,
    at_most,
    benchmark,
    median,
    ratio,
    run_process,
)

_TRIALS, _LIMIT, _CALLS = 10_000, 100, 200
_RUNS, _PEER_RUNS = 2_000, 60
_TRACKERS = {
    "headway": "two transactions: proposed and running, complete",
    "mlflow": "create_run, log_batch, set_terminated, on SQLite",
    "mlflow_fluent": "start_run, log_params, log_metric, as its pages show",
    "trackio": "init, log, finish",
}
_STARTS = {
    "bare python": ("pass", "what the interpreter costs in this environment"),
    "headway": ("import headway", "the front door"),
    "headway study": ("from headway import Float, Study, experiment", "the rooms that a study file needs"),
}
_BEST_MILLISECONDS, _SHELL_MILLISECONDS, _IMPORT_MILLISECONDS, _TIMES_FASTER = 1, 250, 100, 100


@benchmark(
    "the 100 best of 10,000 runs in 1 ms, 250 ms of CPU from a shell; runs written 100 times as fast as by others"
)
def run(context: Context) -> Result:
    """Measure listing, writing and importing."""
    trials = context.pick(_TRIALS, _TRIALS // 10)
    listing, starting = _listing(context, trials), _starting(context)
    full, empty = _writing(context, trials), _writing(context, 0)
    figures = {
        "best_100_milliseconds": listing.row("headway").figure,
        "best_100_from_a_shell_cpu_milliseconds": listing.row("headway, shell").figure,
        **{f"{row.name}_runs_per_second_after_{trials}": row.figure for row in full.rows},
        **{f"{row.name}_cpu_milliseconds_per_run_after_{trials}": _cpu_of_a_run(row) for row in full.rows},
        **{f"{row.name}_runs_per_second_from_none": row.figure for row in empty.rows},
        **{f"import_{row.name.replace(' ', '_')}_cpu_milliseconds": row.figure for row in starting.rows},
    }
    targets = _targets(listing, full, starting)
    return Result(tables=(listing, full, empty, starting), figures=figures, targets=targets)


def _targets(listing: Table, writing: Table, starting: Table) -> dict[str, Target]:
    ours = writing.row("headway").figure
    return {
        "best_100_milliseconds": at_most(listing.row("headway").figure, _BEST_MILLISECONDS),
        "best_100_from_a_shell_cpu_milliseconds": at_most(listing.row("headway, shell").figure, _SHELL_MILLISECONDS),
        "times_as_many_runs_as_mlflow": at_least(ratio(ours, writing.row("mlflow").figure), _TIMES_FASTER),
        "times_as_many_runs_as_trackio": at_least(ratio(ours, writing.row("trackio").figure), _TIMES_FASTER),
        "import_cpu_milliseconds": at_most(starting.row("headway").figure, _IMPORT_MILLISECONDS),
    }


def _listing(context: Context, trials: int) -> Table:
    with context.folder() as folder:
        context.say(f"the first call fills a store with {trials:,} trials")
        found = context.in_turns(
            {"headway": partial(_ask, context, folder, trials), "headway, shell": partial(_ask_shell, context, folder)}
        )
    notes = {
        "headway": f"store.places.best, the median of {_CALLS} calls on one connection",
        "headway, shell": "CPU of a fresh 'headway trials --best 100', with the interpreter's start",
    }
    version = context.version(None)
    rows = [
        Row.of(name, found[name], version=version, note=note, ours=name == "headway") for name, note in notes.items()
    ]
    return Table(title=f"The {_LIMIT} best of {trials:,} trials", unit="ms", rows=rows)


def _ask(context: Context, folder: Path, trials: int) -> Sample:
    driven = context.drive("list_best", folder / "store", trials, _LIMIT, _CALLS, folder=folder)
    return Sample(driven.data["milliseconds"], driven.process.cpu_seconds, driven.process.wall_seconds)


def _ask_shell(context: Context, folder: Path) -> Sample:
    command = [
        context.python(None),
        "-m",
        "headway",
        "trials",
        "--best",
        str(_LIMIT),
        "--json",
        "--store",
        folder / "store",
    ]
    try:
        ended = run_process(command, folder=folder).checked()
        shown = len(json.loads(ended.stdout)["trials"])
    except (ProcessFailed, ValueError, KeyError) as error:
        raise PeerFailed(f"'headway trials --best' {error}") from error
    if shown != _LIMIT:
        raise PeerFailed(f"'headway trials --best {_LIMIT}' showed {shown} trials")
    return Sample(ended.cpu_seconds * 1000, ended.cpu_seconds, ended.wall_seconds)


def _writing(context: Context, there: int) -> Table:
    repeats = None if there else 2  # the empty record is there for comparison; no target is about it
    found = context.in_turns({name: partial(_finish_runs, context, name, there) for name in _TRACKERS}, repeats)
    rows = [
        Row.of(name, found[name], version=context.version(TRACKERS.get(name)), note=note, ours=name == "headway")
        for name, note in _TRACKERS.items()
    ]
    title = f"Runs created and finished, one after the other, in a record of {there:,} runs"
    return Table(title=title, unit="runs a second", rows=rows)


def _finish_runs(context: Context, name: str, there: int) -> Sample:
    peer = TRACKERS.get(name)
    runs = _PEER_RUNS if peer else _RUNS
    runs = context.pick(runs, runs // 5)
    with context.folder() as folder:
        data = context.drive("finish_runs", name, folder / "runs", there, runs, folder=folder, peer=peer).data
    return Sample(data["runs"] / data["wall_seconds"], data["cpu_seconds"], data["wall_seconds"])


def _cpu_of_a_run(row: Row) -> float | None:
    """Return CPU milliseconds a run: the rates are in wall time and follow the disk, this does not."""
    return median(
        [
            1000 * sample.cpu_seconds / (sample.value * sample.wall_seconds)
            for sample in row.samples
            if sample.cpu_seconds is not None and sample.wall_seconds is not None
        ]
    )


def _starting(context: Context) -> Table:
    found = context.in_turns({name: partial(_start, context, code) for name, (code, _) in _STARTS.items()})
    rows = [
        Row.of(name, found[name], version=context.version(None), note=f"{code}: {note}", ours=name == "headway")
        for name, (code, note) in _STARTS.items()
    ]
    return Table(title="Importing, in a fresh interpreter", unit="ms of CPU", rows=rows)


def _start(context: Context, code: str) -> Sample:
    with context.folder() as folder:
        ended = run_process([context.python(None), "-c", code], folder=folder).checked()
    return Sample(ended.cpu_seconds * 1000, ended.cpu_seconds, ended.wall_seconds)
