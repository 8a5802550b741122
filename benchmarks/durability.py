"""What a killed process loses of the points that logging had returned for, beside four trackers."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path

from benchmarks._engine_kills import PAUSES, VICTIMS, Loss, kill_study, returned, wait_until_gone
from benchmarks._trackers import TRACKERS
from benchmarks.runner import (
    SCRIPTS,
    Context,
    PeerFailed,
    Result,
    Row,
    Sample,
    Table,
    Target,
    at_most,
    benchmark,
    descendants,
)

_NOTES = {
    "headway": "run.log",
    "trackio": "its thread writes every half second",
    "tensorboardx": "a queue, then a file's buffer",
    "mlflow_async": "log_metric(synchronous=False): a queue before SQLite",
    "wandb": "its service lives on, and saves what reached it",
}
_RATES = {"at_full_rate": 0, "at_200_a_second": 200}  # 0: as fast as it goes
_DELAYS = {"at_full_rate": (0.05, 3.0), "at_200_a_second": (0.3, 3.0)}  # seconds from the first point to the kill
_START_SECONDS, _REST_SECONDS = 90.0, 20.0
_MORE = 2  # times as many kills of Headway: it is the one that promises something
_SLOW_KILLS = 3  # of a peer at most: half of such a kill is waiting

_Found = Mapping[str, "Sequence[Loss] | PeerFailed"]


@benchmark("kill -9 of the worker, the engine or both loses no point that log had returned for, at any rate")
def run(context: Context) -> Result:
    """Kill loggers, then studies."""
    chance = random.Random(7)
    tables: list[Table] = []
    figures: dict[str, float | None] = {}
    targets: dict[str, Target] = {}
    for rate in _RATES:
        found = _kill_loggers(context, rate, chance)
        tables.append(_table(context, f"Killed while logging {rate.replace('_', ' ')}", found))
        figures |= {f"{name}_percent_lost_{rate}": _percent(losses) for name, losses in found.items()}
        targets[f"points_lost_{rate}"] = at_most(_lost(found["headway"]), 0)
    found = _kill_studies(context, chance)
    tables.append(_table(context, "A study with two workers, killed, and run again to its end", found))
    for name, losses in found.items():
        key = f"points_lost_{name.removeprefix('headway, ').replace(' ', '_')}_killed"
        figures[key] = _lost(losses)
        targets[key] = at_most(_lost(losses), 0)
    return Result(tables=tables, figures=figures, targets=targets)


def _kill_studies(context: Context, chance: random.Random) -> _Found:
    studies = {f"headway, {victim}": partial(kill_study, context, victim, cycle(PAUSES), chance) for victim in VICTIMS}
    return context.in_turns(studies, repeats=context.pick(3, 1))


def _kill_loggers(context: Context, rate: str, chance: random.Random) -> _Found:
    """Kill each logger once a repeat, and Headway more often."""
    repeats = min(context.repeats, _SLOW_KILLS) if _RATES[rate] else context.repeats
    kills = {name: partial(_kill_logger, context, name, rate, chance) for name in _NOTES}
    found = context.in_turns(kills, repeats)
    more = context.in_turns({"headway": kills["headway"]}, repeats=(_MORE - 1) * repeats)
    ours, further = found["headway"], more["headway"]
    if isinstance(ours, PeerFailed) or isinstance(further, PeerFailed):
        return found
    return {**found, "headway": [*ours, *further]}


def _kill_logger(context: Context, name: str, rate: str, chance: random.Random) -> Loss:
    peer = TRACKERS.get(name)
    with context.folder() as folder:
        counter = folder / "returned"
        command = [context.python(peer), SCRIPTS / "flood.py", name, folder / "run", counter, str(_RATES[rate])]
        with (folder / "output").open("w") as output:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
            try:
                _wait_for_points(process, counter)
                time.sleep(chance.uniform(*_DELAYS[rate]))
                helpers = descendants(process.pid)
            finally:
                process.kill()
                process.wait()
        wait_until_gone(helpers, _REST_SECONDS)
        _end_session(process.pid)
        data = context.drive("survivors", name, folder / "run", folder=folder, peer=peer).data
        logged = returned(counter)
    return Loss(returned=logged, lost=max(0, logged - data["points"] + data["wrong"]))


def _wait_for_points(process: "subprocess.Popen[bytes]", counter: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not (counter.exists() and returned(counter)):
        if process.poll() is not None or time.monotonic() > deadline:
            raise PeerFailed(f"it did not begin to log within {_START_SECONDS:.0f} s")
        time.sleep(0.01)


def _end_session(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return  # nobody outlived it, as it should be


def _table(context: Context, title: str, found: _Found) -> Table:
    rows = [_row(context, name, losses) for name, losses in found.items()]
    return Table(title=title, unit="% lost of the points that log had returned for", rows=rows)


def _row(context: Context, name: str, losses: "Sequence[Loss] | PeerFailed") -> Row:
    peer = TRACKERS.get(name)
    note = _NOTES.get(name, "")
    if isinstance(losses, PeerFailed):
        return Row(name=name, failure=str(losses), version=context.version(peer), note=note)
    logged = sum(loss.returned for loss in losses)
    counts = f"{_lost(losses):,.0f} of {logged:,} gone. {note}"
    samples = [Sample(loss.percent) for loss in losses]
    return Row(name=name, samples=samples, version=context.version(peer), note=counts, ours=name == "headway")


def _lost(losses: "Sequence[Loss] | PeerFailed") -> float | None:
    return None if isinstance(losses, PeerFailed) else float(sum(loss.lost for loss in losses))


def _percent(losses: "Sequence[Loss] | PeerFailed") -> float | None:
    """Return the share that was lost, of all points in all kills."""
    logged = 0 if isinstance(losses, PeerFailed) else sum(loss.returned for loss in losses)
    lost = _lost(losses)
    return None if lost is None or not logged else 100 * lost / logged
