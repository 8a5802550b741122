"""`headway propose`: put a candidate into a study's queue, while it runs or before it goes on."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from headway.core import Choice, Float, Int, Space, UsageError
from headway.interfaces.agents.candidates import meant, official_of
from headway.interfaces.agents.proposing import Sent, claim
from headway.interfaces.agents.whereabouts import changes_code, start_command
from headway.interfaces.cli.app import command
from headway.interfaces.cli.places import engine_alive, open_store, store_flag, study_named
from headway.interfaces.cli.words import config_text, echo, echo_json, fact_lines

if TYPE_CHECKING:
    from headway.core import Parameter, Scalar
    from headway.store import Claim, Store, StudyRecord

__all__ = ["propose"]


@command("Queue a candidate of your own.")
@click.argument("name")
@click.argument("values", nargs=-1, metavar="KEY=VALUE...")
@click.option("--patch", type=click.File("r", encoding="utf-8"), help="Repository: a diff, or blocks; '-' reads it.")
@click.option("--file", metavar="PATH", help="Repository: the file that --patch has blocks for, or the whole text of.")
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="FOLDER",
    help="Repository: take the editable files as they are in FOLDER.",
)
@click.option("--parent", metavar="CANDIDATE", help="Repository: what it changes (default: what was accepted last).")
@click.option("--priority", type=int, default=0, show_default=True, help="A higher one is taken first.")
@click.option("--note", default="", metavar="TEXT", help="Why: kept with the candidate.")
@click.option("--proposer", default="person", show_default=True, metavar="WHO", help="Whose idea it is.")
@click.option("--token", metavar="TEXT", help="A name for this proposal: sent twice, it is queued once.")
def propose(
    name: str,
    values: tuple[str, ...],
    patch: "IO[str] | None",
    file: str | None,
    folder: Path | None,
    parent: str | None,
    priority: int,
    note: str,
    proposer: str,
    token: str | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Put a candidate into the queue of the study NAME. Parameters that are not given are the baseline's.

    To the study of a repository bring a change of its code: --patch with a diff, or --from with an edited copy.

    A running study takes it when a slot is free, before its sampler is asked again; among equal priorities, proposers
    take turns. What was proposed before is not queued again.
    """
    with open_store(store) as opened:
        study = study_named(opened, name)
        space, baseline = Space.from_json(study.definition["space"]), study.definition["baseline"]
        above = None if parent is None else meant(opened, study, parent).claim.candidate
        made, full = claim(
            opened,
            study,
            Sent(
                config=_read(space, values),
                patch=None if patch is None else patch.read(),
                file=file,
                files=None if folder is None else _edited(opened, study, folder, above),
                parent=above,
            ),
            note=note,
            proposer=proposer,
            token=token,
            priority=priority,
        )
        config = full.config
        waiting, alive = opened.studies.waiting(study.id), engine_alive(study)
        follow = _follow(opened, study, alive)
    before = made.number
    if as_json:
        echo_json({"study": name, "candidate": made.candidate, "queued": made.queued, "new": made.new,
                   "proposer": made.proposer, "config": dict(config), "files": list(full.paths),
                   "only_knobs": bool(full.paths) and full.patch is None, "waiting": waiting, "proposed_before": before,
                   "running": alive, "next": follow})  # fmt: skip
        return
    facts = [
        ("queued" if made.new else "known", made.candidate[:12] if full.patch else config_text(config)),
        ("changes", ", ".join(full.paths) if full.patch else ""),
        ("differs", config_text(config, baseline)),
        ("before", _before(made)),
        ("waiting", f"{waiting} in all; the study runs and takes it next" if alive else f"{waiting} in all"),
        ("next", follow),
    ]
    echo(fact_lines(facts, indent=0))


def _edited(store: "Store", study: "StudyRecord", folder: Path, parent: str | None) -> dict[str, str]:
    """Return the editable files of a folder that differ from those of `parent`, by default what was accepted last."""
    if not changes_code(study):
        raise UsageError(f"--from is for repositories; the study {study.name!r} tries configurations: KEY=VALUE.")
    from headway.experiments.layouts import find_layout
    from headway.studies.repositories import files_of

    above = parent or official_of(store, study)
    known = {} if above is None else files_of(store, study, above)  # before the study has begun nothing is
    found = find_layout(Path(study.source)).files.read(folder)
    edited = {path: text for path, text in found.items() if known.get(path) != text}
    if not edited:
        raise UsageError(f"{folder} has the editable files as the study has them: {', '.join(known)}. Edit one first.")
    return edited


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


def _before(made: "Claim") -> str:
    if made.new:
        return ""
    where = "waits in the queue" if made.number is None else f"is candidate #{made.number}"
    return f"this {where} already, proposed by {made.proposer}, so it costs no new trial"


def _follow(store: "Store", study: "StudyRecord", alive: bool) -> str:
    flag = store_flag(store.folder)
    if alive:
        return f"headway status {shlex.quote(study.name)} --watch{flag}"
    return start_command(store, study)
