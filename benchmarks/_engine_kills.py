"""Kill the engine of a real study, a worker, or both, and count the points that `run.log` had returned for that went.

Called by the benchmark `durability`. The study is `peers/durable_study.py`: each of its processes counts, in a mapped
file of its own, the points that `run.log` has returned for.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.runner import SCRIPTS, Context, PeerFailed, ProcessFailed, descendants, run_process
from headway.core import TrialState
from headway.store import Store

__all__ = ["PAUSES", "VICTIMS", "Loss", "kill_study", "returned", "wait_until_gone"]

VICTIMS = ("worker", "engine", "engine and workers")
PAUSES = (0.0, 0.005)  # seconds between two points of a trial: full rate, and 200 a second
_START_SECONDS, _RUN_SECONDS, _LATEST_KILL = 60.0, 120.0, 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Hold what a kill cost: points that logging had returned for, and how many of them were gone or wrong."""

    returned: int
    lost: int

    @property
    def percent(self) -> float:
        """Return the share that was lost."""
        return 100 * self.lost / self.returned if self.returned else 0.0


def kill_study(context: Context, victim: str, pauses: Iterator[float], chance: random.Random) -> Loss:
    """Run a study, kill `victim` at a random moment while trials log, go on to the study's end, and count."""
    with context.folder() as folder:
        shutil.copy(SCRIPTS / "durable_study.py", folder / "study.py")
        counters = folder / "counters"
        counters.mkdir()
        command = [context.python(None), "-m", "headway", "run", "study.py", "--plain", "--store", folder / "store"]
        variables = {"BENCH_PAUSE": str(next(pauses)), "BENCH_COUNTERS": str(counters)}
        with (folder / "output").open("w") as output:
            engine = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **variables}, stdout=output, stderr=output
            )
            _wait_for_points(counters, engine)
            time.sleep(chance.uniform(0, _LATEST_KILL))
            _kill(victim, engine, counters)
            engine.wait(_RUN_SECONDS)
        _go_on(command, folder, variables)
        return _count(folder / "store", counters)


def returned(counter: Path) -> int:
    """Return how many points a process had logged, by its counter."""
    return int.from_bytes(counter.read_bytes(), "little")


def wait_until_gone(pids: Sequence[int], seconds: float) -> None:
    """Wait until these processes have ended, `seconds` at most."""
    deadline = time.monotonic() + seconds
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)


def _wait_for_points(counters: Path, engine: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not any(map(returned, counters.iterdir())):
        if engine.poll() is not None or time.monotonic() > deadline:
            raise PeerFailed("the study did not begin to log: try 'headway run benchmarks/peers/durable_study.py'")
        time.sleep(0.01)


def _kill(victim: str, engine: "subprocess.Popen[bytes]", counters: Path) -> None:
    """Kill without warning, as the kernel does when memory runs out. Templates end by themselves with their engine."""
    workers = _workers(engine, counters)
    family = descendants(engine.pid)
    victims = {"worker": workers[:1], "engine": [engine.pid], "engine and workers": [engine.pid, *workers]}[victim]
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if engine.pid in victims:
        wait_until_gone(family, _START_SECONDS)


def _workers(engine: "subprocess.Popen[bytes]", counters: Path) -> list[int]:
    """Return the processes that log at this moment; between two trials, wait for one."""
    while engine.poll() is None:
        workers = [pid for pid in descendants(engine.pid) if (counters / f"points_{pid}").exists()]
        if workers:
            return workers
        time.sleep(0.001)
    raise PeerFailed("the study ended before it was killed")


def _go_on(command: "list[str | Path]", folder: Path, variables: Mapping[str, str]) -> None:
    try:
        run_process(command, folder=folder, variables=variables, seconds=_RUN_SECONDS).checked()
    except ProcessFailed as error:
        raise PeerFailed(f"the study could not go on after the kill: {error}") from error


def _count(folder: Path, counters: Path) -> Loss:
    with Store.open(folder, create=False) as store:
        trials = [place.trial for place in store.places.of_study(1)]
        open_trials = [trial.id for trial in trials if trial.state != TrialState.COMPLETE]
        if open_trials:
            raise PeerFailed(f"the study went on to its end, but its trials {open_trials} are not complete")
        curves = {name: curve.values for trial in trials for name, curve in store.curves.read(trial.id).items()}
    lost = [returned(path) - _right(curves.get(path.name, ()), returned(path)) for path in counters.iterdir()]
    return Loss(returned=sum(map(returned, counters.iterdir())), lost=sum(lost))


def _right(values: Sequence[float], count: int) -> int:
    """Count the right ones among the first `count` values."""
    return sum(value == step + 0.25 for step, value in zip(range(count), values, strict=False))
