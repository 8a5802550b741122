"""`headway trials`: the trials of a study in a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headway.core import TrialState
from headway.interfaces.cli.app import Named, command
from headway.interfaces.cli.places import engine_alive, latest_study, open_store, store_flag
from headway.interfaces.cli.reading import place_json
from headway.interfaces.cli.words import (
    Column,
    change_text,
    echo,
    echo_json,
    number_text,
    seconds_text,
    state_text,
    styled,
    table_lines,
)

if TYPE_CHECKING:
    from headway.store import ProposalRecord, Store, StudyRecord, StudyTrial

__all__ = ["trials"]

_LIMIT = 50
_AT_ONCE = 500  # proposals that are asked for by number; beyond it, all are


@command("List the trials of a study.", {7: "the store holds no study"})
@click.argument("name", required=False)
@click.option("--state", type=Named([str(state) for state in TrialState]), help="Show only trials in this state.")
@click.option(
    "--sort",
    type=Named(["id", "value", "time"]),
    default="id",
    show_default=True,
    help="Order: as they came, the best value first, or the longest first.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"Show at most so many; 0 shows all (default: {_LIMIT} in a table, all in JSON).",
)
@click.option(
    "--best", type=click.IntRange(min=1), metavar="N", help="Show the N complete trials with the best values."
)
def trials(
    name: str | None,
    state: str | None,
    sort: str,
    limit: int | None,
    best: int | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """List the trials of the study NAME: by default of the one that changed last."""
    if best is not None:
        state, sort, limit = str(TrialState.COMPLETE), "value", best
    most = limit if limit is not None else 0 if as_json else _LIMIT
    with open_store(store) as opened:
        study = latest_study(opened, name)
        counts = opened.places.tally(study.id).by_state
        count = sum(counts.values()) if state is None else counts.get(TrialState(state), 0)
        shown = _read(opened, study, None if state is None else TrialState(state), sort, most)
        proposals = _proposals(opened, study, shown)
        flag, alive = store_flag(opened.folder), engine_alive(study)
    if as_json:
        echo_json({"study": study.name, "count": count, "trials": [place_json(place) for place in shown]})
        return
    if not shown:
        which = f" in the state {state}" if state else ""
        echo(f"The study {study.name!r} has no trial{which} yet.")
        return
    echo(table_lines(_columns(study), [_row(place, study, alive, proposals.get(place.number)) for place in shown]))
    rest = f"{len(shown)} of {count} trials of {study.name}. All: --limit 0. " if len(shown) < count else ""
    echo(styled(f"\n{rest}One in detail: headway show {shown[-1].trial.id}{flag}", fg="bright_black"))


def _read(store: "Store", study: "StudyRecord", state: TrialState | None, sort: str, limit: int) -> "list[StudyTrial]":
    """Read the first of a ranking, or the newest where they stand as they came; 0 reads all."""
    if sort == "id":
        found = store.places.of_study(study.id, state=state, order="newest", limit=limit or -1)
        return found[::-1]
    order = "time" if sort == "time" else "lowest" if study.direction == "minimize" else "highest"
    return store.places.of_study(study.id, state=state, order=order, limit=limit or -1)


def _proposals(store: "Store", study: "StudyRecord", shown: "Sequence[StudyTrial]") -> "dict[int, ProposalRecord]":
    """Return the proposals that trials are of, by number, where they change code: a configuration does not show it."""
    numbers = sorted({place.number for place in shown if place.number})
    found = store.studies.proposals(study.id, numbers if len(numbers) <= _AT_ONCE else None)
    return {item.number: item for item in found if item.changes_code}


def _columns(study: "StudyRecord") -> list[Column]:
    return [
        Column("trial", right=True),
        Column("for"),
        Column("seed", right=True),
        Column("state"),
        Column(study.metric, right=True),
        Column("step", right=True),
        Column("time", right=True),
        Column("configuration", elastic=True),
    ]


def _row(place: "StudyTrial", study: "StudyRecord", alive: bool, proposal: "ProposalRecord | None") -> list[str]:
    trial = place.trial
    state = "interrupted" if trial.state == TrialState.RUNNING and not alive else str(trial.state)
    horizon = f"/{trial.horizon}" if trial.horizon else ""
    baseline = study.definition["baseline"] if place.number else None
    config = change_text(
        trial.config, baseline, code=proposal is not None, note="" if proposal is None else proposal.note
    )
    why = f"{trial.reason}: {trial.message}" if trial.reason is not None and trial.state == TrialState.FAILED else ""
    return [
        str(trial.id),
        str(place.role) + (f" #{place.number}" if place.number else ""),
        str(trial.seed),
        state_text(state),
        number_text(None if trial.state == TrialState.FAILED else trial.value),
        "–" if trial.step is None else f"{trial.step}{horizon}",
        "reused" if place.reused else seconds_text(trial.wall_seconds or None),
        f"{why}  {config}" if why else config,
    ]
