"""What `headway run FOLDER` adds: a repository as a study, without a study file."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import UsageError
from headway.interfaces.agents.whereabouts import changes_code
from headway.interfaces.cli.app import Named

if TYPE_CHECKING:
    from headway.studies import Declaration

__all__ = ["CLOSE_AFTER", "RepositoryOptions", "found_root", "repository_options", "study_of_folder"]

CLOSE_AFTER = "Repository: end when nothing was left to do for so long; 0: when the queue is empty."
_TIME_LIMIT = "Repository: end a run sooner than its layout would (autoresearch: 600 s)."


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryOptions:
    """Hold what was asked of the study of a repository."""

    tag: str | None
    seeds: int | None
    tune: str | None
    cores: int | None
    gpus: int | None
    unsafe: bool
    time_limit: float | None
    close_after: float | None

    def refuse_for_files(self) -> None:
        """Raise `UsageError` where one was given beside a study file, which says these things itself."""
        for field in fields(self):
            if getattr(self, field.name) not in (None, False):
                flag = "--" + field.name.replace("_", "-")
                raise UsageError(f"{flag} is for repositories (headway run FOLDER); a study file says it itself.")


def repository_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of repositories, and hand them on as one value `repository`."""

    @functools.wraps(function)
    def gathered(**given: Any) -> Any:
        own = {field.name: given.pop(field.name) for field in fields(RepositoryOptions)}
        return function(repository=RepositoryOptions(**own), **given)

    for option in (
        click.option("--close-after", type=click.FloatRange(min=0), metavar="SECONDS", help=CLOSE_AFTER),
        click.option("--time-limit", type=click.FloatRange(min=1), metavar="SECONDS", help=_TIME_LIMIT),
        click.option("--unsafe", is_flag=True, help="Repository: run its code without a sandbox."),
        click.option(
            "--tune",
            type=Named(["tpe", "sobol", "random"]),
            metavar="SAMPLER",
            help="Repository: let a sampler turn the constants of its code while no change waits.",
        ),
        click.option(
            "--gpus", type=click.IntRange(min=0), help="Repository: GPUs of a run (default: 1 of those there are)."
        ),
        click.option("--cores", type=click.IntRange(min=1), help="Repository: cores of a run (default: 1)."),
        click.option("--seeds", type=click.IntRange(min=2), help="Repository: seeds of a verdict (default: 6)."),
        click.option("--tag", metavar="TAG", help="Repository: the branch of what is accepted (default: the day)."),
    ):
        gathered = option(gathered)
    return gathered


def study_of_folder(folder: Path, name: str | None, asked: RepositoryOptions, store: Path | None) -> "Declaration":
    """Return the study of a repository: the one that the record has of this name or tag, else a new one.

    `store` is by default the one of the repository's project. Raises `UsageError` for a folder without a known layout.
    """
    from headway.store import FOLDER, Store, find_root
    from headway.studies.from_folder import repository_study, study_again, study_name

    root = found_root(folder)
    place = store or find_root(root) / FOLDER
    with Store.open(place) as opened:
        known = opened.studies.find(study_name(root, asked.tag, name))
    if known is not None and changes_code(known):  # its baseline is the commit that it began with
        return study_again(known, close_after=asked.close_after)
    given: dict[str, Any] = {
        name: value for name in ("seeds", "cores", "gpus") if (value := getattr(asked, name)) is not None
    }
    return repository_study(
        root,
        place,
        tag=asked.tag,
        name=name,
        sampler=asked.tune,
        unsafe=asked.unsafe,
        time_limit=asked.time_limit,
        close_after=asked.close_after,
        **given,
    )


def found_root(folder: Path) -> Path:
    """Return the root of the repository in a folder; raise `UsageError` where it has no known layout."""
    from headway.experiments.layouts import find_layout

    try:
        return find_layout(folder).root
    except UsageError as error:
        files = sorted(os.path.relpath(path) for path in folder.glob("*.py"))
        raise UsageError(f"{error}{_suggested(files)}") from error


def _suggested(files: list[str]) -> str:
    if not files:
        return ""
    more = f" (or another one: {', '.join(files[1:6])})" if len(files) > 1 else ""
    return f" If you mean a study file in it, type: headway run {files[0]}{more}"
