"""The command line's twins of the agents' verbs: `brief`, `wait`, `result`, `explain-failure`, `promote`.

With --json they give the very answers that agents get. `status`, `compare` and `propose` have files of their own. A
candidate may be named alone, or behind the name of its study.
"""

import getpass
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import click

from headway.core import UsageError
from headway.interfaces.agents.promoting import answer_promotion, promotion_json
from headway.interfaces.agents.verbs import call
from headway.interfaces.agents.waiting import LONGEST_SECONDS, WAIT_SECONDS
from headway.interfaces.agents.whereabouts import the_study
from headway.interfaces.cli.app import PAUSED, command
from headway.interfaces.cli.places import open_store
from headway.interfaces.cli.words import echo, echo_json, styled

__all__ = ["brief", "explain_failure", "promote", "result", "wait"]

_study = click.option("--study", metavar="NAME", help="The study; may be left out where there is only one.")
_named = click.argument("named", nargs=-1, required=True, metavar="[STUDY] CANDIDATE")


@command("Say what a study asks and what was tried.")
@click.argument("name", required=False)
def brief(name: str | None, store: Path | None, as_json: bool) -> None:
    """Say what the study NAME asks, what may be tried, what was, and how to propose: what an agent reads first."""
    _tell("brief", {"study": name}, store, as_json)


@command("Wait until something ends.", {PAUSED: "it was ended with Ctrl-C"})
@click.argument("name", required=False)
@click.option("--since", metavar="CURSOR", help="The cursor of the last answer (default: from now on).")
@click.option(
    "--timeout", type=float, default=WAIT_SECONDS, show_default=True, help=f"Seconds, 0 to {LONGEST_SECONDS:.0f}."
)
@click.option("--candidate", metavar="WHICH", help="Wait for this one alone: #12, or an id.")
def wait(
    name: str | None, since: str | None, timeout: float, candidate: str | None, store: Path | None, as_json: bool
) -> None:
    """Wait until the study NAME has new verdicts, or until the timeout; in a study that ends, also for new results."""
    _tell("wait", {"study": name, "since": since, "timeout": timeout, "candidate": candidate}, store, as_json)


@command("Show what a candidate gave.")
@_named
@_study
@click.option("--file", metavar="PATH", help="Repository: show the text of this file, as the candidate has it.")
@click.option("--offset", type=click.IntRange(min=0), metavar="N", help="With --file: the character from which on.")
def result(
    named: tuple[str, ...],
    study: str | None,
    file: str | None,
    offset: int | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Show what CANDIDATE gave: its verdict, its values by seed, its change, its curve in brief.

    CANDIDATE is #12, 12, an id, 'baseline', or in a study that stays open 'official'. With --file alone the text of
    that file is written to standard output, all of it and nothing else.
    """
    found, candidate = _meant(named, study)
    asked = {"candidate": candidate, "study": found, "file": file, "offset": offset}
    if file is None or as_json or offset is not None:
        _tell("result", asked, store, as_json)
    else:
        _write_file(asked, store)


@command("Say why a candidate failed, or was flagged.")
@_named
@_study
def explain_failure(named: tuple[str, ...], study: str | None, store: Path | None, as_json: bool) -> None:
    """Say why CANDIDATE (#12 or an id) failed: the cause, the place in your code, who failed alike, what it printed.

    Or why it was flagged: what was seen in its code.
    """
    found, candidate = _meant(named, study)
    _tell("explain_failure", {"candidate": candidate, "study": found}, store, as_json)


@command("Ask to build on a candidate, or confirm it.")
@click.argument("named", nargs=-1, metavar="[STUDY] [CANDIDATE]")
@_study
@click.option("--note", default="", metavar="TEXT", help="Why.")
@click.option("--proposer", default="person", show_default=True, metavar="WHO", help="Who asks.")
@click.option("--confirm", "word", flag_value="confirm", help="Be the person who says yes.")
@click.option("--refuse", "word", flag_value="refuse", help="Be the person who says no.")
@click.option("--allow/--ask", "allow", default=None, help="Let the study promote by itself, or not.")
def promote(
    named: tuple[str, ...],
    study: str | None,
    note: str,
    proposer: str,
    word: str | None,
    allow: bool | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Ask that the accepted CANDIDATE becomes what others build on; a person confirms or refuses it.

    Without a candidate, list what was asked for. A study that stays open promotes what it accepts by itself.
    """
    study, candidate = _meant(named, study) if named else (study, None)
    if candidate is None and word is not None:
        raise UsageError(f"--{word} answers for one candidate. Name it: headway promote CANDIDATE --{word}")
    if allow is not None and candidate is not None:
        raise UsageError("--allow and --ask hold for a whole study. Leave out the candidate.")
    if candidate is not None and word is None:
        _tell("promote", {"candidate": candidate, "study": study, "note": note, "proposer": proposer}, store, as_json)
        return
    with open_store(store) as opened:
        if candidate is not None:
            answer = answer_promotion(
                opened, candidate=candidate, study=study, promoted=word == "confirm", by=_person()
            )
        else:
            record = the_study(opened, study)
            if allow is not None:
                opened.promotions.allow(record.id, allow)
            answer = {
                "study": record.name,
                "allowed_by_the_study": opened.promotions.allowed(record.id),
                "promotions": [promotion_json(opened, record, item) for item in opened.promotions.of_study(record.id)],
            }
    _show(answer, as_json)


def _meant(named: tuple[str, ...], study: str | None) -> tuple[str | None, str]:
    """Return the study and the candidate that somebody named: of two words, the first is the study."""
    *names, candidate = named
    if len(names) > 1:
        raise UsageError(
            f"{' '.join(named)!r} names more than a study and a candidate. Type: headway COMMAND STUDY '#12'"
        )
    if names and study is not None and names[0] != study:
        raise UsageError(f"The study is given twice: {names[0]!r} and --study {study!r}. Name one.")
    return (names[0] if names else study), candidate


def _write_file(asked: Mapping[str, Any], store: Path | None) -> None:
    """Write the whole text of a candidate's file, piece by piece."""
    with open_store(store) as opened:
        offset: int | None = 0
        while offset is not None:
            answer = call(opened, "result", {**asked, "offset": offset})
            click.echo(answer["text"], nl=False)
            offset = answer.get("next_offset")


def _tell(verb: str, arguments: Mapping[str, Any], store: Path | None, as_json: bool) -> None:
    with open_store(store) as opened:
        answer = call(opened, verb, arguments)
    _show(answer, as_json)


def _show(answer: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        echo_json(answer)
    else:
        echo(_lines(answer))


def _lines(value: Any, indent: int = 0) -> list[str]:
    """Return an answer as indented lines, its names dim; a mapping of plain values takes one line."""
    space = "  " * indent
    match value:
        case dict():
            lines: list[str] = []
            for key, item in cast("dict[str, Any]", value).items():
                name = styled(f"{key}:", fg="bright_black")
                inner = _lines(item, indent + 1)
                lines += [f"{space}{name} {inner[0].strip()}"] if len(inner) == 1 else [f"{space}{name}", *inner]
            return lines or [f"{space}–"]
        case list():
            entries = cast("list[Any]", value)
            found = [line for item in entries for line in _entry(item, indent)]
            return found or [f"{space}none"]
        case str():
            return [space + line for line in value.split("\n")]
        case _:
            return [f"{space}{'–' if value is None else value}"]


def _entry(item: Any, indent: int) -> list[str]:
    lines = _lines(item, indent + 1)
    mark = "  " * indent + "- "
    return [mark + lines[0].strip(), *lines[1:]]


def _person() -> str:
    """Return who types this, and whether at a terminal: a program can type it too, and the record says so."""
    where = "at a terminal" if sys.stdin.isatty() else "not at a terminal"
    return f"{getpass.getuser()}, {where}"
