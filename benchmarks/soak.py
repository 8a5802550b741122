"""Whether the engine stays as small and as quick as it began, over 100,000 short trials of one study.

Minutes lie between early and late trials, in which a machine may become slower by itself. So both are compared with the
trials of a young study in a process of its own, which run in between.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks._life import Length, Life, Window, against_young
from benchmarks._noop import VARIABLES
from benchmarks.runner import (
    Context,
    PeerFailed,
    Result,
    Row,
    Sample,
    Table,
    Target,
    at_most,
    benchmark,
)
from headway.testing.chaos.invariants import finished_twice, take_snapshot, unclean

_SECONDS = 4 * 3600.0
_MEGABYTE = 1e6
_MEMORY_MEGABYTES, _LATE_TO_EARLY, _STATUS_MILLISECONDS = 50, 1.2, 300
_FORKED_ENGINE_MEGABYTES, _FORKED_TEMPLATE_MEGABYTES = 20, 5  # the database's page cache fills: 16 MB
_COMMANDS = {
    "status": ["status"],
    "status NAME": ["status", "soak"],
    "trials --best 100": ["trials", "--best", "100"],
    "report": ["report"],
    "export": ["export", "--to", "soak.csv"],
}
_FURTHER = 1  # trials after the study was finished


_INLINE = Length(trials=100_000, warm=2_000, window=5_000, every=250, asked=(1_000, 10_000, 50_000))
_QUICK_INLINE = Length(trials=5_000, warm=1_000, window=1_500, every=100, asked=(1_000,))
_FORKED = Length(trials=4_000, warm=1_000, window=1_000, every=100)
_QUICK_FORKED = Length(trials=600, warm=200, window=150, every=25)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """Hold what a command cost as a fresh process."""

    cpu_seconds: float
    wall_seconds: float
    peak_memory_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rest:
    """Hold what a finished study left, and what it then costs to look at it and to go on."""

    bytes_a_trial: float
    files: int
    problems: Sequence[str]
    commands: Mapping[str, Sequence[_Cost]]


@benchmark("over 100,000 trials memory grows by 50 MB at most, a trial's CPU by 20 %; status stays below 300 ms")
def run(context: Context) -> Result:
    """Run a long study in one process, and a shorter one in forks."""
    with context.folder() as folder:
        inline = _live(context, folder, "inline", context.pick(_INLINE, _QUICK_INLINE))
        rest = _look_back(context, folder / "inline", inline.length.trials)
    with context.folder() as folder:
        forked = _live(context, folder, "local", context.pick(_FORKED, _QUICK_FORKED))
        wrong = _unsound(folder / "local" / ".headway")
    problems = [*inline.problems, *rest.problems, *forked.problems, *wrong]
    lives = {"inline": inline, "forked": forked}
    status = _status_table(inline, rest)
    figures = _figures(inline, forked, rest, status) | {"problems": float(len(problems))}
    tables = (_memory_table(lives), _cpu_table(lives), status, _rest_table(rest))
    return Result(tables=tables, figures=figures, targets=_targets(figures), notes=problems)


def _figures(inline: Life, forked: Life, rest: _Rest, status: Table) -> dict[str, float | None]:
    return {
        "memory_growth_megabytes": inline.growth("engine"),
        "forked_engine_memory_growth_megabytes": forked.growth("engine"),
        "forked_template_memory_growth_megabytes": forked.growth("template"),
        "late_trials_to_early_ones": inline.late_to_early,
        "late_trials_to_early_ones_as_measured": inline.late_to_early_as_measured,
        "late_forked_trials_to_early_ones": forked.late_to_early,
        "cpu_milliseconds_per_late_trial": 1000 * statistics.median(item.cpu_seconds for item in inline.late),
        "status_cpu_milliseconds": max(row.figure or 0.0 for row in status.rows),
        "bytes_per_trial_at_rest": rest.bytes_a_trial,
        "files_left": float(rest.files),
        **{f"{_key(name)}_cpu_seconds": _cpu(costs) for name, costs in rest.commands.items()},
        **{f"{_key(name)}_megabytes": _peak(costs) for name, costs in rest.commands.items()},
    }


def _cpu(costs: Sequence[_Cost]) -> float:
    return statistics.median(cost.cpu_seconds for cost in costs)


def _peak(costs: Sequence[_Cost]) -> float:
    return max(cost.peak_memory_bytes for cost in costs) / _MEGABYTE


def _key(name: str) -> str:
    return name.replace("--", "").replace(" ", "_")


def _targets(figures: Mapping[str, float | None]) -> dict[str, Target]:
    limits = {
        "memory_growth_megabytes": _MEMORY_MEGABYTES,
        "forked_engine_memory_growth_megabytes": _FORKED_ENGINE_MEGABYTES,
        "forked_template_memory_growth_megabytes": _FORKED_TEMPLATE_MEGABYTES,
        "late_trials_to_early_ones": _LATE_TO_EARLY,
        "late_forked_trials_to_early_ones": _LATE_TO_EARLY,
        "status_cpu_milliseconds": _STATUS_MILLISECONDS,
        "problems": 0,
    }
    return {name: at_most(figures[name], limit) for name, limit in limits.items()}


# what is measured


def _live(context: Context, folder: Path, backend: str, length: Length) -> Life:
    context.say(f"{length.trials:,} trials, {backend}")
    sizes = (length.trials, length.warm, length.window, length.every, *length.asked)
    variables = {**VARIABLES, "BENCH_TRIALS": str(length.trials)}
    study = folder / backend
    study.mkdir()
    drive = partial(context.drive, "headway_soak", study, backend, *sizes)
    return Life(length, drive(folder=folder, variables=variables, seconds=_SECONDS).data)


def _look_back(context: Context, folder: Path, trials: int) -> _Rest:
    store = folder / ".headway"
    files = [path for path in store.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    problems = _unsound(store)
    read = {name: partial(_type, context, folder, *words) for name, words in _COMMANDS.items()}
    found = context.in_turns(read, repeats=context.pick(3, 1))
    context.say("one trial more")
    _type(context, folder, "propose", "soak", "lr=0.01")  # a finished study goes on with what somebody proposes
    budget = f"{trials + _FURTHER} trials"
    resumed = _type(context, folder, "resume", "--budget", budget, "--backend", "inline", "--plain")
    commands = {name: costs for name, costs in found.items() if not isinstance(costs, PeerFailed)}
    problems += [f"headway {name}: {costs}" for name, costs in found.items() if isinstance(costs, PeerFailed)]
    commands["resume"] = [resumed]
    return _Rest(bytes_a_trial=size / trials, files=len(files), problems=problems, commands=commands)


def _type(context: Context, folder: Path, *words: str) -> _Cost:
    command = [context.python(None), "-m", "headway", *words]
    return _Cost(**context.drive("measured", *command, folder=folder, variables=VARIABLES).data)


def _unsound(store: Path) -> list[str]:
    """Say what is wrong with a finished study's database, and what lies about that nobody needs."""
    snapshot = take_snapshot(store)
    return [*snapshot.problems, *finished_twice(snapshot), *unclean(snapshot, store)]


# tables


def _memory_table(lives: Mapping[str, Life]) -> Table:
    rows = [
        Row(name=f"{name}, {whose}, {when}", samples=[Sample(value)])
        for name, life in lives.items()
        for whose in ("engine", "template")
        for when, value in zip(_when(life), life.memory(whose), strict=True)
        if value
    ]
    return Table(title="Resident memory", unit="MB", rows=rows)


def _when(life: Life) -> tuple[str, str]:
    return f"after {life.length.warm:,} trials", f"after {life.length.trials:,}"


def _cpu_table(lives: Mapping[str, Life]) -> Table:
    rows = [
        _cpu_row(f"{name}, {kind}", windows)
        for name, life in lives.items()
        for kind, windows in (("early", life.early), ("late", life.late))
    ]
    return Table(title="CPU of a trial, engine and template included", unit="ms, a window each", rows=rows)


def _cpu_row(name: str, windows: Sequence[Window]) -> Row:
    span = f"trials {windows[0].trials:,} to {windows[-1].trials:,}"
    note = f"{span}; {against_young(windows):.3g} of a young study's"
    return Row(name=name, samples=[Sample(item.cpu_seconds * 1000) for item in windows], note=note)


def _status_table(life: Life, rest: _Rest) -> Table:
    kinds = {"all studies": ("all_cpu", "status"), "the study": ("one_cpu", "status NAME")}
    rows = [
        Row(name=f"{name}, after {item['trials']:,}", samples=[Sample(item[key] * 1000)], note="while it runs")
        for item in life.asked
        for name, (key, _) in kinds.items()
    ]
    rows += [
        Row(name=f"{name}, after {life.length.trials:,}", samples=_samples(rest.commands[key], 1000))
        for name, (_, key) in kinds.items()
    ]
    return Table(title="'headway status' as a fresh process", unit="ms of CPU", rows=rows)


def _rest_table(rest: _Rest) -> Table:
    rows = [
        Row(
            name=f"headway {name}",
            samples=_samples(costs),
            note=f"{_peak(costs):.0f} MB" + (", with one further trial" if name == "resume" else ""),
        )
        for name, costs in rest.commands.items()
    ]
    title = f"The finished study: {rest.bytes_a_trial:.0f} bytes a trial in {rest.files} files"
    return Table(title=title, unit="s of CPU", rows=rows)


def _samples(costs: Sequence[_Cost], times: float = 1.0) -> list[Sample]:
    return [Sample(cost.cpu_seconds * times, cost.cpu_seconds, cost.wall_seconds) for cost in costs]
