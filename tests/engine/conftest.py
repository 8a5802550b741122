"""A small project, a list of trials to run on it, and the engine: in this process, or in one that can be killed.

`python conftest.py FOLDER WHAT SETTINGS` (both JSON) runs the trials of these names, as `Bench.play` does.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from headway.core import Role, canonical_json
from headway.engine import Assignment, Engine, EngineSettings, FullRuns, Origin, Scheduler
from headway.experiments import CommandExperiment, load_file
from headway.store import Point, Store, TrialRecord

STUDY = """
import random, sys, time
from pathlib import Path
import headway

def load():
    return Path("data.txt").read_text()

@headway.experiment(metric="loss", setup=load, space={"what": headway.Choice(["walk"])}, limits=headway.Limits())
def train(run):
    return globals()[run.config.what](run)

def one(run):
    return 1.0

def walk(run, steps=60, pause=0.0):
    import model_of_bench
    state = run.restore() or {"value": 0.0}
    value = state["value"]
    for step in run.steps(steps):
        value += model_of_bench.draw()
        run.log(loss=value)
        run.checkpoint(lambda: {"value": value}, every=10)
        time.sleep(pause)
    run.report(loss=value)

def slow_walk(run):
    walk(run, pause=0.014)

def crash(run):
    raise ValueError(f"bad shape {run.seed}")
"""


@dataclass(frozen=True, slots=True)
class End:
    """Hold how one trial ended, as the study heard it."""

    what: str
    seed: int
    trial: TrialRecord
    reused: bool


@dataclass(slots=True)
class Session:
    """Be the work and the observer of one engine, and keep what it told."""

    store: Store
    assignments: Sequence[Assignment]
    on_progress: Callable[["Session", int, Sequence[Point]], None] = lambda *_: None
    on_end: Callable[["Session", End], None] = lambda *_: None
    engine: Any = None
    wake: Callable[[], None] = lambda: None
    ending: str = ""
    ends: list[End] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    began: list[int] = field(default_factory=list)

    def next(self, running):
        known = {(end.trial.candidate, end.seed) for end in self.ends}
        known |= {(item.candidate, item.seed) for item in running}
        return next((item for item in self.assignments if (item.candidate, item.seed) not in known), None)

    def recall(self, stale):
        return 0

    def wake_with(self, wake):
        self.wake = wake

    def prepare(self, running):
        pass

    def begins(self, assignment):
        pass

    def done(self):
        return len(self.ends) >= len(self.assignments)

    def ended(self, assignment, trial, *, reused):
        del trial, reused

    def note(self, text):
        self.notes.append(text)

    def recalled(self, trials):
        pass

    def preparing(self, text):
        del text

    def started(self, trial, assignment):
        del assignment
        self.began.append(trial)

    def progressed(self, trial, points):
        self.on_progress(self, trial, points)

    def tick(self, *, busy, workers, idle_share):
        assert 0 <= busy <= workers
        assert -1e-9 <= idle_share <= 1 + 1e-9

    def end_of(self, what, seed=0) -> End:
        (end,) = [item for item in self.ends if (item.what, item.seed) == (what, seed)]
        return end

    def trial(self, what, seed=0) -> TrialRecord:
        return self.end_of(what, seed).trial


class Bench:
    """A project folder with its store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store_folder = folder / ".headway"

    @classmethod
    def make(cls, folder: Path, study: str = STUDY, *, more: str = "", setup: str = "", **files: str) -> "Bench":
        """Lay out a project: the usual study, with `more` in it, or another `setup`; `files` are further modules."""
        study += more
        if setup:
            study = study.replace('return Path("data.txt").read_text()', setup)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pyproject.toml").touch()
        (folder / "study_of_bench.py").write_text(study)
        (folder / "model_of_bench.py").write_text("import random\ndef draw(): return random.random() - 0.5\n")
        (folder / "data.txt").write_text("data")
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text)
        return cls(folder)

    def store(self) -> Store:
        return Store.open(self.store_folder)

    def play(
        self,
        *what: str | tuple[str, int],
        scheduler: Scheduler | None = None,
        workers: int = 2,
        backend: str = "local",
        name: str = "bench",
        scheduled: bool = False,
        on_progress: Callable[[Session, int, Sequence[Point]], None] = lambda *_: None,
        on_end: Callable[[Session, End], None] = lambda *_: None,
        seconds: float = 100,
        signals: bool = False,
        **settings: Any,
    ) -> Session:
        """Run trials, each named by what it does and perhaps its seed, in one session of one study."""
        for module in ("study_of_bench", "model_of_bench"):
            sys.modules.pop(module, None)
        file = self.folder / "study_of_bench.py"
        experiment = load_file(file).train
        command = experiment.to_json() if isinstance(experiment, CommandExperiment) else None
        origin = Origin(identity=experiment.identity, folder=str(self.folder), file=str(file), command=command)
        with self.store() as store:
            record = store.studies.find(name) or store.studies.create(
                name=name,
                definition={"baseline": {}},
                settings={},
                source="study_of_bench.py",
                experiment=experiment.identity,
                metric="loss",
                direction="minimize",
            )
            trials = [(item, 0) if isinstance(item, str) else item for item in what]
            assignments = [
                Assignment(
                    candidate=store.studies.add_candidate(experiment.identity, {"what": item}),
                    config={"what": item},
                    seed=seed,
                    role=Role.SEARCH,
                    number=number,
                    scheduled=scheduled,
                )
                for number, (item, seed) in enumerate(trials)
            ]
            session = Session(store, assignments, on_progress, on_end)
            session.engine = Engine(
                store,
                record,
                experiment,
                origin,
                scheduler or FullRuns(),
                EngineSettings(workers=workers, backend=backend, **settings),
                _Hearing(session),
            )
            session.ending = asyncio.run(asyncio.wait_for(_run(session, signals=signals), seconds))
        return session

    def curve(self, trial: int | TrialRecord) -> tuple[list[int], list[str]]:
        with self.store() as store:
            curve = store.curves.read(trial if isinstance(trial, int) else trial.id)["loss"]
        return list(curve.steps), [value.hex() for value in curve.values]

    def launch(self, *what: tuple[str, int] | str, **settings: Any) -> subprocess.Popen[str]:
        """Run trials in a process of its own, which may be killed."""
        words = [sys.executable, __file__, str(self.folder), json.dumps(what), json.dumps(settings)]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def wait_for(self, condition: Callable[[Store], Any], seconds: float = 30) -> Any:
        """Watch the store, as another process, until the condition holds; return what it returned."""
        deadline = time.monotonic() + seconds
        with self.store() as store:
            while not (found := condition(store)):
                assert time.monotonic() < deadline, "it did not happen"
                time.sleep(0.01)
        return found

    def processes(self) -> list[str]:
        """Return the command lines of all living processes whose working folder is the project."""
        found: list[str] = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(path / "cwd") == str(self.folder) and "Z" not in (path / "stat").read_text().split()[2]:
                    found.append((path / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found


async def _run(session: Session, *, signals: bool) -> str:
    if signals:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, session.engine.pause)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, session.engine.end_now)
    return await session.engine.run(session)


class _Hearing:
    """Observe for a session: `ended` of an observer and of work differ."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.note, self.preparing, self.started = session.note, session.preparing, session.started
        self.progressed, self.tick, self.recalled = session.progressed, session.tick, session.recalled

    def ended(self, trial, assignment, *, reused):
        end = End(assignment.config["what"], assignment.seed, trial, reused)
        self._session.ends.append(end)
        self._session.on_end(self._session, end)


@pytest.fixture(scope="module")
def make_bench(tmp_path_factory):
    """Make projects that live as long as the tests of one file."""
    before, made = list(sys.path), []

    def make(study: str = STUDY, **more: str) -> Bench:
        made.append(Bench.make(tmp_path_factory.mktemp("bench") / "project", study, **more))
        return made[-1]

    yield make
    sys.path[:] = before
    for name in ("study_of_bench", "model_of_bench"):
        sys.modules.pop(name, None)


@pytest.fixture
def bench(make_bench):
    """Make a project; whatever happens in it, nobody may be left at the end."""
    made = []

    def make(study: str = STUDY, **more: str) -> Bench:
        made.append(make_bench(study, **more))
        return made[-1]

    yield make
    assert [line for bench in made for line in bench.processes()] == []


if __name__ == "__main__":
    os.chdir("/")
    wanted = [item if isinstance(item, str) else (item[0], item[1]) for item in json.loads(sys.argv[2])]
    session = Bench(Path(sys.argv[1])).play(*wanted, **json.loads(sys.argv[3]), signals=True)
    print(canonical_json({"ending": session.ending, "trials": [end.trial.id for end in session.ends]}))
