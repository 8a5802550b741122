"""One engine a study: a lease in the store, known by pid and start time. A dead engine's lease is taken over."""

import os
import shlex

from headway.core import StudyBusy
from headway.engine import processes
from headway.store import Store, StudyRecord

__all__ = ["MARK", "mark", "own_mark", "refuse_busy", "release", "take"]

MARK = "HEADWAY_ENGINE"


def mark(pid: int, started: float) -> str:
    """Return what an engine puts into the environment of all that it starts: NAME=value."""
    return f"{MARK}={pid}:{started:.0f}"


def own_mark() -> str:
    """Return the mark of this process."""
    return mark(os.getpid(), processes.start_time(os.getpid()) or 0.0)


def refuse_busy(study: StudyRecord) -> None:
    """Raise `StudyBusy` where a living engine runs the study: before anything of it is touched."""
    if study.lease_pid is None or study.lease_started is None:
        return
    if processes.alive(study.lease_pid, study.lease_started):
        name = shlex.quote(study.name)
        raise StudyBusy(
            f"The study {study.name!r} is running already, in process {study.lease_pid}. Watch it with: "
            f"headway status {name} --watch; end it with: headway stop {name}"
        )


def take(store: Store, name: str) -> bool:
    """Take the study for this process, or raise `StudyBusy` and say who has it. Tell whether a dead engine had it.

    What a dead engine has left running is ended first: should its template have died with it, nobody else would do it.
    """
    study = store.studies.get(name)
    refuse_busy(study)
    previous = None
    if study.lease_pid is not None and study.lease_started is not None:
        previous = (study.lease_pid, study.lease_started)
    if previous is not None:  # before the lease shows another engine, whose own death would hide what this one left
        processes.end_carrying(mark(*previous))
    if not store.studies.take_lease(study.id, os.getpid(), processes.start_time(os.getpid()) or 0.0, previous):
        raise StudyBusy(f"Another engine took the study {name!r} this moment. See: headway status {name}")
    return previous is not None


def release(store: Store, study: int, state: str) -> None:
    """Give the study back."""
    store.studies.release_lease(study, os.getpid(), state)
