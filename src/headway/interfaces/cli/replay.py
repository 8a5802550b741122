"""`headway replay`: which kept steps of an autoresearch ledger are more than noise."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headway.interfaces.cli.app import command
from headway.interfaces.cli.words import (
    Column,
    echo,
    echo_json,
    fact_lines,
    number_text,
    share_text,
    styled,
    table_lines,
    wrapped,
)

if TYPE_CHECKING:
    from headway.studies import Replay, ReplayStep

__all__ = ["replay"]


@command("Judge the kept steps of an autoresearch ledger.")
@click.argument("file", type=click.Path(path_type=Path), metavar="RESULTS.TSV")
@click.option("--noise", type=float, metavar="SD", help="The standard deviation of one run, where it is known.")
@click.option("--null", "nulls", multiple=True, metavar="COMMIT", help="A run that changed nothing (repeatable).")
@click.option("--not-null", "not_nulls", multiple=True, metavar="COMMIT", help="One whose description misleads.")
@click.option("--metric", metavar="COLUMN", help="The column of results (default: the first one of numbers).")
@click.option("--maximize", is_flag=True, help="Higher values are better (default: lower ones).")
@click.option("--level", type=float, default=0.95, show_default=True, help="How sure to be of each step.")
def replay(
    file: Path,
    noise: float | None,
    nulls: tuple[str, ...],
    not_nulls: tuple[str, ...],
    metric: str | None,
    maximize: bool,
    level: float,
    store: Path | None,
    as_json: bool,
) -> None:
    """Say which kept steps of a ledger (results.tsv) are inside the noise, and what it would take to know.

    The noise is given, or the ledger reveals it: by runs whose description says that nothing changed but the seed
    (another seed, a no-op, a rerun), or that --null names. Nothing is run, and no store is read.
    """
    del store
    from headway.studies.replay import judge_ledger
    from headway.studies.results_tsv import read_ledger

    found = judge_ledger(
        read_ledger(file, metric),
        direction="maximize" if maximize else "minimize",
        noise=noise,
        nulls=nulls,
        not_nulls=not_nulls,
        level=level,
    )
    echo_json(found.to_json()) if as_json else echo(_lines(found))


def _lines(found: "Replay") -> list[str]:
    columns = [
        Column("commit"),
        Column(found.metric, right=True),
        Column("gain", right=True),
        Column("p", right=True),
        Column("verdict"),
        Column("helps", right=True),
        Column("pairs to know", right=True),
        Column("change", elastic=True),
    ]
    lines = table_lines(columns, [_row(step) for step in found.steps])
    return [*lines, "", *fact_lines(_facts(found), indent=0), "", wrapped(found.sentence)]


def _row(step: "ReplayStep") -> list[str]:
    known = "" if step.gain <= 0 or not step.inside_noise else "> 100000" if step.pairs is None else str(step.pairs)
    return [
        step.commit,
        f"{step.value:.6f}",
        f"{step.gain:+.6f}",
        f"{step.p_value:.2g}",
        styled("◐ inside noise", fg="yellow") if step.inside_noise else _outside(step),
        share_text(step.chance_better),
        known,
        step.description,
    ]


def _outside(step: "ReplayStep") -> str:
    return styled("● better", fg="green") if step.gain > 0 else styled("✕ worse", fg="red")


def _facts(found: "Replay") -> list[tuple[str, str]]:
    degrees = "taken as known" if found.noise_source == "given" else f"from {found.noise_source}"
    nulls = [f"{item.commit}  {item.difference:+.6f} against {item.equals}  {item.description}" for item in found.nulls]
    claimed = sum(step.gain for step in found.inside)
    perhaps = [f"--null {commit}" for commit in found.perhaps_null]
    know = "" if found.trials_to_know == 0 else "more than 100,000 pairs for one of the steps"
    if found.trials_to_know:
        know = f"{found.trials_to_know:,} fresh runs settle the {len(found.inside)} steps inside the noise"
    return [
        ("trials", f"{found.trials}: {found.kept} kept, {found.crashes} crashed"),
        ("noise", f"sd {found.noise.sd:.2g} of one run, {degrees}"),
        ("nulls", "\n".join(nulls)),
        ("perhaps null", f"{'  '.join(perhaps)}  (not counted unless you say so)" if perhaps else ""),
        ("inside", f"{len(found.inside)} steps that claim {number_text(claimed, 3)} together" if found.inside else ""),
        (
            "total gain",
            f"claimed {number_text(found.gain.claimed, 4)}; without the luck of selection "
            f"{number_text(found.gain.expected, 4)} ({found.level * 100:g} % interval "
            f"{number_text(found.gain.low, 4)} to {number_text(found.gain.high, 4)})",
        ),
        ("to know", know),
        ("note", "\n".join(found.notes)),
    ]
