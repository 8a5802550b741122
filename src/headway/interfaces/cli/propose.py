"""`headway propose`: put a candidate into a study's queue, while it runs or before it goes on."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import Choice, Float, Int, Space, UsageError, exists
from headway.interfaces.cli.app import command
from headway.interfaces.cli.places import engine_alive, open_store, project_root, store_flag, study_named
from headway.interfaces.cli.words import config_text, echo, echo_json, fact_lines

if TYPE_CHECKING:
    from headway.core import Parameter, Scalar
    from headway.store import Store, StudyRecord

__all__ = ["propose"]


@command("Queue a candidate of your own.")
@click.argument("name")
@click.argument("values", nargs=-1, metavar="KEY=VALUE...")
@click.option("--priority", type=int, default=0, show_default=True, help="A higher one is taken first.")
@click.option("--note", default="", metavar="TEXT", help="Why: kept with the candidate.")
@click.option("--proposer", default="person", show_default=True, metavar="WHO", help="Whose idea it is.")
def propose(
    name: str,
    values: tuple[str, ...],
    priority: int,
    note: str,
    proposer: str,
    store: Path | None,
    as_json: bool,
) -> None:
    """Put a candidate into the queue of the study NAME. Parameters that are not given are the baseline's.

    A running study takes it when a slot is free, before its sampler is asked again.
    """
    with open_store(store) as opened:
        study = study_named(opened, name)
        if proposer in ("baseline", study.definition["sampler"]):
            raise UsageError(f"The proposer {proposer!r} is the study's own. Name a person or program: --proposer WHO.")
        space, baseline = Space.from_json(study.definition["space"]), study.definition["baseline"]
        config = space.check(_filled(space, _read(space, values), baseline))
        before = _number_of(opened, study, config)
        number = opened.studies.enqueue(study.id, config, proposer=proposer, note=note, priority=priority)
        waiting, alive = opened.studies.waiting(study.id), engine_alive(study)
        follow = _follow(opened, study, alive)
    if as_json:
        echo_json({"study": name, "queued": number, "config": config, "waiting": waiting, "proposed_before": before,
                   "running": alive, "next": follow})  # fmt: skip
        return
    facts = [
        ("queued", config_text(config)),
        ("differs", config_text(config, baseline)),
        ("known", "" if before is None else f"this is candidate #{before} already, so it costs no new trial"),
        ("waiting", f"{waiting} in all; the study runs and takes it next" if alive else f"{waiting} in all"),
        ("next", follow),
    ]
    echo(fact_lines(facts, indent=0))


def _read(space: Space, values: Sequence[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for item in values:
        key, sign, text = item.partition("=")
        if not sign or not key:
            raise UsageError(f"{item!r} is no assignment. Write parameters as key=value, such as lr=0.01.")
        if key in given:
            raise UsageError(f"The parameter {key!r} is given twice. Give it once.")
        given[key] = _value(space.parameters.get(key), text)
    return given


def _value(parameter: "Parameter | None", text: str) -> "Scalar":
    """Read a value as its parameter means it; what cannot be read stays text, for the space to refuse in its words."""
    match parameter:
        case Float():
            return _number(text, float)
        case Int():
            return _number(text, int)
        case Choice(values=options):
            same = [option for option in options if _text(option) == text or str(option) == text]
            return same[0] if same else _plain(text)
        case None:
            return _plain(text)


def _number(text: str, kind: type[int] | type[float]) -> "Scalar":
    try:
        return kind(text)
    except ValueError:
        return text


def _plain(text: str) -> "Scalar":
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float | str | None) else text


def _text(value: "Scalar") -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _filled(space: Space, given: Mapping[str, Any], baseline: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the baseline's values where the parameter exists beside what stands above it."""
    config: dict[str, Any] = {**space.constants, **{key: given[key] for key in given}}
    known: dict[str, Any] = dict(space.constants)
    for name, parameter in space:
        if not exists(parameter, known):
            continue
        if name not in config and name in baseline:
            config[name] = baseline[name]
        if name in config:
            known[name] = config[name]
    return config


def _number_of(store: "Store", study: "StudyRecord", config: Mapping[str, Any]) -> int | None:
    from headway.store import candidate_id

    return store.studies.find_number(study.id, candidate_id(study.experiment, config))


def _follow(store: "Store", study: "StudyRecord", alive: bool) -> str:
    flag = store_flag(store.folder)
    if alive:
        return f"headway status {shlex.quote(study.name)} --watch{flag}"
    if study.source:
        file = shlex.quote(str(project_root(store) / study.source))
        return f"headway run {file}{_larger_budget(store, study)}{flag}"
    return "study.run() where it was declared"


def _larger_budget(store: "Store", study: "StudyRecord") -> str:
    """Return the flag without which the study would not take the candidate, because it has spent its budget."""
    limit = study.settings.get("budget", {}).get("trials")
    if limit is None:
        return ""
    executed = store.places.tally(study.id).executed
    confirmation = study.definition["finalists"] * study.definition["seeds"]
    needed = executed + confirmation + store.studies.waiting(study.id)
    return f" --budget '{needed} trials'" if study.state == "finished" and needed > limit else ""
