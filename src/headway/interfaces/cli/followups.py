"""`headway ablate`, `headway control` and `headway minimize-cost`: what a study asks further of what it accepted."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.interfaces.cli.app import command
from headway.interfaces.cli.places import latest_study, open_store
from headway.interfaces.cli.run import study_of
from headway.interfaces.cli.sessions import EXITS, Options, run_all, session_options

if TYPE_CHECKING:
    from headway.store import Store, StudyRecord
    from headway.studies import Declaration

__all__ = ["ablate", "control", "minimize_cost"]

_EXITS = {**EXITS, 7: "the study has accepted nothing that could be asked about"}
_seeds = click.option("--seeds", type=click.IntRange(min=2), help="Seeds for each candidate (default: the study's).")


@command("Ask which changes of the accepted candidate earn their place.", _EXITS)
@click.argument("name", metavar="STUDY", required=False)
@_seeds
@session_options
def ablate(name: str | None, seeds: int | None, store: Path | None, as_json: bool, **session: Any) -> None:
    """Take each change of what STUDY accepted back, one at a time, and compare with all of them on fresh seeds.

    A candidate that is rejected was worse without its change: the change earns its place.
    """
    from headway.studies.followups import ablation

    _follow(name, store, as_json, session, partial(ablation, seeds=seeds))


@command("Give the simple method as much compute, and compare.", _EXITS)
@click.argument("name", metavar="STUDY", required=False)
@click.option("--by", metavar="PARAMETER", help="What buys compute in one run: steps, width, samples.")
@_seeds
@session_options
def control(
    name: str | None, by: str | None, seeds: int | None, store: Path | None, as_json: bool, **session: Any
) -> None:
    """Ask whether what STUDY accepted won by spending more.

    With --by, the baseline's PARAMETER is raised until its runs take as long as the accepted candidate's, and the two
    are compared on fresh seeds. Without, a random search gets as many trials as STUDY has spent; the verdicts of both
    stand against the same baseline.
    """
    from headway.studies.followups import equal_compute, simple_search

    def follow(opened: "Store", record: "StudyRecord", study: "Declaration") -> "Declaration":
        if by is None:
            return simple_search(opened, record, study)
        return equal_compute(opened, record, study, by=by, seeds=seeds)

    _follow(name, store, as_json, session, follow)


@command("Find the cheapest candidate that is as good as the accepted one.", _EXITS)
@click.argument("name", metavar="STUDY", required=False)
@click.option("--margin", type=float, required=True, help="How much worse still counts as good, in the metric's units.")
@click.option("--most", type=click.IntRange(min=1), default=4, show_default=True, help="Candidates to try.")
@_seeds
@session_options
def minimize_cost(
    name: str | None,
    margin: float,
    most: int,
    seeds: int | None,
    store: Path | None,
    as_json: bool,
    **session: Any,
) -> None:
    """Try the candidates of STUDY that took less time than the accepted one, on fresh seeds, for non-inferiority."""
    from headway.studies.followups import cheapest

    _follow(name, store, as_json, session, partial(cheapest, margin=margin, most=most, seeds=seeds))


def _follow(
    name: str | None,
    store: Path | None,
    as_json: bool,
    session: dict[str, Any],
    follow: "Callable[[Store, StudyRecord, Declaration], Declaration]",
) -> None:
    with open_store(store) as opened:
        record = latest_study(opened, name)
        folder = opened.folder
        study = follow(opened, record, study_of(opened, record))
    run_all([study], Options(store=folder, as_json=as_json, **session))
