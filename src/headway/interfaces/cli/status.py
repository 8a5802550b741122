"""`headway status`: all studies in a table, or one of them in detail."""

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import TrialState, UsageError
from headway.interfaces.cli.app import PAUSED, command
from headway.interfaces.cli.detail import study_json, study_lines
from headway.interfaces.cli.places import engine_alive, open_store, store_flag, study_named, study_state
from headway.interfaces.cli.words import Column, echo, echo_json, number_text, state_text, styled, table_lines

if TYPE_CHECKING:
    from headway.store import Store
    from headway.studies import StudySummary

__all__ = ["status"]

_WATCH_SECONDS = 1.0
_ROWS, _JSON_ROWS = 12, 200  # candidates: `show --json` and `export` give all


@command("List all studies, or show one: now, or live.", {PAUSED: "--watch was ended with Ctrl-C"})
@click.argument("name", required=False)
@click.option("--watch", is_flag=True, help="Show it again every second, until nothing runs.")
def status(name: str | None, watch: bool, store: Path | None, as_json: bool) -> None:
    """List all studies, or show the study NAME: where it stands, what runs, the best so far, the verdict."""
    if watch and as_json:
        raise UsageError("--watch and --json exclude each other: one JSON document cannot change. Ask again instead.")
    with open_store(store) as opened:
        if as_json:
            echo_json(_json(opened, name))
        elif watch:
            _watch(opened, name)
        else:
            echo(_lines(opened, name))


def _json(store: "Store", name: str | None) -> dict[str, Any]:
    from headway.studies.summary import summarize

    if name is not None:
        return study_json(store, summarize(store, study_named(store, name), rows=_JSON_ROWS))
    return {
        "store": str(store.folder),
        "studies": [_row_json(summarize(store, item, rows=1)) for item in store.studies.all()],
    }


def _lines(store: "Store", name: str | None) -> list[str]:
    from headway.studies.summary import summarize

    if name is not None:
        return study_lines(store, summarize(store, study_named(store, name), rows=_ROWS))
    studies = store.studies.all()
    if not studies:
        return [f"The store {store.folder} holds no study yet. Type: headway run study.py"]
    columns = [
        Column("study"),
        Column("state"),
        Column("done", right=True),
        Column("running", right=True),
        Column("failed", right=True),
        Column("best", right=True),
        Column("verdict", elastic=True),
    ]
    return [*table_lines(columns, [_row(summarize(store, study, rows=1)) for study in studies]), "", _advice(store)]


def _row(summary: "StudySummary") -> list[str]:
    data = _row_json(summary)
    best = "–" if data["best_value"] is None else f"{summary.metric} {number_text(data['best_value'])}"
    running, failed = data["trials"]["running"], data["trials"]["failed"]
    return [
        summary.study.name,
        state_text(data["state"]),
        str(data["trials"]["done"]),
        str(running or "–"),
        styled(str(failed), fg="red") if failed else "–",
        best,
        summary.sentence,
    ]


def _row_json(summary: "StudySummary") -> dict[str, Any]:
    from headway.studies.summary import best_so_far

    best = best_so_far(summary)
    running = summary.count(TrialState.RUNNING) if engine_alive(summary.study) else 0
    return {
        "study": summary.study.name,
        "state": study_state(summary.study),
        "metric": summary.metric,
        "direction": summary.direction,
        "trials": {
            "done": summary.tally.ended,
            "running": running,
            "failed": summary.count(TrialState.FAILED),
        },
        "best_value": None if best is None else best.value,
        "decisions": {item.candidate: item.decision for item in summary.verdicts},
        "sentence": summary.sentence,
        "updated": summary.study.updated,
    }


def _advice(store: "Store") -> str:
    flag = store_flag(store.folder)
    for study in store.studies.all():
        if study_state(study) in ("paused", "interrupted"):
            return f"Next: headway resume {shlex.quote(study.name)}{flag}"
    return f"Next: headway status {shlex.quote(store.studies.all()[0].name)}{flag}"


def _watch(store: "Store", name: str | None) -> None:
    terminal, shown = sys.stdout.isatty(), ""
    while True:
        text = "\n".join(_lines(store, name))
        if text != shown:
            echo(_redrawn(text, first=not shown) if terminal else text)
            shown = text
        studies = [study_named(store, name)] if name is not None else store.studies.all()
        if not any(engine_alive(study) for study in studies):
            return
        time.sleep(_WATCH_SECONDS)


def _redrawn(text: str, *, first: bool) -> str:
    """Write over what stands there, each line's rest erased and then all below, so that nothing flickers."""
    begin = "\x1b[2J\x1b[H" if first else "\x1b[H"
    return begin + text.replace("\n", "\x1b[K\n") + "\x1b[K\n\x1b[J"
