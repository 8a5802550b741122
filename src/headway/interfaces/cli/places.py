"""Which store, study and trial a command means."""

import shlex
from pathlib import Path

from headway.core import NotFound, NothingToDo, UsageError, nearest
from headway.store import FOLDER, Store, StudyRecord, TrialRecord, find_root

__all__ = [
    "default_folder",
    "engine_alive",
    "latest_study",
    "open_store",
    "project_root",
    "store_flag",
    "study_named",
    "study_state",
    "trial_numbered",
]


def default_folder() -> Path:
    """Return the store that belongs to the working directory, whether it exists or not."""
    return find_root(Path.cwd()) / FOLDER


def open_store(folder: Path | None) -> Store:
    """Open the given store, or the one that belongs to the working directory; never make one."""
    chosen = (folder or default_folder()).absolute()
    if not (chosen / "store.sqlite").exists():
        raise NotFound(
            f"There is no store at {chosen}. Type 'headway init' to begin, go to the project's folder, or name a store "
            "with --store FOLDER."
        )
    return Store.open(chosen, create=False)


def project_root(store: Store) -> Path:
    """Return the folder that the record's paths are relative to."""
    return store.folder.parent if store.folder.name == FOLDER else find_root(Path.cwd())


def store_flag(folder: Path) -> str:
    """Return the flag that leads a later command to this store; empty where it is found without."""
    return "" if folder.absolute() == default_folder().absolute() else f" --store {shlex.quote(str(folder))}"


def study_named(store: Store, name: str) -> StudyRecord:
    """Return the study of that name, or raise `NotFound` with the nearest name."""
    found = store.studies.find(name)
    if found is not None:
        return found
    near = nearest(name, [study.name for study in store.studies.all()])
    if near is not None:
        raise NotFound(f"The store {store.folder} has no study {name!r}. Did you mean {near!r}?")
    return store.studies.get(name)


def latest_study(store: Store, name: str | None) -> StudyRecord:
    """Return the study of that name; without a name, the one that changed last."""
    if name is not None:
        return study_named(store, name)
    studies = store.studies.all()
    if not studies:
        raise NothingToDo(f"The store {store.folder} holds no study yet. Type: headway run study.py")
    return studies[0]


def trial_numbered(store: Store, text: str) -> TrialRecord:
    """Return the trial that a person named: 12 or #12."""
    digits = text.removeprefix("#")
    if not digits.isdecimal():
        raise UsageError(f"{text!r} is no trial. Trials are numbers such as 12; 'headway trials' lists them.")
    return store.trials.get(int(digits))


def engine_alive(study: StudyRecord) -> bool:
    """Tell whether an engine runs the study now: its lease names a process that is alive."""
    if study.lease_pid is None or study.lease_started is None:
        return False
    from headway.engine import processes

    return processes.alive(study.lease_pid, study.lease_started)


def study_state(study: StudyRecord) -> str:
    """Return the state as it is, and not as a dead engine left it: such a study is `interrupted`."""
    if engine_alive(study):
        return "running"
    return "interrupted" if study.state == "running" else study.state
