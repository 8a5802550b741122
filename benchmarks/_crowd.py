"""A crowd on one store: two engines, people who look, and people who feed the queues, all at once.

`gather` lets it work and says what came of it; `rush` lets many write without a rest. The benchmark `crowd` and a test
of the suite call them.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._noop import VARIABLES
from benchmarks.runner import SCRIPTS
from headway.core import TrialState
from headway.store import Store, candidate_id

__all__ = ["STUDIES", "Calls", "Crowd", "Outcome", "Rush", "gather", "rush"]

STUDIES = ("left", "right")
_PATIENCE_SECONDS = 120.0  # for whatever has to come
_LOOK_SECONDS = 0.1
_PAUSED = 130  # exit code of an engine that was asked to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Say how many come; a feeder puts in `each` candidates over about so many `seconds`."""

    readers: int
    feeders: int
    each: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Calls:
    """Hold how long calls to the store took, and for how long of it they stood still, in seconds.

    On a busy machine a call waits for a core; it does not stand still then.
    """

    wall: Sequence[float]
    still: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Hold what came of it. `problems` is all that a user saw go wrong; calls are known by who made them and why."""

    calls: Mapping[tuple[str, str], Calls]
    problems: Sequence[str]
    looks: int
    fed: int
    lost: Sequence[str]
    run_twice: Sequence[str]
    trials: int
    seconds: float
    largest_log_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rush:
    """Hold how long each transaction had to wait for its beginning (seconds), and how many each writer made."""

    waits: Sequence[float]
    transactions: Sequence[int]
    problems: Sequence[str]


class _Member:
    """Run one script of the crowd in a process and a session of its own."""

    def __init__(self, script: str, folder: Path, name: object, *arguments: object) -> None:
        self.script = script
        self._times = folder / f"{script}-{name}.times"
        self._out, self._err = (folder / f"{script}-{name}.{end}" for end in ("out", "err"))
        command = [sys.executable, SCRIPTS / f"crowd_{script}.py", self._times, *map(str, arguments)]
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **VARIABLES},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def over(self) -> bool:
        return self._process.poll() is not None

    def wait(self, seconds: float) -> None:
        self._process.wait(seconds)

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def calls(self) -> list[tuple[str, float, float]]:
        if not self._times.exists():  # it could not even begin
            return []
        return [(what, wall, still) for what, wall, still in json.loads(self._times.read_text())]

    def said(self) -> dict[str, Any]:
        return json.loads(self._out.read_text().splitlines()[-1])

    def problem(self, expected: int) -> list[str]:
        """Say what a person at this process's terminal would have seen go wrong."""
        text = self._out.read_text() + self._err.read_text()
        wrong = self._process.returncode != expected or "locked" in text or "Traceback" in text
        return [f"{self._out.stem}: code {self._process.returncode}: {text[-2000:]}"] if wrong else []


def gather(folder: Path, crowd: Crowd) -> Outcome:
    """Let the crowd work on a store in `folder` until all that was fed has been run, and say what came of it."""
    shutil.copyfile(SCRIPTS / "crowd_study.py", folder / "study.py")
    members: list[_Member] = []
    with _ended_with(members):
        began = time.monotonic()
        largest = _play(folder, crowd, members)
        seconds = time.monotonic() - began
    return _outcome(folder / ".headway", members, seconds=seconds, largest=largest)


def rush(folder: Path, writers: int, seconds: float) -> Rush:
    """Let many processes write to a store in `folder` as fast as they can."""
    members: list[_Member] = []
    with Store.open(folder / ".headway") as store:
        store.studies.create(
            name="rush", definition={}, settings={}, source="", experiment="rush", metric="loss", direction="minimize"
        )
    with _ended_with(members):
        members += [_Member("writer", folder, number, "rush", seconds) for number in range(writers)]
        for member in members:
            member.wait(seconds + _PATIENCE_SECONDS)
    return Rush(
        waits=_calls(members)["writer", "begin"].wall,
        transactions=[member.said()["transactions"] for member in members if not member.problem(0)],
        problems=[text for member in members for text in member.problem(0)],
    )


@contextmanager
def _ended_with(members: Sequence[_Member]) -> Generator[None]:
    try:
        yield
    finally:
        for member in members:
            member.end()


def _play(folder: Path, crowd: Crowd, members: list[_Member]) -> int:
    """Start all, wait until all is done; return how large the database's log became in bytes."""
    store, over, largest = folder / ".headway", folder / "over", 0

    def until(what: str, done: Callable[[], bool], needed: Sequence[_Member] = ()) -> None:
        nonlocal largest
        deadline = time.monotonic() + crowd.seconds + _PATIENCE_SECONDS
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"The crowd waits in vain until {what}.")
            for member in needed:
                if member.over:
                    raise RuntimeError(f"An engine is gone before {what}. {member.problem(_PAUSED)}")
            with suppress(FileNotFoundError):
                largest = max(largest, (store / "store.sqlite-wal").stat().st_size)
            time.sleep(_LOOK_SECONDS)

    engines = [_Member("engine", folder, name, name, "--workers", "1", "--plain") for name in STUDIES]
    members += engines
    until(
        "both engines have begun", lambda: _count(store, "trials WHERE state = 'complete'") > 2 * len(STUDIES), engines
    )
    readers = [_Member("reader", folder, number, number, over) for number in range(crowd.readers)]
    members += readers
    feeders = [
        _Member("feeder", folder, number, STUDIES[number % 2], number // 2, crowd.each, crowd.seconds)
        for number in range(crowd.feeders)
    ]
    members += feeders
    until("all is fed", lambda: all(feeder.over for feeder in feeders), engines)
    until("the queues are empty", lambda: _count(store, "queue WHERE taken IS NULL") == 0, engines)
    _stop(folder, over)
    until("all have gone home", lambda: all(member.over for member in members))
    return largest


def _stop(folder: Path, over: Path) -> None:
    """Send the readers home; ask the engines to end, while the readers still look."""
    for name in STUDIES:
        subprocess.run([sys.executable, "-m", "headway", "stop", name], cwd=folder, check=True, capture_output=True)
    over.touch()


def _count(store: Path, what: str) -> int:
    if not (store / "store.sqlite").exists():
        return 0
    with Store.open(store, create=False) as opened:
        return int(opened.database.rows(f"SELECT count(*) FROM {what}")[0][0])


# what is left


def _outcome(store: Path, members: Sequence[_Member], *, seconds: float, largest: int) -> Outcome:
    problems = [text for item in members for text in item.problem(_PAUSED if item.script == "engine" else 0)]
    said = [(item.script, item.said()) for item in members if item.script != "engine" and not item.problem(0)]
    problems += [text for _, data in said for text in data["problems"]]
    feeders_said = [data for script, data in said if script == "feeder"]
    fed = [(data["study"], config) for data in feeders_said for config in data["fed"]]
    known = sum(data["known"] for data in feeders_said)
    with Store.open(store, create=False) as opened:
        return Outcome(
            calls=_calls(members),
            problems=problems,
            looks=sum(data["looks"] for script, data in said if script == "reader"),
            fed=len(fed),
            lost=_lost(opened, fed, known),
            run_twice=_run_twice(opened),
            trials=int(opened.database.rows("SELECT count(*) FROM trials")[0][0]),
            seconds=seconds,
            largest_log_bytes=largest,
        )


def _calls(members: Sequence[_Member]) -> dict[tuple[str, str], Calls]:
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for member in members:
        for what, wall, still in member.calls():
            found.setdefault((member.script, what), []).append((wall, still))
    return {key: Calls([wall for wall, _ in times], [still for _, still in times]) for key, times in found.items()}


def _lost(store: Store, fed: Sequence[tuple[str, Mapping[str, float]]], known: int) -> list[str]:
    """Say which of the candidates that were fed has no trial that ran to its end, or is not in the record at all.

    Of these, `known` ones were told to be in the record already, and so are not queued twice.
    """
    lost: list[str] = []
    for name, config in fed:
        study = store.studies.get(name)
        candidate = candidate_id(study.experiment, config)
        place = store.places.at(study.id, candidate, study.definition["seed"])
        if place is None or place.trial.state != TrialState.COMPLETE:
            lost.append(f"{name}: {dict(config)} {'was never run' if place is None else place.trial.state}")
    queued = int(store.database.rows("SELECT count(*) FROM queue")[0][0])
    if queued + known == len(fed):
        return lost
    return [*lost, f"{len(fed)} were fed, {known} of them known, and {queued} stand in the queue's record"]


def _run_twice(store: Store) -> list[str]:
    """Say which candidates have two trials with one seed, or a trial that was run again after its end."""
    twice = store.database.rows("SELECT candidate, seed FROM trials GROUP BY candidate, seed HAVING count(*) > 1")
    again = store.database.rows("SELECT trial FROM attempts GROUP BY trial HAVING count(*) > 1")
    return [f"candidate {row[0]} with seed {row[1]}" for row in twice] + [f"trial {row[0]}" for row in again]
