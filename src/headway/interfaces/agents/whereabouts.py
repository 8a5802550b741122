"""Where things are and what runs: the store's folder in commands, whether an engine lives, how to start one."""

import shlex
from pathlib import Path
from typing import Any

from headway.core import NotFound, nearest
from headway.store import FOLDER, Store, StudyRecord, find_root

__all__ = [
    "changes_code",
    "default_folder",
    "engine_alive",
    "engine_json",
    "project_root",
    "start_command",
    "stays_open",
    "store_flag",
    "study_named",
    "study_state",
    "the_study",
]

_OPEN = "The study stays open: propose at any time, and each idea gets a verdict as it comes."


def default_folder() -> Path:
    """Return the store that belongs to the working directory, whether it exists or not."""
    return find_root(Path.cwd()) / FOLDER


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
    store.database.refuse_damage()  # a damaged file can look like an empty one
    near = nearest(name, [study.name for study in store.studies.all()])
    if near is not None:
        raise NotFound(f"The store {store.folder} has no study {name!r}. Did you mean {near!r}?")
    return store.studies.get(name)


def the_study(store: Store, name: str | None) -> StudyRecord:
    """Return the study of that name; without a name the only one, or raise `NotFound` with the names that there are."""
    if name is not None:
        return study_named(store, name)
    studies = store.studies.all()
    if not studies:
        raise NotFound(f"The store {store.folder} holds no study yet. A person types: headway run study.py")
    if len(studies) > 1:
        names = ", ".join(repr(study.name) for study in studies[:20])
        more = f" and {len(studies) - 20} more" if len(studies) > 20 else ""
        raise NotFound(f"The store holds {len(studies)} studies: {names}{more}. Say which one is meant: study=NAME.")
    return studies[0]


def engine_alive(study: StudyRecord) -> bool:
    """Tell whether an engine runs the study now: its lease names a process that is alive."""
    if study.lease_pid is None or study.lease_started is None:
        return False
    from headway.sandbox import processes

    return processes.alive(study.lease_pid, study.lease_started)


def study_state(study: StudyRecord) -> str:
    """Return the state as it is, and not as a dead engine left it: such a study is `interrupted`."""
    if engine_alive(study):
        return "running"
    return "interrupted" if study.state == "running" else study.state


def stays_open(study: StudyRecord) -> bool:
    """Tell whether a study judges ideas as they come, for as long as it runs."""
    return study.definition.get("rule") == "stream"


def changes_code(study: StudyRecord) -> bool:
    """Tell whether a study's candidates may change the code of a repository."""
    return "repository" in study.definition


def engine_json(store: Store, study: StudyRecord) -> dict[str, Any]:
    """Say whether an engine runs the study; where none does, how a person starts one."""
    if engine_alive(study):
        return {"running": True, "note": _OPEN} if stays_open(study) else {"running": True}
    return {
        "running": False,
        "start": start_command(store, study),
        "note": "Proposals are kept in the queue until an engine runs. Ask a person to type the command, or type it.",
    }


def start_command(store: Store, study: StudyRecord) -> str:
    """Return the command that lets an engine take what waits in a study's queue."""
    if not study.source:
        return "study.run() where it was declared"
    file = shlex.quote(str(project_root(store) / study.source))
    named = f" --study {shlex.quote(study.name)}" if changes_code(study) else ""
    return f"headway run {file}{named}{_larger_budget(store, study)}{store_flag(store.folder)}"


def _larger_budget(store: Store, study: StudyRecord) -> str:
    """Return the flag without which the study would not take a candidate, because it has spent its budget."""
    limit = study.settings.get("budget", {}).get("trials")
    if limit is None:
        return ""
    executed = store.places.tally(study.id).executed
    confirmation = study.definition["finalists"] * study.definition["seeds"]
    needed = executed + confirmation + store.studies.waiting(study.id)
    return f" --budget '{needed} trials'" if study.state == "finished" and needed > limit else ""
