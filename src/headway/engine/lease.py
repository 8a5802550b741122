"""One engine a study: a lease in the store, known by pid and start time. A dead engine's lease is taken over."""

import os
import shlex

from headway.core import StoreError, StudyBusy
from headway.sandbox import processes
from headway.store import Store, StudyRecord

__all__ = ["MARK", "mark", "own_mark", "refuse_busy", "release", "take"]

MARK = "HEADWAY_ENGINE"

# Studies, by name and creation, that an engine of this process (a notebook's, say) could not give back on a full disk.
_left: set[tuple[str, float]] = set()


def mark(pid: int, started: float) -> str:
    """Return what an engine puts into the environment of all that it starts: NAME=value."""
    return f"{MARK}={pid}:{started:.0f}"


def own_mark() -> str:
    """Return the mark of this process."""
    return mark(os.getpid(), processes.start_time(os.getpid()) or 0.0)


def refuse_busy(study: StudyRecord) -> None:
    """Raise `StudyBusy` where a living engine runs the study: before anything of it is touched."""
    if study.lease_pid is None or study.lease_started is None or _left_here(study):
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
    if previous is not None and not _left_here(study):
        # Before the lease shows another engine, whose own death would hide what this one left.
        processes.end_carrying(mark(*previous))
    if not store.studies.take_lease(study.id, os.getpid(), processes.start_time(os.getpid()) or 0.0, previous):
        raise StudyBusy(f"Another engine took the study {name!r} this moment. See: headway status {name}")
    _left.discard((study.name, study.created))
    return previous is not None


def release(store: Store, study: StudyRecord, state: str) -> None:
    """Give the study back."""
    try:
        store.studies.release_lease(study.id, os.getpid(), state)
    except StoreError:
        _left.add((study.name, study.created))
        raise


def _left_here(study: StudyRecord) -> bool:
    return study.lease_pid == os.getpid() and (study.name, study.created) in _left
