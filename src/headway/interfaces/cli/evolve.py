"""`headway evolve`: let models, agents and samplers change a repository's code, and select by evidence."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import UsageError
from headway.interfaces.cli.app import command
from headway.interfaces.cli.repositories import found_root
from headway.interfaces.cli.sessions import EXITS, Options, run_all, session_options
from headway.interfaces.cli.words import echo, echo_json

if TYPE_CHECKING:
    from headway.studies import Declaration
    from headway.studies.proposing import Ceiling

__all__ = ["evolve"]

_BUDGET = "200 trials"


@command("Let models or agents change a repository's code, and keep what the evidence is for.", EXITS)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="FOLDER")
@click.option("--model", "models", multiple=True, metavar="MODEL", help="Ask a model: openai:NAME, URL#NAME, ...")
@click.option(
    "--agent", "agents", multiple=True, metavar="COMMAND", help="Ask a command that edits files: 'claude -p'."
)
@click.option(
    "--function", "functions", multiple=True, metavar="FILE:NAME", help="Ask a Python function (prompt, seed)."
)
@click.option("--tune", is_flag=True, help="Turn the constants of good programs, too.")
@click.option("--most-dollars", type=click.FloatRange(min=0), metavar="N", help="What models may cost; needs --price.")
@click.option("--most-tokens", type=click.IntRange(min=1), metavar="N", help="How many tokens models may take.")
@click.option("--price", metavar="IN/OUT", help="Dollars of a million tokens, of prompts and of answers: 1.25/10.")
@click.option("--study", "name", metavar="NAME", help="Name the study.")
@click.option("--tag", metavar="TAG", help="Part of the study's name (default: the day).")
@click.option("--seeds", type=click.IntRange(min=2), help="Seeds of the verdict (default: 6).")
@click.option("--cores", type=click.IntRange(min=1), help="Cores of a run (default: 1).")
@click.option("--gpus", type=click.IntRange(min=0), help="GPUs of a run (default: 1 of those there are).")
@click.option(
    "--time-limit", type=click.FloatRange(min=1), metavar="SECONDS", help="End a run sooner than its layout would."
)
@click.option("--unsafe", is_flag=True, help="Run its code without a sandbox.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and run nothing.")
@session_options
def evolve(
    folder: Path,
    models: tuple[str, ...],
    agents: tuple[str, ...],
    functions: tuple[str, ...],
    tune: bool,
    most_dollars: float | None,
    most_tokens: int | None,
    price: str | None,
    name: str | None,
    dry_run: bool,
    tag: str | None,
    seeds: int | None,
    cores: int | None,
    gpus: int | None,
    time_limit: float | None,
    unsafe: bool,
    store: Path | None,
    as_json: bool,
    **session: Any,
) -> None:
    """Evolve the repository in FOLDER: its last commit is the first program, and proposers change it step by step.

    A function takes a prompt and a seed, and returns what a model would. Who is changed next is drawn from what is
    believed of all programs, with their noise; the best one is judged on fresh seeds at the end. --model, --agent and
    --function may be given several times, and take turns. What models answer is kept in the store, so that a study that
    was cut off goes on and pays for nothing twice: 'headway resume'. 'headway lineage' draws who descends from whom.
    """
    options = Options(store=store, as_json=as_json, **session)
    proposers = (
        *(f"model:{text}" for text in models),
        *(f"agent:{text}" for text in agents),
        *(f"function:{text}" for text in functions),
        *(("tune:near",) if tune else ()),
    )
    own = {"seeds": seeds, "cores": cores, "gpus": gpus, "time_limit": time_limit, "unsafe": unsafe, "tag": tag}
    given = {key: value for key, value in own.items() if value not in (None, False)}
    ceiling = _ceiling(most_dollars, most_tokens, price)
    study = _study(folder, name, proposers, given, ceiling, options)
    if dry_run:
        from headway.interfaces.cli.preview import preview

        shown = preview(study, store, options.workers)
        echo_json({"studies": [shown.to_json()]}) if as_json else echo(list(shown.lines()))
        return
    run_all([study], options)


def _study(
    folder: Path,
    name: str | None,
    proposers: Sequence[str],
    given: Mapping[str, Any],
    ceiling: "Ceiling",
    options: Options,
) -> "Declaration":
    """Return the study of this name or tag that the record has, else a new one."""
    from headway.store import FOLDER, Store, find_root
    from headway.studies.from_folder import repository_study, study_again, study_name

    root = found_root(folder)
    place = options.store or find_root(root) / FOLDER
    named = name or f"{study_name(root, given.get('tag'), None)}-evolve"
    with Store.open(place) as opened:
        known = opened.studies.find(named)
    if known is not None and "proposers" in known.definition:
        return _again(study_again(known), proposers, given, ceiling)
    if known is not None:
        raise UsageError(f"The study {named!r} is no evolution. Name this one otherwise: --study NAME")
    if not proposers:
        raise UsageError(
            "Nobody proposes. Name who does: --model openai:NAME, --agent 'claude -p', --function FILE:NAME."
        )
    return repository_study(
        root,
        place,
        name=named,
        budget=options.budget or _BUDGET,
        proposers=proposers,
        ceiling=ceiling,
        workers=options.workers,
        **given,
    )


def _again(
    study: "Declaration", proposers: Sequence[str], given: Mapping[str, Any], ceiling: "Ceiling"
) -> "Declaration":
    """Return a study of the record to go on with. What models may cost may be another sum; nothing else changes."""
    if proposers and study.proposers != tuple(proposers):
        raise UsageError(
            f"The study {study.name!r} has the proposers {', '.join(study.proposers)}. Leave yours out to go on with "
            "it, or begin another study: --study NAME"
        )
    fixed = [name for name in given if name != "tag"]
    if fixed:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in fixed)
        raise UsageError(
            f"The study {study.name!r} has begun: {flags} would make another one of it. Leave it out to go on, or "
            "begin another study: --study NAME"
        )
    if ceiling.to_json():
        study.ceiling = ceiling
    return study


def _ceiling(dollars: float | None, tokens: int | None, price: str | None) -> "Ceiling":
    from headway.llm import Price
    from headway.studies.proposing import Ceiling

    if price is None:
        if dollars is not None:
            raise UsageError("--most-dollars needs the price of tokens: --price 1.25/10 (dollars a million, in/out).")
        return Ceiling(tokens=tokens)
    parts = price.split("/")
    try:
        inward, outward = (float(part) for part in parts)
    except ValueError:
        raise UsageError(f"--price {price!r} is no price. Give dollars of a million tokens, in/out: 1.25/10.") from None
    return Ceiling(dollars=dollars, tokens=tokens, price=Price(input_dollars=inward, output_dollars=outward))
