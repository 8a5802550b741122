"""Which store, study and trial a command means."""

from pathlib import Path

from headway.core import NotFound, NothingToDo, UsageError
from headway.interfaces.agents.whereabouts import (
    default_folder,
    engine_alive,
    project_root,
    store_flag,
    study_named,
    study_state,
)
from headway.store import Store, StudyRecord, TrialRecord

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


def open_store(folder: Path | None) -> Store:
    """Open the given store, or the one that belongs to the working directory; never make one."""
    chosen = (folder or default_folder()).absolute()
    if not (chosen / "store.sqlite").exists():
        raise NotFound(
            f"There is no store at {chosen}. Type 'headway init' to begin, go to the project's folder, or name a store "
            "with --store FOLDER."
        )
    return Store.open(chosen, create=False)


def latest_study(store: Store, name: str | None) -> StudyRecord:
    """Return the study of that name; without a name, the one that changed last."""
    if name is not None:
        return study_named(store, name)
    studies = store.studies.all()
    if not studies:
        store.database.refuse_damage()
        raise NothingToDo(f"The store {store.folder} holds no study yet. Type: headway run study.py")
    return studies[0]


def trial_numbered(store: Store, text: str) -> TrialRecord:
    """Return the trial that a person named: 12 or #12."""
    digits = text.removeprefix("#")
    if not digits.isdecimal():
        raise UsageError(f"{text!r} is no trial. Trials are numbers such as 12; 'headway trials' lists them.")
    return store.trials.get(int(digits))
