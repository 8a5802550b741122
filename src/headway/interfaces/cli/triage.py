"""`headway triage`: what failed, by cause, the costliest first; what decides about it, and what to do next."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headway.core import NotFound, NothingToDo, nearest
from headway.interfaces.agents.answers import quoted
from headway.interfaces.cli.app import command
from headway.interfaces.cli.places import open_store, project_root, store_flag, study_named
from headway.interfaces.cli.words import config_text, echo, echo_json, fact_lines, seconds_text, styled

if TYPE_CHECKING:
    from headway.store import Store
    from headway.studies.triage import Group, Triage

__all__ = ["triage"]

_GROUPS = 10
_CHANGES = 6  # of the smallest configuration; --group shows all
_CANDIDATES = 8
_TRACEBACK = 6_000  # characters
_TRIALS_A_LINE = 16
_SUMMARY_TOKENS = 300


@command("Group what failed by cause, and say what decides about it.", {7: "the store holds no study"})
@click.argument("studies", nargs=-1, metavar="[STUDY]...")
@click.option("--limit", type=click.IntRange(min=1), default=_GROUPS, show_default=True, help="How many causes.")
@click.option("--group", "chosen", metavar="ID", help="One cause in full: its traceback, all its trials.")
@click.option("--model", metavar="MODEL", help="Let a model write a summary of each: openai:NAME, URL#NAME, ...")
def triage(
    studies: tuple[str, ...], limit: int, chosen: str | None, model: str | None, store: Path | None, as_json: bool
) -> None:
    """Group the failed trials of the studies (by default of all) by cause, the cause that cost most first.

    Of each cause: how many trials failed by it and what they cost, the first bad frame in your code, the rule over the
    parameters that tells them from those that passed, the smallest configuration that shows it, and a next step.
    """
    from headway.studies.triage import triage as triaged

    with open_store(store) as opened:
        named = [study_named(opened, name) for name in dict.fromkeys(studies)]
        if not named and not opened.studies.all():
            opened.database.refuse_damage()
            raise NothingToDo(f"The store {opened.folder} holds no study yet. Type: headway run study.py")
        found = triaged(
            opened,
            named,
            limit=None if chosen else limit,
            group=chosen,
            root=project_root(opened),
            said=_progress(as_json),
            summarize=None if model is None else _summaries(model, opened.folder),
        )
        if chosen is not None:
            group = _named_group(found, chosen)
            echo_json(group.to_json(whole=True)) if as_json else echo(_whole_lines(opened, group))
        elif as_json:
            echo_json(found.to_json())
        else:
            echo(_lines(opened, found, studies))


def _summaries(model: str, folder: Path) -> Callable[[str], str]:
    """Return what asks a model; what it answered is kept in the store, so that to look again costs nothing."""
    from headway.llm import Cached, Message, Request, model_of

    asked = Cached(model_of(model), folder / "models" / "answers")
    return lambda brief: (
        asked.complete(
            Request(messages=(Message(role="user", text=brief),), max_tokens=_SUMMARY_TOKENS, temperature=0.0)
        ).text
    )


def _progress(as_json: bool) -> Callable[[str], None] | None:
    """Say what goes on in one line that is written over, where somebody looks."""
    if as_json or not sys.stderr.isatty():
        return None
    return lambda text: click.echo(f"\r{text}\x1b[K\r", nl=False, err=True)


def _named_group(found: "Triage", chosen: str) -> "Group":
    if len(found.groups) == 1:
        return found.groups[0]
    ids = found.ids
    if not ids:
        raise NotFound(f"There is no cause {chosen!r}: no trial failed.")
    near = nearest(chosen, ids)
    hint = f"Did you mean {near!r}?" if near else "'headway triage' lists them."
    raise NotFound(f"{chosen!r} names {'more than one cause' if found.groups else 'no cause'} of {len(ids)}. {hint}")


def _lines(store: "Store", found: "Triage", studies: Sequence[str]) -> list[str]:
    from headway.studies.triage.words import share_sentence

    if not found.failed:
        return [f"No trial failed, of {found.trials:,} that ended."]
    causes = "1 cause" if len(found.ids) == 1 else f"{len(found.ids):,} causes"
    lost, whole = seconds_text(found.failed_seconds), seconds_text(found.seconds)
    share = share_sentence(found.failed_seconds, found.seconds)
    head = f"{found.failed:,} of {found.trials:,} trials failed, by {causes}: {lost} lost of {whole} ({share})"
    lines = [styled(head, bold=True)]
    for number, group in enumerate(found.groups, 1):
        lines += ["", *_group_lines(store, group, number, several=len(found.studies) > 1)]
    more = len(found.ids) - len(found.groups)
    flag = store_flag(store.folder)
    words = "".join(f" {name}" for name in studies)
    if more > 0:
        lines += ["", f"and {more:,} more: headway triage{words} --limit {len(found.ids)}{flag}"]
    return [*lines, "", f"One in full: headway triage{words} --group {found.groups[0].id}{flag}"]


def _group_lines(store: "Store", group: "Group", number: int, *, several: bool) -> list[str]:
    count = len(group.cause.cases)
    facts = [
        styled(group.id, fg="bright_black"),
        styled(group.cause.reason, fg="red"),
        f"{count:,} trial{'' if count == 1 else 's'}",
        f"{seconds_text(group.seconds)} lost",
        _when(group.first_seen, group.last_seen),
    ]
    return [
        f"{number:>2}  " + "  ".join(facts),
        "    " + styled(group.sentences["title"], bold=True),
        *fact_lines(_facts(store, group, several=several, whole=False), indent=4),
    ]


def _facts(store: "Store", group: "Group", *, several: bool, whole: bool) -> list[tuple[str, str]]:
    frame = group.cause.frame
    where = "" if frame is None else f"{frame.file}:{frame.line} in {frame.function}\n{frame.source}".rstrip()
    return [
        ("where", where),
        ("when", _rule_text(group)),
        ("used", group.sentences["used"]),
        ("smallest", _smallest_text(group, whole=whole)),
        ("study", ", ".join(group.studies) if several else ""),
        ("proposed", _proposed_text(group, whole=whole)),
        ("model", group.summary or (f"wrote nothing: {group.summary_problem}" if group.summary_problem else "")),
        ("next", _next_text(store, group)),
    ]


def _rule_text(group: "Group") -> str:
    """Return the rule in its own line, and its support below it."""
    text = group.sentences["when"]
    rule = group.rule
    if rule is None:
        return text
    return f"{styled(rule.text, bold=True)}\n{text.removeprefix(rule.text).strip()}"


def _smallest_text(group: "Group", *, whole: bool) -> str:
    smallest = group.smallest
    named = () if group.rule is None else group.rule.parameters
    ordered = sorted(smallest.changes, key=lambda name: (name not in smallest.needed, name not in named, name))
    shown = ordered if whole else ordered[:_CHANGES]
    parts = [config_text({name: smallest.changes[name]}) for name in shown]
    text = "  ".join([*smallest.files, *parts]) or "the baseline itself"
    more = len(ordered) - len(shown)
    text = f"trial {smallest.case.trial.id}: {text}" + (f"  and {more} more" if more > 0 else "")
    needed = ", ".join(f"{name} (trial {trial})" for name, trial in smallest.needed.items())
    return f"{text}\npassed without: {needed}" if needed else text


def _proposed_text(group: "Group", *, whole: bool) -> str:
    """Say who proposed what failed, where that was more than a sampler: agents and people."""
    candidates = group.candidates
    code = any(item["changes"] for item in candidates)
    if not code and len(group.proposers) < 2:
        return ""
    people = ", ".join(f"{name} {count}" for name, count in group.proposers.items())
    some = candidates if whole else candidates[:_CANDIDATES]
    numbers = ", ".join(f"#{item['number']}" for item in some)
    more = len(candidates) - len(some)
    files = sorted({file for item in candidates for file in item["changes"]})
    changed = f"\nchanging {', '.join(files)}" if files else ""
    return f"{people} ({numbers}{f' and {more} more' if more > 0 else ''}){changed}"


def _next_text(store: "Store", group: "Group") -> str:
    from headway.studies.triage import command_text

    lines: list[str] = []
    for item in group.advice:
        typed = command_text(item, store_flag(store.folder))
        lines.append(f"{item.text}: {styled(typed, fg='cyan')}" if typed else f"{item.text}.")
    return "\n".join(lines)


def _whole_lines(store: "Store", group: "Group") -> list[str]:
    lines = _group_lines(store, group, 1, several=True)[:2]
    lines += fact_lines(_facts(store, group, several=True, whole=True), indent=4)
    numbers = [str(case.trial.id) for case in group.cause.cases]
    rows = [" ".join(numbers[at : at + _TRIALS_A_LINE]) for at in range(0, len(numbers), _TRIALS_A_LINE)]
    lines += fact_lines([("trials", "\n".join(rows))], indent=4)
    if group.traceback:
        source = f"trial {numbers[0]}"
        lines += ["", *(f"    {line}" for line in quoted(group.traceback, source, _TRACEBACK).split("\n"))]
    return lines


def _when(first: float, last: float) -> str:
    begin, end = time.localtime(first), time.localtime(last)
    day = time.strftime("%Y-%m-%d %H:%M", begin)
    if day == time.strftime("%Y-%m-%d %H:%M", end):
        return day
    same_day = begin.tm_yday == end.tm_yday and begin.tm_year == end.tm_year
    return f"{day} to {time.strftime('%H:%M' if same_day else '%Y-%m-%d %H:%M', end)}"
