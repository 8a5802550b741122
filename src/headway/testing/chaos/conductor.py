"""Run a study through a schedule of faults: begin a session, strike, resume, until the verdict; then check what holds.

`torment` is what the command line, the tests and the benchmark call.
"""

import random
import shutil
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from headway.core import UsageError
from headway.testing.chaos.disk import NAMESPACE, Disk, entered_namespace
from headway.testing.chaos.faults import Corrupt, FillDisk, ReadOnly
from headway.testing.chaos.injector import STORE_ERROR, Injector, unclear
from headway.testing.chaos.invariants import EMPTY, finished_twice, lost, take_snapshot, unclean
from headway.testing.chaos.outcome import Outcome
from headway.testing.chaos.plan import Schedule, Strike
from headway.testing.chaos.project import Finished, Project
from headway.testing.chaos.session import Session
from headway.testing.chaos.verdict import Answer, StudyFacts, answer_of, differences, facts_of

__all__ = ["needs_disk", "torment", "undisturbed"]

_PATIENCE_SECONDS = 20.0
_SESSION_SECONDS = 300.0
_MORE_SESSIONS = 10  # than strikes: a study that needs more of them hangs
_DONE, _BASELINE_FAILED = 0, 10  # exit codes of the command line
_KILLED = -9


def needs_disk(schedule: Schedule) -> bool:
    """Tell whether a schedule wants a disk that can be filled."""
    return any(isinstance(strike.fault, FillDisk | ReadOnly) for strike in schedule.strikes)


def undisturbed(file: Path, scratch: Path, options: Sequence[str] = ()) -> Answer:
    """Run a study in a store of its own, in the empty folder `scratch`, without any fault; return what it came to."""
    project = Project(file=file, store=scratch / "store", scratch=scratch, mark=uuid.uuid4().hex)
    study = facts_of(project)
    ended = project.type("run", str(file), "--study", study.name, "--plain", *options, seconds=_SESSION_SECONDS)
    if ended.code != _DONE:
        raise UsageError(f"{file} does not run undisturbed (code {ended.code}): {ended.last_words}")
    return answer_of(project, study.name)


def torment(
    file: Path, schedule: Schedule, scratch: Path, *, reference: Answer | None = None, options: Sequence[str] = ()
) -> Outcome:
    """Run the first study of a file through a schedule, and say what held.

    `scratch` is an empty folder for the store and the logs; `options` go to every `headway run` and `resume`.
    `reference` is what `undisturbed` returned, where it is known. Raises `UsageError` where the study does not run.
    """
    began = time.monotonic()
    if reference is None:
        (scratch / "undisturbed").mkdir()
        reference = undisturbed(file, scratch / "undisturbed", options)
    disk = _disk_for(schedule, scratch)
    store = scratch / "store" if disk is None else disk.folder / "store"
    project = Project(file=file, store=store, scratch=scratch, mark=uuid.uuid4().hex, options=tuple(options))
    try:
        outcome = _Conductor(project, facts_of(project), schedule, disk).run(reference)
        if disk is not None and outcome.broken:
            shutil.copytree(store, scratch / "store")
    finally:
        project.end_survivors()
        if disk is not None:
            disk.close()
    outcome.seconds = time.monotonic() - began
    return outcome


def _disk_for(schedule: Schedule, scratch: Path) -> Disk | None:
    if not needs_disk(schedule):
        return None
    if not entered_namespace():
        raise UsageError(
            f"This schedule mounts a disk, which wants a mount namespace: let `python -m headway.testing.chaos` run it "
            f"(it enters one), or set {NAMESPACE}=1 within `unshare -m`."
        )
    return Disk(scratch / "disk")


class _Conductor:
    def __init__(self, project: Project, study: StudyFacts, schedule: Schedule, disk: Disk | None) -> None:
        self._project = project
        self._study = study
        self._strikes = list(schedule.strikes)
        # A run log that was written over ends its trial as failed: then not all trials can be as they were.
        self._spoiled = any(isinstance(item.fault, Corrupt) and item.fault.piece == "run log" for item in self._strikes)
        self._injector = Injector(project, study.name, disk, random.Random(schedule.seed))
        self._last = EMPTY
        self._outcome = Outcome(study=study.name)

    def run(self, reference: Answer) -> Outcome:
        self._project.set_clock(0.0)
        most = len(self._strikes) + _MORE_SESSIONS
        while self._strikes or not self._finished:
            if self._outcome.sessions == most:
                self._outcome.note("session", [f"the study is not finished after {most} sessions"])
                return self._outcome
            if not self._session():
                return self._outcome
        self._close(reference)
        return self._outcome

    @property
    def _finished(self) -> bool:
        return self._last.states.get(self._study.name) == "finished"

    def _session(self) -> bool:
        """Play one session to its end; tell whether another one makes sense."""
        file, name = str(self._project.file), self._study.name
        again = name in self._last.states and not self._finished
        words = ("resume", name) if again else ("run", file, "--study", name)
        session = Session(self._project, self._outcome.sessions, *words, "--plain")
        self._outcome.sessions += 1
        struck = self._strike_all(session)
        ended = session.finish(_SESSION_SECONDS)
        if ended is None:
            self._outcome.note("session", [f"session {self._outcome.sessions} hung for {_SESSION_SECONDS:.0f} s"])
            session.kill()
            return False
        self._look()
        self._judge(ended, struck)
        if struck:
            time.sleep(struck[-1].rest_seconds)
        elif self._strikes and self._finished:  # its moment did not come in a whole session
            self._outcome.missed.append(str(self._strikes.pop(0)))
        self._outcome.note("clear", self._injector.between_sessions())
        return ended.code in (_KILLED, _DONE, STORE_ERROR) or (ended.code == _BASELINE_FAILED and self._spoiled)

    def _strike_all(self, session: Session) -> list[Strike]:
        struck: list[Strike] = []
        while self._strikes and session.wait_for(self._strikes[0].moment, _PATIENCE_SECONDS):
            strike = self._strikes.pop(0)
            struck.append(strike)
            self._outcome.struck.append(str(strike))
            self._outcome.note("clear", (f"{strike}: {text}" for text in self._injector.strike(session, strike.fault)))
        return struck

    def _judge(self, ended: Finished, struck: Sequence[Strike]) -> None:
        """Say what is wrong with the way in which a session ended."""
        where = f"session {self._outcome.sessions}"
        match ended.code:
            case 0 if self._finished:
                pass
            case -9 if struck:
                pass
            case 5 if struck and isinstance(struck[-1].fault, FillDisk | ReadOnly):
                self._outcome.note("clear", unclear(f"{where}, {struck[-1].fault}", ended))
            case 10 if self._spoiled:
                pass
            case code:
                after = f" after {struck[-1]}" if struck else ""
                self._outcome.note("session", [f"{where}{after} ended with code {code}: {ended.last_words}"])

    def _look(self) -> None:
        """Hold the record against what it said before this session."""
        now = take_snapshot(self._project.store)
        where = f"after session {self._outcome.sessions}: "
        self._outcome.note("lost", (where + text for text in lost(self._last, now)))
        self._outcome.note("twice", (where + text for text in finished_twice(now)))
        self._outcome.note("sound", (where + text for text in now.problems))
        self._last = now

    def _close(self, reference: Answer) -> None:
        left = self._project.wait_until_alone()
        self._outcome.note("alone", (f"process {pid} is left: {line}" for pid, line in left.items()))
        self._outcome.note("tidy", unclean(self._last, self._project.store))
        answer = answer_of(self._project, self._study.name)
        self._outcome.trials, self._outcome.sentence = len(answer.trials), answer.sentence
        same = self._study.order_free and not self._spoiled
        self._outcome.note("verdict", differences(answer, reference, verdict=same))
