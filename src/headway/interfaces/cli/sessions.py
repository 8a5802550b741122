"""A session of studies from the command line: the options that all such commands share, the runs, the last words."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import Budget, UsageError
from headway.interfaces.cli.app import PAUSED, Named
from headway.interfaces.cli.detail import figures_text
from headway.interfaces.cli.places import store_flag
from headway.interfaces.cli.words import change_text, echo, echo_json, fact_lines, styled, wrapped

if TYPE_CHECKING:
    from headway.studies import Declaration, StudySummary

__all__ = ["BASELINE_FAILED", "EXITS", "Options", "run_all", "session_options", "with_budget"]

BASELINE_FAILED = 10
EXITS = {
    3: "the study is in the record with another definition",
    4: "another engine runs the study",
    6: "an optional package is not installed",
    BASELINE_FAILED: "the baseline failed, so nothing could be compared with it",
    PAUSED: "paused; 'headway resume' goes on",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Hold what was asked of a session."""

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


def session_options(function: Any) -> Any:
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


def run_all(studies: "Sequence[Declaration]", options: Options) -> "list[StudySummary]":
    """Run studies one after the other and say what came of each; end the command if one was paused or failed."""
    from headway.engine import check_needs

    for study in studies:  # all of them, before the first one runs for hours
        study.check_sampler()
        check_needs(study.experiment.needs)
    summaries: list[StudySummary] = []
    for study in studies:
        summaries.append(summary := _run_one(with_budget(study, options), options))
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
    return summaries


def _run_one(study: "Declaration", options: Options) -> "StudySummary":
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
            who = ", ".join(study.proposers) or study.sampler
            observer.note(f"{study.name}: {study.experiment.metric}, {study.budget}, {who}. Store: {folder}")
        if study.rule == "stream" and not options.as_json:
            name = shlex.quote(study.name)
            observer.note(
                f"Open for changes: headway propose {name} --from FOLDER --note WHY   (agents: headway mcp). Ctrl-C "
                "pauses it."
            )
        return run_study(study, folder, settings, observer)


def with_budget(study: "Declaration", options: Options) -> "Declaration":
    """Give a study the budget that was asked for, if one was."""
    if options.budget is not None:
        budget = Budget.parse(options.budget)
        searches = bool(study.experiment.space.parameters) or study.rule == "evolve"
        if searches and budget.trials is not None and budget.trials < study.smallest:
            raise UsageError(
                f"A budget of {budget.trials} trials cannot reach a verdict on {study.name!r}. Give at least "
                f"{study.smallest}: --budget '{study.smallest} trials'."
            )
        study.budget = budget
    return study


def _closing(study: "Declaration", summary: "StudySummary", options: Options) -> list[str]:
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
    if best is None:
        return ""
    change = change_text(best.config, summary.baseline, code=best.changes_code, note=best.note)
    return f"#{best.number}  {change}"
