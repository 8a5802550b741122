"""Trials that do nothing, in Headway and its peers: what each costs in one process, and how many can be forked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.runner import Context, Driven, Peer, PeerFailed, Row, Sample, Table

__all__ = ["VARIABLES", "Costs", "Forks", "drive_headway", "forked", "inline"]

VARIABLES = {"PYTHONDONTWRITEBYTECODE": ""}  # modules are compiled once, as they are where people work
_OPTUNA = Peer(name="optuna", package="optuna", group="optuna")
_RAY = Peer(name="ray_tune", package="ray", group="ray")
_SYNE_TUNE = Peer(name="syne_tune", package="syne-tune", group="syne-tune")
_INLINE_NOTES = {
    "headway": "run_study on the inline backend",
    "optuna sqlite": "study.optimize on RDBStorage: SQLite, WAL, synchronous = NORMAL",
    "optuna journal": "study.optimize on JournalStorage: an append-only file",
    "sqlite3": "no engine: three commits a trial, and one a point",
}
_FORKED_NOTES = {
    "headway": "run_study on the local backend, 2 workers",
    "headway, 3 workers": "",
    "headway, 4 workers": "",
    "fork loop": "no engine: fork, exit, wait, from a process that holds the template's modules",
    "ray tune": "a process for each trial, 2 at a time",
    "ray tune, reused": "2 processes that take trial after trial: nothing keeps them apart",
    "syne tune": "local backend, 2 workers",
}
_WORKERS = {"headway": 2, "headway, 3 workers": 3, "headway, 4 workers": 4}
_FORKED_PEERS = {"ray tune": _RAY, "ray tune, reused": _RAY, "syne tune": _SYNE_TUNE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Hold what a study has cost when so and so many of its trials had ended, and the whole of it. Seconds."""

    counts: Sequence[int]
    cpu: Sequence[float]
    wall: Sequence[float]
    whole_cpu: float
    trials: int

    def each(self, begin: int = -2, end: int = -1) -> Sample:
        """Return the CPU of a trial between two of the counts, in ms."""
        trials = self.counts[end] - self.counts[begin]
        cpu, wall = self.cpu[end] - self.cpu[begin], self.wall[end] - self.wall[begin]
        return Sample(cpu / trials * 1000, cpu, wall)

    def beside(self) -> Sample:
        """Return the CPU up to the end of the first trial and after the last count, in ms, without that of trials."""
        after = self.whole_cpu - self.cpu[-1]
        rest = 1 + self.trials - self.counts[-1]
        return Sample((self.cpu[0] + after) * 1000 - self.each().value * rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forks:
    """Hold how long so many trials took, and their CPU where it could be counted. Seconds."""

    trials: int
    wall: float
    cpu: float | None

    def rate(self) -> Sample:
        """Return the trials a second."""
        return Sample(self.trials / self.wall, self.cpu, self.wall)

    def each(self) -> Sample | None:
        """Return the CPU of a trial, in ms."""
        return None if self.cpu is None else Sample(self.cpu / self.trials * 1000)


# in one process


def inline(context: Context, points: int) -> tuple[Table, Table]:
    """Measure the CPU of a trial that logs so many points, and of what a study costs beside its trials."""
    contestants = {name: partial(_inline, context, name, points) for name in _INLINE_NOTES}
    found = context.in_turns(contestants, repeats=max(1, context.repeats - 2))
    title = f"CPU of a trial that does nothing and logs {points} points"
    return (
        Table(title=title, unit="ms", rows=[_inline_row(context, name, found[name]) for name in _INLINE_NOTES]),
        Table(
            title=f"CPU of a study beside its trials ({points} points): start, verdict, report",
            unit="ms",
            rows=[_inline_row(context, name, found[name], beside=True) for name in _INLINE_NOTES if name != "sqlite3"],
        ),
    )


def _inline_row(context: Context, name: str, found: "Sequence[Costs] | PeerFailed", *, beside: bool = False) -> Row:
    version = "" if name == "sqlite3" else context.version(_OPTUNA if name.startswith("optuna") else None)
    note = _INLINE_NOTES[name]
    if isinstance(found, PeerFailed):
        return Row(name=name, failure=str(found), version=version, note=note)
    samples = [item.beside() if beside else item.each() for item in found]
    return Row(name=name, samples=samples, version=version, note=note, ours=name == "headway")


def _inline(context: Context, name: str, points: int) -> Costs:
    long = context.pick((1, 200, 1200), (1, 50, 250))
    short = context.pick((1, 100, 400), (1, 20, 70))  # Optuna's cost grows with the study, so this is kind to it
    with context.folder() as folder:
        match name:
            case "headway":
                return drive_headway(context, folder, ("inline", 1, "concludes"), long, points=points)
            case "sqlite3":
                return _costs(context.drive("sqlite_noop", folder, points, *long, folder=folder), long)
            case _:
                storage = name.removeprefix("optuna ")
                driven = context.drive("optuna_noop", storage, folder, points, *short, folder=folder, peer=_OPTUNA)
                return _costs(driven, short)


def drive_headway(
    context: Context, folder: Path, how: tuple[str, int, str], counts: Sequence[int], *, points: int = 0
) -> Costs:
    """Run a study in `folder`; `how` is the backend, the workers, and whether it concludes or is cut."""
    variables = {**VARIABLES, "BENCH_POINTS": str(points)}
    return _costs(context.drive("headway_noop", folder, *how, *counts, folder=folder, variables=variables), counts)


def _costs(driven: Driven, counts: Sequence[int]) -> Costs:
    data = driven.data
    return Costs(
        counts=counts,
        cpu=data["cpu_seconds"],
        wall=data["wall_seconds"],
        whole_cpu=data["whole_cpu_seconds"],
        trials=data["trials"],
    )


# each in a process of its own


def forked(context: Context) -> tuple[Table, Table]:
    """Measure how many trials a second get a process of their own, and what CPU each costs."""
    ours = {name: partial(_forked, context, name) for name in ("headway", "fork loop")}
    more_workers = {name: partial(_forked, context, name) for name in _WORKERS if name not in ours}
    left_out = _RAY if context.quick else None  # its start takes longer than all else in a smoke test
    peers = {name: partial(_forked, context, name) for name, peer in _FORKED_PEERS.items() if peer is not left_out}
    found = context.in_turns(ours) | context.in_turns(more_workers, repeats=1) | context.in_turns(peers, repeats=1)
    title = "Trials that do nothing, each in a process of its own"
    return (
        _forked_table(context, f"{title}: rate", "trials a second", found, Forks.rate),
        _forked_table(context, f"{title}: CPU of one, all processes counted", "ms", found, Forks.each),
    )


def _forked_table(
    context: Context,
    title: str,
    unit: str,
    found: "Mapping[str, Sequence[Forks] | PeerFailed]",
    value: "Callable[[Forks], Sample | None]",
) -> Table:
    rows: list[Row] = []
    for name, forks in found.items():
        version, note = "" if name == "fork loop" else context.version(_FORKED_PEERS.get(name)), _FORKED_NOTES[name]
        if isinstance(forks, PeerFailed):
            rows.append(Row(name=name, failure=str(forks), version=version, note=note))
        elif samples := [sample for item in forks if (sample := value(item)) is not None]:
            rows.append(Row(name=name, samples=samples, version=version, note=note, ours=name == "headway"))
    return Table(title=title, unit=unit, rows=rows)


def _forked(context: Context, name: str) -> Forks:
    with context.folder() as folder:
        if name in _WORKERS:
            counts = context.pick((50, 300), (20, 120))
            each = drive_headway(context, folder, ("local", _WORKERS[name], "cut"), counts).each()
            assert each.wall_seconds is not None
            return Forks(trials=counts[1] - counts[0], wall=each.wall_seconds, cpu=each.cpu_seconds)
        match name:
            case "fork loop":
                found = context.drive("fork_loop", folder, context.pick(300, 100), folder=folder, variables=VARIABLES)
            case "ray tune":
                found = context.drive("ray_tune_noop", "fresh", folder, 8, folder=folder, peer=_RAY)
            case "ray tune, reused":
                found = context.drive("ray_tune_noop", "reused", folder, 50, folder=folder, peer=_RAY)
            case _:
                found = context.drive("syne_tune_noop", folder, context.pick(12, 4), folder=folder, peer=_SYNE_TUNE)
    return Forks(trials=found.data["trials"], wall=found.data["wall_seconds"], cpu=found.data.get("cpu_seconds"))
