"""`headway run` and `headway resume`: load a study file, run its studies, and say what came of them."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import NotFound, NothingToDo, UsageError, suggestion
from headway.interfaces.agents.whereabouts import changes_code
from headway.interfaces.cli.app import command
from headway.interfaces.cli.places import engine_alive, open_store, project_root, study_named, study_state
from headway.interfaces.cli.repositories import CLOSE_AFTER, RepositoryOptions, repository_options, study_of_folder
from headway.interfaces.cli.sessions import EXITS, Options, run_all, session_options, with_budget
from headway.interfaces.cli.words import echo, echo_json

if TYPE_CHECKING:
    from headway.store import Store, StudyRecord
    from headway.studies import Declaration

__all__ = ["resume", "run", "study_of"]


@command("Run the studies of a file, to their verdicts; or a repository, open for changes of its code.", EXITS)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE|FOLDER")
@click.option("--study", "name", metavar="NAME", help="Run only this study of the file; name that of a repository.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and run nothing.")
@repository_options
@session_options
def run(
    file: Path,
    name: str | None,
    dry_run: bool,
    store: Path | None,
    as_json: bool,
    repository: RepositoryOptions,
    **session: Any,
) -> None:
    """Run the studies of FILE, one after the other, each to its verdict.

    A FOLDER with a repository in a layout that Headway knows (karpathy/autoresearch, helix, pi/codex, OpenEvolve,
    ShinkaEvolve, headway.toml) needs no study file: its last commit is the baseline, 'headway propose' and agents
    ('headway mcp') bring changes of its code, each is judged as it comes, and the study stays open until its budget is
    spent or Ctrl-C pauses it. Its code runs in a sandbox.

    A study that was run before goes on where it was; what the record can answer is not run again. Ctrl-C pauses it, a
    second Ctrl-C ends it at once; 'headway resume' goes on.
    """
    from headway.studies import studies_in

    options = Options(store=store, as_json=as_json, **session)
    if file.is_dir():
        studies = [study_of_folder(file, name, repository, store)]
    else:
        repository.refuse_for_files()
        studies = _chosen(studies_in(file), name, file)
    if dry_run:
        from headway.interfaces.cli.preview import preview

        previews = [preview(with_budget(study, options), store, options.workers) for study in studies]
        echo_json({"studies": [item.to_json() for item in previews]}) if as_json else echo(
            [line for item in previews for line in item.lines()]
        )
        return
    run_all(studies, options)


@command("Go on with a study that was paused or cut off.", {**EXITS, 7: "no study is left to resume"})
@click.argument("name", required=False)
@click.option("--close-after", type=click.FloatRange(min=0), metavar="SECONDS", help=CLOSE_AFTER)
@session_options
def resume(name: str | None, close_after: float | None, store: Path | None, as_json: bool, **session: Any) -> None:
    """Go on with the study NAME: by default the one that changed last and has no verdict yet.

    Finished trials are not run again, and paused ones go on from their checkpoints.
    """
    with open_store(store) as opened:
        record = _resumable(opened, name)
        folder = opened.folder
        study = study_of(opened, record)
        study.close_after = close_after
    run_all([study], Options(store=folder, as_json=as_json, **session))


def study_of(store: "Store", record: "StudyRecord") -> "Declaration":
    """Load the file that a recorded study was declared in, and return the study; a follow-up is made anew from it."""
    from headway.studies import studies_in
    from headway.studies.followups import rebuilt
    from headway.studies.from_folder import study_again

    if changes_code(record) and record.definition.get("follows") is None:
        return study_again(record)
    file, follows = _file_of(store, record), record.definition.get("follows")
    found = studies_in(file)
    name = record.name if follows is None else follows["study"]
    if name not in found:
        raise NotFound(
            f"{file} declares no study {name!r} any more; it has {', '.join(map(repr, found))}. "
            f"Give it its name back, or type: headway run {file}"
        )
    return found[name] if follows is None else rebuilt(found[name], record)


def _chosen(found: "dict[str, Declaration]", name: str | None, file: Path) -> "list[Declaration]":
    if name is None:
        return list(found.values())
    if name in found:
        return [found[name]]
    raise NotFound(f"{file} declares no study {name!r}. {suggestion(name, found)}")


def _resumable(store: "Store", name: str | None) -> "StudyRecord":
    if name is not None:
        from headway.engine import refuse_busy

        study = study_named(store, name)
        refuse_busy(study)
        if study.state == "finished" and not store.studies.waiting(study.id):
            how = f"run {study.source}"
            if "proposers" in study.definition:
                how = f"evolve {shlex.quote(study.source)} --study {shlex.quote(name)}"
            raise NothingToDo(
                f"The study {name!r} is finished: see 'headway show {shlex.quote(name)}'. To search on, run it with a "
                f"larger budget: headway {how} --budget TEXT"
            )
        return study
    studies = store.studies.all()
    left = [study for study in studies if _open(store, study)]
    if not left:
        running = [study.name for study in studies if engine_alive(study)]
        there = f"{', '.join(running)} runs now" if running else "every study is finished" if studies else "it is empty"
        raise NothingToDo(f"No study of {store.folder} is left to resume: {there}. Begin one with: headway run FILE")
    return left[0]


def _open(store: "Store", study: "StudyRecord") -> bool:
    state = study_state(study)
    return state not in ("finished", "running") or (state == "finished" and store.studies.waiting(study.id) > 0)


def _file_of(store: "Store", study: "StudyRecord") -> Path:
    if not study.source:
        raise UsageError(f"The study {study.name!r} was declared in a notebook or a shell. Go on there: study.run().")
    file = project_root(store) / study.source
    if not file.is_file():
        raise NotFound(f"The study file {file} of {study.name!r} is gone. Where it lies now, type: headway run FILE")
    return file
