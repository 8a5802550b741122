"""`headway run` and `headway resume`: load a study file, run its studies, and say what came of them."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import Budget, NotFound, NothingToDo, UsageError, suggestion
from headway.interfaces.cli.app import PAUSED, Named, command
from headway.interfaces.cli.detail import figures_text
from headway.interfaces.cli.places import (
    engine_alive,
    open_store,
    project_root,
    store_flag,
    study_named,
    study_state,
)
from headway.interfaces.cli.words import config_text, echo, echo_json, fact_lines, styled, wrapped

if TYPE_CHECKING:
    from headway.store import Store, StudyRecord
    from headway.studies import Declaration, StudySummary

__all__ = ["resume", "run"]

BASELINE_FAILED = 10
_EXITS = {
    3: "the study is in the record with another definition",
    4: "another engine runs the study",
    6: "an optional package is not installed",
    BASELINE_FAILED: "the baseline failed, so nothing could be compared with it",
    PAUSED: "paused; 'headway resume' goes on",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    workers: int | None
    budget: str | None
    backend: str
    retry_failed: bool
    store: Path | None
    as_json: bool
    plain: bool

    @property
    def live(self) -> bool:
        """Tell whether to draw: somebody looks at both streams, and wants it."""
        return not self.as_json and not self.plain and sys.stdout.isatty() and sys.stderr.isatty()

    def flags(self, folder: Path) -> str:
        """Return the flags that a later command needs to go on in the same way."""
        text = "" if self.workers is None else f" --workers {self.workers}"
        text += "" if self.budget is None else f" --budget {shlex.quote(self.budget)}"
        text += "" if self.backend == "local" else f" --backend {self.backend}"
        return text + store_flag(folder)


def _session(function: Any) -> Any:
    """Add the options that `run` and `resume` share."""
    for option in (
        click.option("--workers", type=click.IntRange(min=1), help="Trials at a time (default: as many as fit)."),
        click.option(
            "--budget", metavar="TEXT", help="Replace the file's budget: '24 trials', '2 hours', '50 trials or 8 h'."
        ),
        click.option(
            "--backend",
            type=Named(["local", "spawn", "inline"]),
            default="local",
            show_default=True,
            help="How trials run: local (warm workers), spawn (fresh interpreters), inline (here, to debug).",
        ),
        click.option("--retry-failed", is_flag=True, help="Run failed trials again, as after their cause was mended."),
        click.option("--plain", is_flag=True, help="Write plain lines, also on a terminal."),
    ):
        function = option(function)
    return function


@command("Run the studies of a file, to their verdicts.", _EXITS)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--study", "name", metavar="NAME", help="Run only this study of the file.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and run nothing.")
@_session
def run(
    file: Path,
    name: str | None,
    dry_run: bool,
    store: Path | None,
    as_json: bool,
    **session: Any,
) -> None:
    """Run the studies of FILE, one after the other, each to its verdict.

    A study that was run before goes on where it was; what the record can answer is not run again. Ctrl-C pauses it, a
    second Ctrl-C ends it at once; 'headway resume' goes on.
    """
    from headway.studies import studies_in

    options = _Options(store=store, as_json=as_json, **session)
    studies = _chosen(studies_in(file), name, file)
    if dry_run:
        from headway.interfaces.cli.preview import preview

        previews = [preview(_with_budget(study, options), store, options.workers) for study in studies]
        echo_json({"studies": [item.to_json() for item in previews]}) if as_json else echo(
            [line for item in previews for line in item.lines()]
        )
        return
    _run_all(studies, options)


@command("Go on with a study that was paused or cut off.", {**_EXITS, 7: "no study is left to resume"})
@click.argument("name", required=False)
@_session
def resume(name: str | None, store: Path | None, as_json: bool, **session: Any) -> None:
    """Go on with the study NAME: by default the one that changed last and has no verdict yet.

    Finished trials are not run again, and paused ones go on from their checkpoints.
    """
    with open_store(store) as opened:
        record = _resumable(opened, name)
        folder, file = opened.folder, _file_of(opened, record)
    from headway.studies import studies_in

    found = studies_in(file)
    if record.name not in found:
        raise NotFound(
            f"{file} declares no study {record.name!r} any more; it has {', '.join(map(repr, found))}. "
            f"Give it its name back, or type: headway run {file}"
        )
    _run_all([found[record.name]], _Options(store=folder, as_json=as_json, **session))


def _run_all(studies: "list[Declaration]", options: _Options) -> None:
    from headway.engine import check_needs

    for study in studies:  # all of them, before the first one runs for hours
        study.check_sampler()
        check_needs(study.experiment.needs)
    summaries: list[StudySummary] = []
    for study in studies:
        summaries.append(summary := _run_one(_with_budget(study, options), options))
        if not options.as_json:
            echo(_closing(study, summary, options))
        if summary.study.state != "finished":
            break
    if options.as_json:
        echo_json({"studies": [summary.to_json() for summary in summaries]})
    if summaries[-1].study.state != "finished":
        click.get_current_context().exit(PAUSED)
    if any(summary.candidates and summary.candidates[0].state == "failed" for summary in summaries):
        click.get_current_context().exit(BASELINE_FAILED)


def _run_one(study: "Declaration", options: _Options) -> "StudySummary":
    from headway.engine import EngineSettings, refuse_busy
    from headway.interfaces.cli.progress import observing
    from headway.interfaces.cli.tally import Before
    from headway.store import Store
    from headway.studies import run_study

    folder = study.store_folder(options.store)
    with Store.open(folder) as store:
        if (record := store.studies.find(study.name)) is not None:
            refuse_busy(record)
        before = Before.of(store, study.name)
    settings = EngineSettings(
        workers=options.workers or study.workers, backend=options.backend, retry_failed=options.retry_failed
    )
    with observing(study, before, live=options.live) as observer:
        if not options.as_json:
            observer.note(f"{study.name}: {study.experiment.metric}, {study.budget}, {study.sampler}. Store: {folder}")
        return run_study(study, folder, settings, observer)


def _with_budget(study: "Declaration", options: _Options) -> "Declaration":
    if options.budget is not None:
        budget = Budget.parse(options.budget)
        if study.experiment.space.parameters and budget.trials is not None and budget.trials < study.smallest:
            raise UsageError(
                f"A budget of {budget.trials} trials cannot reach a verdict on {study.name!r}. Give at least "
                f"{study.smallest}: --budget '{study.smallest} trials'."
            )
        study.budget = budget
    return study


def _chosen(found: "dict[str, Declaration]", name: str | None, file: Path) -> "list[Declaration]":
    if name is None:
        return list(found.values())
    if name in found:
        return [found[name]]
    raise NotFound(f"{file} declares no study {name!r}. {suggestion(name, found)}")


def _closing(study: "Declaration", summary: "StudySummary", options: _Options) -> list[str]:
    name, folder = shlex.quote(study.name), study.store_folder(options.store)
    if summary.study.state != "finished":
        return ["", f"Paused. Go on with: {styled(f'headway resume {name}{options.flags(folder)}', bold=True)}"]
    flag = store_flag(folder)
    follow = [f"headway trials {name}{flag}", f"headway show {name}{flag}"]
    if summary.best is not None:
        first = next((place.trial.id for place in summary.best.trials), None)
        start = next((place.trial.id for place in summary.candidates[0].trials), None)
        if first is not None and start is not None:
            follow.append(f"headway compare {start} {first}{flag}")
    return [
        "",
        styled(wrapped(summary.sentence), bold=True),
        "",
        *fact_lines([
            ("accepted", _best_text(summary)),
            ("figures", figures_text(summary.figures)),
            ("report", summary.report or ""),
            ("next", "\n".join(follow)),
        ]),
    ]  # fmt: skip


def _best_text(summary: "StudySummary") -> str:
    best = summary.best
    return "" if best is None else f"#{best.number}  {config_text(best.config, summary.baseline)}"


def _resumable(store: "Store", name: str | None) -> "StudyRecord":
    if name is not None:
        from headway.engine import refuse_busy

        study = study_named(store, name)
        refuse_busy(study)
        if study.state == "finished" and not store.studies.waiting(study.id):
            raise NothingToDo(
                f"The study {name!r} is finished: see 'headway show {shlex.quote(name)}'. To search on, run its file "
                f"with a larger budget: headway run {study.source} --budget TEXT"
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
