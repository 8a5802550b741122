"""`headway lineage`: who descends from whom in a study, one node in full, and any node as a branch or a folder."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import HeadwayError, UsageError
from headway.interfaces.cli.app import command
from headway.interfaces.cli.places import engine_alive, latest_study, open_store, store_flag, study_state
from headway.interfaces.cli.tree import gain_text, standing_of, tree_lines, value_text
from headway.interfaces.cli.words import (
    cut,
    echo,
    echo_json,
    fact_lines,
    seconds_text,
    state_text,
    styled,
    width,
    wrapped,
)
from headway.studies.lineage import Changes, Lineage, Node, difference_lines, fold, lineage_of, plain

if TYPE_CHECKING:
    from headway.store import Store, StudyRecord
    from headway.studies.lineage import TakenOut

__all__ = ["lineage"]

_LINES = 40
_LINES_OF_NODE = 16
_LINES_OF_DIFF = 60
_PROPOSERS = 3


@command("Draw who descends from whom; take one out.", {7: "the store holds no study"})
@click.argument("name", metavar="[STUDY]", required=False)
@click.option(
    "--node",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show candidate N: its ancestors, its descendants, its diff.",
)
@click.option("--all", "everything", is_flag=True, help="Show every candidate, and the whole diff.")
@click.option("--limit", type=click.IntRange(min=3), metavar="N", help=f"Fold to about N lines (default: {_LINES}).")
@click.option("--checkout", type=click.IntRange(min=0), metavar="N", help="Make a git branch that holds candidate N.")
@click.option("--branch", metavar="NAME", help="The branch's name (default: headway/STUDY-N).")
@click.option(
    "--into", type=click.Path(path_type=Path), metavar="FOLDER", help="Write candidate N into a new folder instead."
)
def lineage(
    name: str | None,
    node: int | None,
    everything: bool,
    limit: int | None,
    checkout: int | None,
    branch: str | None,
    into: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Draw the tree of the study STUDY: by default of the one that changed last.

    The left line leads to what was accepted, or to the best so far. What there is no room for is counted. --checkout
    makes a branch without touching your work tree, index or HEAD.
    """
    _refuse_conflicts(node, everything, limit, checkout, branch, into)
    with open_store(store) as opened:
        study = latest_study(opened, name)
        tree = lineage_of(opened, study)
        if checkout is not None:
            taken = _taken_out(opened, study, tree, tree.node(checkout), branch, into)
            echo_json({"study": study.name, **taken.to_json()}) if as_json else echo(_taken_lines(taken))
        elif node is not None:
            chosen = tree.node(node)
            most = None if everything else limit or _LINES_OF_NODE
            echo_json(_node_json(opened, study, tree, chosen)) if as_json else echo(
                _node_lines(opened, study, tree, chosen, most, everything)
            )
        elif as_json:
            echo_json(tree.to_json())
        else:
            echo(_lines(opened, study, tree, None if everything else limit or _LINES))


def _refuse_conflicts(
    node: int | None, everything: bool, limit: int | None, checkout: int | None, branch: str | None, into: Path | None
) -> None:
    for flag, value in (("--branch", branch), ("--into", into)):
        if value is not None and checkout is None:
            raise UsageError(f"{flag} needs the candidate to take out. Add --checkout N.")
    if branch is not None and into is not None:
        raise UsageError("--branch makes a branch, --into a folder. Give one of them.")
    if node is not None and checkout is not None:
        raise UsageError("--node shows a candidate, --checkout takes one out. Give one of them.")
    if everything and limit is not None:
        raise UsageError("--all shows everything, --limit folds. Give one of them.")


def _lines(store: "Store", study: "StudyRecord", tree: Lineage, limit: int | None) -> list[str]:
    folded = fold(tree, limit)
    title = f"{styled(study.name, bold=True)}  {state_text(study_state(study))}"
    flag = store_flag(store.folder)
    if folded is None:
        return [title, f"No candidate yet. Type: headway resume {shlex.quote(study.name)}{flag}"]
    drawn = tree_lines(folded, Changes(store, study, tree), alive=engine_alive(study))
    shown = tree.best or tree.first
    number = 0 if shown is None else shown.number
    quoted = shlex.quote(study.name)
    advice = [f"headway lineage {quoted} --node {number}{flag}   its ancestors, its descendants, its diff"]
    advice.append(f"headway lineage {quoted} --checkout {number}{flag}   a git branch that holds it (or --into FOLDER)")
    if len(folded.shown) < len(tree):
        advice.append(f"headway lineage {quoted} --all{flag}   all {len(tree):,} candidates")
    return [
        title, styled(wrapped(_sentence(tree)), bold=True), "", *fact_lines(_facts(tree)), "", *drawn, "",
        *fact_lines([("next", "\n".join(advice))]),
    ]  # fmt: skip


def _sentence(tree: Lineage) -> str:
    best, first = tree.best, tree.first
    if best is None or first is None:
        return "No candidate has a value yet."
    if best.number == first.number:
        return f"Nothing is better than the baseline so far: {tree.metric} {value_text(tree, first)}."
    steps = f"{best.depth} generation{'' if best.depth == 1 else 's'} from the baseline"
    side = "" if first.value is None else f", where the baseline has {value_text(tree, first)}"
    what = f"is {best.decision}" if best.accepted else "is the best so far, which is no verdict"
    return f"#{best.number}, {steps}, {what}: {tree.metric} {value_text(tree, best)}{side}."


def _facts(tree: Lineage) -> list[tuple[str, str]]:
    nodes = list(tree.nodes.values())[1:]
    counts: dict[str, int] = {}
    for node in nodes:
        counts[node.proposer] = counts.get(node.proposer, 0) + 1
    ranked = sorted(counts, key=lambda name: -counts[name])
    told = [f"{cut(plain(name), 40)} ({counts[name]:,})" for name in ranked[:_PROPOSERS]]
    more = [f"{len(ranked) - _PROPOSERS} others"] if len(ranked) > _PROPOSERS else []
    deepest = max((node.depth for node in nodes), default=0)
    cost = [seconds_text(sum(node.seconds for node in tree.nodes.values()))]
    if tree.spent.get("tokens"):
        cost.append(f"{tree.spent['tokens']:,.0f} tokens")
    if tree.spent.get("dollars"):
        cost.append(f"{tree.spent['dollars']:.2f} dollars")
    return [
        ("tree", f"{len(nodes):,} candidate{'' if len(nodes) == 1 else 's'}, at most {deepest} generations deep"),
        ("proposed by", ", ".join([*told, *more])),
        ("cost", ", ".join(cost)),
    ]


def _node_json(store: "Store", study: "StudyRecord", tree: Lineage, node: Node) -> dict[str, Any]:
    return {
        "study": study.name,
        "metric": tree.metric,
        "direction": tree.direction,
        **node.to_json(),
        "gain": tree.gain(node),
        "ancestors": [item.number for item in tree.path(node.number)[:-1]],
        "descendants": sorted(item.number for item in tree.below(node.number)),
        "difference": _difference(store, study, tree, node),
    }


def _difference(store: "Store", study: "StudyRecord", tree: Lineage, node: Node) -> list[str] | None:
    """Return a node's diff; None where the repository can no longer be read."""
    try:
        return difference_lines(store, study, tree, node.number)
    except HeadwayError:
        return None


def _node_lines(
    store: "Store", study: "StudyRecord", tree: Lineage, node: Node, limit: int | None, everything: bool
) -> list[str]:
    changes, alive = Changes(store, study, tree), engine_alive(study)
    value = "" if node.value is None else f"  {tree.metric} {value_text(tree, node)}"
    title = f"{styled(f'#{node.number} of {study.name}', bold=True)}  {state_text(standing_of(node, alive))}{value}"
    part = tree.around(node.number)
    folded = fold(part, limit, wanted=[node.number])
    drawn = [] if folded is None else tree_lines(folded, changes, alive=alive, marked=node.number)
    flag, quoted = store_flag(store.folder), shlex.quote(study.name)
    return [
        title,
        *([styled(wrapped(plain(node.sentence)), bold=True)] if node.sentence else []),
        "",
        *fact_lines(_node_facts(tree, node, changes.idea(node))),
        "",
        *drawn,
        *_diff_lines(_difference(store, study, tree, node), node, everything),
        "",
        *fact_lines([("next", f"headway lineage {quoted} --checkout {node.number}{flag}")]),
    ]


def _node_facts(tree: Lineage, node: Node, idea: str) -> list[tuple[str, str]]:
    gain = gain_text(tree, node)
    parents = ", ".join(f"#{number}" for number in node.parents)
    fresh = f", {node.fresh} of them fresh" if node.fresh else ""
    below = sum(1 for _ in tree.below(node.number))
    return [
        ("idea", cut(idea, max(20, width() - 14))),
        ("failed", cut(plain(node.reason), max(20, width() - 14))),
        ("proposer", cut(plain(node.proposer), 60)),
        ("parent", parents + (f", gain {gain}" if gain else "")),
        ("runs", f"{node.runs}{fresh}"),
        ("cost", f"{seconds_text(node.seconds)} in {node.trials} trial{'' if node.trials == 1 else 's'}"),
        (
            "below",
            f"{below:,} descendant{'' if below == 1 else 's'}, {len(node.children)} of them children" if below else "",
        ),
        ("candidate", node.id),
    ]


def _diff_lines(lines: list[str] | None, node: Node, everything: bool) -> list[str]:
    if node.parent is None:
        return []
    title = f"  against its parent #{node.parent}"
    if lines is None:
        return ["", f"{title}: the repository can no longer be read"]
    if not lines:
        return ["", f"{title}: no difference"]
    most = len(lines) if everything else _LINES_OF_DIFF
    shown = ["", styled(title, fg="bright_black"), *(f"  {_coloured(line)}" for line in lines[:most])]
    more = len(lines) - most
    return [*shown, styled(f"  … {more} more lines: --all", fg="bright_black")] if more > 0 else shown


def _coloured(line: str) -> str:
    if line.startswith(("+++ ", "--- ")):
        return styled(line, bold=True)
    colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return line if colour is None else styled(line, fg=colour)


def _taken_out(
    store: "Store", study: "StudyRecord", tree: Lineage, node: Node, branch: str | None, into: Path | None
) -> "TakenOut":
    from headway.studies.lineage import check_out, write_out

    if into is not None:
        return write_out(store, study, node, into)
    return check_out(store, study, node, Changes(store, study, tree).idea(node), branch)


def _taken_lines(taken: "TakenOut") -> list[str]:
    files = ", ".join(taken.files) or "none: it is the same as the base"
    if taken.path is not None:
        return [f"Candidate #{taken.number} is in {taken.path}", *fact_lines([("written", files)])]
    branch, commit, base = taken.branch or "", (taken.commit or "")[:12], (taken.base or "")[:12]
    said = "is a new branch" if taken.new else "is there already"
    return [
        f"{styled(branch, bold=True)} {said}: candidate #{taken.number}, commit {commit}",
        *fact_lines(
            [
                ("changed", files),
                ("look", f"git diff {base} {shlex.quote(branch)}"),
                ("work on", f"git switch {shlex.quote(branch)}"),
            ]
        ),
    ]
