"""Let faults happen to a session. Each returns what was noticed that must not be; no sentence is the good answer."""

import contextlib
import os
import random
import shutil
import signal
import time
from pathlib import Path

from headway.store import RunLogReader, Store
from headway.testing.chaos.disk import Disk
from headway.testing.chaos.faults import ClockJump, Corrupt, Delay, Fault, FillDisk, Freeze, Kill, ReadOnly, Whom
from headway.testing.chaos.invariants import fold_log, take_snapshot
from headway.testing.chaos.project import Finished, Member, Project
from headway.testing.chaos.session import Session

__all__ = ["STORE_ERROR", "Injector", "unclear"]

_BEAT_SECONDS = 0.1  # of a slow process: so often it stands still
_BUSY, STORE_ERROR = 4, 5  # exit codes of the command line
_RECORDS_AT = 64  # bytes into a run log
_UNCLEAR = ("refused a statement", "Traceback (most recent call last)")  # in a message that a person is to act upon
_SPARE_SECONDS = 20.0
_COUNTED = ("lost", "signal")  # outcomes of which a trial may have one, and fails at the second


class Injector:
    """Strike the sessions of one case. `disk` is None where the store lies on the machine's own."""

    def __init__(self, project: Project, study: str, disk: Disk | None, chance: random.Random) -> None:
        self._project = project
        self._study = study
        self._disk = disk
        self._chance = chance
        self._clock_seconds = 0.0
        self._mending = False

    def strike(self, session: Session, fault: Fault) -> list[str]:
        """Let a fault happen now."""
        match fault:
            case Kill(whom=whom):
                self._kill(session, whom)
            case Freeze():
                return self._freeze(session, fault)
            case Delay():
                self._delay(session, fault)
            case FillDisk():
                self._fill_disk(session, fault)
            case ReadOnly():
                self._fail_disk(session, fault)
            case Corrupt():
                return self._corrupt(session, fault)
            case ClockJump(seconds=seconds):
                self._clock_seconds += seconds
                self._project.set_clock(self._clock_seconds)
        return []

    def between_sessions(self) -> list[str]:
        """Mend what must be mended before the next session can begin."""
        if self._disk is None:
            return []
        self._disk.free()
        if self._mending:
            there = (self._project.store / "store.sqlite").exists()
            refused = self._project.type(*(("resume", self._study) if there else ("run", str(self._project.file))))
            self._project.wait_until_alone()
            self._disk.mend()
            self._mending = False
            return unclear("the next session, with a read-only store,", refused)
        return []

    def _kill(self, session: Session, whom: Whom) -> None:
        if "engine" not in whom:
            self._spare(session)
        for member in self._some(session.members(whom), whom):
            member.send(signal.SIGKILL)
        if "engine" in whom:
            session.kill()

    def _spare(self, session: Session) -> None:
        """Wait while a trial runs that lost its process before: losing it again is its end, as it should be."""
        deadline = time.monotonic() + _SPARE_SECONDS
        while session.alive and time.monotonic() < deadline and self._tired():
            time.sleep(0.01)

    def _tired(self) -> bool:
        with Store.open(self._project.store, create=False) as store:
            study = store.studies.find(self._study)
            running = [] if study is None else store.trials.open_attempts(study.id)
            return any(one.outcome in _COUNTED for item in running for one in store.trials.attempts(item.trial))

    def _freeze(self, session: Session, fault: Freeze) -> list[str]:
        members = self._some(session.members(fault.whom), fault.whom)
        for member in members:
            member.send(signal.SIGSTOP)
        try:
            began = time.monotonic()
            broken = self._rival(session) if fault.rival else []
            time.sleep(max(0.0, fault.seconds - (time.monotonic() - began)))
        finally:
            for member in members:
                member.send(signal.SIGCONT)
        return broken

    def _rival(self, session: Session) -> list[str]:
        """Let a second engine try to take the study: the lease of a frozen one must hold."""
        engines = take_snapshot(self._project.store).engines  # of a copy: the frozen engine may hold locks
        if engines.get(self._study) not in [engine.pid for engine in session.members("engine")]:
            return []
        ended = self._project.type("resume", self._study)
        if ended.code == _BUSY or (ended.code == STORE_ERROR and "was locked" in ended.errors):
            return []
        return [f"beside a frozen engine, 'headway resume' ended with code {ended.code}: {ended.last_words}"]

    def _delay(self, session: Session, fault: Delay) -> None:
        deadline = time.monotonic() + fault.seconds
        while session.alive and time.monotonic() < deadline:
            members = session.members(fault.whom)
            for member in members:
                member.send(signal.SIGSTOP)
            time.sleep(_BEAT_SECONDS * fault.share)
            for member in members:
                member.send(signal.SIGCONT)
            time.sleep(_BEAT_SECONDS * (1 - fault.share))

    def _fill_disk(self, session: Session, fault: FillDisk) -> None:
        assert self._disk is not None
        self._disk.fill(fault.free_bytes)
        session.finish(fault.seconds)
        self._disk.free()

    def _fail_disk(self, session: Session, fault: ReadOnly) -> None:
        assert self._disk is not None
        everybody = [member for member in map(Member.of, self._project.survivors()) if member is not None]
        for member in everybody:  # what is in flight while a disk fails may be lost; what was written before may not
            member.send(signal.SIGSTOP)
        self._disk.fail()
        for member in everybody:
            member.send(signal.SIGCONT)
        self._mending = True
        if session.finish(fault.seconds) is None:
            session.kill()

    def _corrupt(self, session: Session, fault: Corrupt) -> list[str]:
        match fault.piece:
            case "run log":
                self._corrupt_run_log(fault)
            case "checkpoint":
                self._corrupt_checkpoint(session, fault)
            case "database":
                return self._corrupt_database(session, fault)
        return []

    def _corrupt_run_log(self, fault: Corrupt) -> None:
        for path in sorted(self._project.store.rglob("*.runlog"), key=_age, reverse=True):
            with contextlib.suppress(OSError), RunLogReader(path) as log:
                if log.begun and log.length:
                    _overwrite(path, _RECORDS_AT + int(fault.share * log.length), fault)
                    return

    def _corrupt_checkpoint(self, session: Session, fault: Corrupt) -> None:
        session.kill()
        self._project.wait_until_alone()
        newest = max(self._project.checkpoints(), key=_age, default=None)
        if newest is not None:
            _overwrite(newest, int(fault.share * newest.stat().st_size), fault)

    def _corrupt_database(self, session: Session, fault: Corrupt) -> list[str]:
        """Damage the database while nothing runs, see what Headway says of it, and put the copy back."""
        session.kill()
        self._project.wait_until_alone()
        database, copy = self._project.store / "store.sqlite", self._project.scratch / "store.sqlite"
        if not database.exists():
            return []
        fold_log(database)
        shutil.copyfile(database, copy)
        _overwrite(database, int(fault.share * database.stat().st_size), fault)
        broken: list[str] = []
        if take_snapshot(self._project.store).problems:  # else it hit free pages
            damaged = database.read_bytes()
            broken += unclear("with a damaged database, 'headway resume'", self._project.type("resume", self._study))
            if database.read_bytes() != damaged:
                broken.append("the damaged database was written to")
        for path in self._project.store.glob("store.sqlite*"):
            path.unlink()
        shutil.copyfile(copy, database)
        return broken

    def _some(self, members: list[Member], whom: Whom) -> list[Member]:
        return [self._chance.choice(members)] if whom == "worker" and members else members


def unclear(what: str, ended: Finished) -> list[str]:
    """Say where a command met an unusable store and gave no clear error."""
    if ended.code == STORE_ERROR and not any(sign in ended.errors for sign in _UNCLEAR):
        return []
    return [f"{what} ended with code {ended.code} and said: {ended.last_words or 'nothing'}"]


def _overwrite(path: Path, offset: int, fault: Corrupt) -> None:
    size = min(fault.size_bytes, path.stat().st_size - offset)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes([fault.byte]) * max(0, size))


def _age(path: Path) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
