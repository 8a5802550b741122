"""A lineage as lines of text: a table whose first column draws who descends from whom.

A child stands straight below its parent where it goes on the parent's line; other children fork off. So hundreds of
generations take no more columns than a few.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from headway.interfaces.cli.words import (
    SHAPES,
    Column,
    cut,
    number_text,
    seconds_text,
    styled,
    table_lines,
    width,
)
from headway.studies.lineage import Changes, Fold, Folded, Lineage, Node, plain

__all__ = ["fold_text", "gain_text", "standing_of", "tree_lines", "value_text"]

_NARROW = 100
_LONGEST_PROPOSER = 20
_LARGEST_PLAIN = 1e7
_MOST_DECIMALS = 8
_DIM = "bright_black"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Hold one line: the branches at its left, and a node or what is left out there."""

    branches: str
    node: int | None = None
    text: str = ""


def tree_lines(folded: Folded, changes: Changes, *, alive: bool, marked: int | None = None) -> list[str]:
    """Return the tree as lines, titles first; `alive` tells whether an engine works at what runs.

    The line of a `marked` node stands out.
    """
    lineage, rows = folded.lineage, list(_rows(folded))
    nodes = [lineage.nodes[row.node] for row in rows if row.node is not None]
    columns = _columns(lineage, nodes)
    values = _aligned([value_text(lineage, node) for node in nodes])
    cells = {
        node.number: {
            "value": value,
            "gain": gain_text(lineage, node),
            "runs": str(node.runs or "–"),
            "state": _state(standing_of(node, alive)),
            "proposer": "" if node.parent is None else cut(plain(node.proposer), _LONGEST_PROPOSER),
            "cost": seconds_text(node.seconds) if node.trials else "–",
            "idea": _told(node, changes),
        }
        for node, value in zip(nodes, values, strict=True)
    }
    drawn = [
        [_mark(row, lineage.nodes[row.node], folded, alive, marked), *(cells[row.node][name] for name, _ in columns)]
        for row in rows
        if row.node is not None
    ]
    head, *lines = table_lines([Column("#"), *(column for _, column in columns)], drawn)
    following = iter(lines)
    return [head, *(_left_out(row) if row.node is None else next(following) for row in rows)]


def value_text(lineage: Lineage, node: Node) -> str:
    """Return a node's value with the digits that its uncertainty leaves; a dash where it has none."""
    if node.value is None:
        return "–"
    decimals = _decimals(lineage.half_width(node))
    if decimals is None or abs(node.value) >= _LARGEST_PLAIN:
        return number_text(node.value, 6)
    return f"{node.value:.{decimals}f}"


def gain_text(lineage: Lineage, node: Node) -> str:
    """Return by how much a node is better than its parent, with its sign; empty where that is not known."""
    gain = lineage.gain(node)
    if gain is None or node.parent is None:
        return ""
    widths = [lineage.half_width(item) or 0.0 for item in (node, lineage.nodes[node.parent])]
    decimals = _decimals((widths[0] ** 2 + widths[1] ** 2) ** 0.5)
    text = number_text(gain, 3) if decimals is None or abs(gain) >= _LARGEST_PLAIN else f"{gain:.{decimals}f}"
    return text if gain <= 0 else f"+{text}"


def fold_text(fold: Fold, lineage: Lineage) -> str:
    """Say in words how many nodes are left out at one place, and the best of them."""
    parts = [f"{fold.generations} generation{'' if fold.generations == 1 else 's'}"] if fold.generations else []
    if fold.count:
        parts.append(f"{fold.count} {'beside' if parts else 'more'}")
    if fold.best is not None:
        parts.append(f"best {value_text(lineage, fold.best)} (#{fold.best.number})")
    if fold.failed:
        parts.append(f"{fold.failed} failed")
    return ", ".join(parts)


def standing_of(node: Node, alive: bool) -> str:
    """Return where a node stands in a word; what runs without an engine is interrupted."""
    return "interrupted" if node.standing == "running" and not alive else node.standing


def _rows(folded: Folded) -> Iterator[_Row]:
    """Yield the lines from the top: each node, its side branches, what is left out, then who goes on its line."""
    yield from _line(folded, folded.first, "", "")


def _line(folded: Folded, number: int, start: str, under: str) -> Iterator[_Row]:
    """Yield a line of descent. Its first row begins with `start`, the others with `under`."""
    before, at = start, number
    while True:
        if (skipped := folded.skipped.get(at)) is not None:
            yield _Row(branches=f"{before}⋮", text=fold_text(skipped, folded.lineage))
            before = under
        yield _Row(branches=before, node=at)
        before = under
        onward, *aside = folded.children[at] or [None]
        for child in aside:
            if child is not None:
                yield from _line(folded, child, f"{under}├─", f"{under}│ ")
        if (fold := folded.beside.get(at)) is not None:
            yield _Row(branches=f"{under}{'│ ' if onward is not None else '  '}…", text=fold_text(fold, folded.lineage))
        if onward is None:
            return
        at = onward


def _left_out(row: _Row) -> str:
    text = cut(row.text, max(8, width() - len(row.branches) - 1))
    return styled(f"{row.branches} {text}", fg=_DIM)


def _columns(lineage: Lineage, nodes: Sequence[Node]) -> list[tuple[str, Column]]:
    """Choose the columns for the room there is: the gain needs a wide line, and one proposer is told above."""
    proposers = {node.proposer for node in lineage.nodes.values() if node.parent is not None}
    wanted: Mapping[str, bool] = {"gain": width() >= _NARROW, "proposer": len(proposers) > 1}
    columns = {
        "value": Column(cut(plain(lineage.metric), 16)),
        "gain": Column("gain", right=True),
        "runs": Column("runs", right=True),
        "state": Column("state"),
        "proposer": Column("proposer"),
        "cost": Column("cost", right=True),
        "idea": Column("idea", elastic=True),
    }
    return [(name, column) for name, column in columns.items() if wanted.get(name, True)]


def _mark(row: _Row, node: Node, folded: Folded, alive: bool, marked: int | None) -> str:
    shape, colour = SHAPES.get(standing_of(node, alive), ("·", _DIM))
    if node.parent is None and node.decision is None and node.state == "complete":
        shape, colour = "◆", "white"
    on_way = node.number in folded.trunk
    number = styled(str(node.number), bold=on_way, reverse=node.number == marked)
    return f"{styled(row.branches, fg=_DIM)}{styled(shape, fg=colour, bold=on_way)} {number}"


def _state(word: str) -> str:
    return styled(word, fg=SHAPES.get(word, ("·", _DIM))[1])


def _told(node: Node, changes: Changes) -> str:
    return f"{plain(node.reason)}  {changes.idea(node)}" if node.reason else changes.idea(node)


def _aligned(texts: Sequence[str]) -> list[str]:
    """Let the decimal points of numbers stand below one another."""
    places = [len(text.partition(".")[0]) for text in texts]
    most = max(places, default=0)
    return [" " * (most - place) + text for place, text in zip(places, texts, strict=True)]


def _decimals(half_width: float | None) -> int | None:
    """Return the decimals that a standard error leaves: two of its digits where it begins with 1 to 4, else one."""
    if not half_width:
        return None
    shown = f"{half_width:e}"
    digits = 2 if shown[0] in "1234" else 1
    decimals = digits - 1 - int(shown.partition("e")[2])
    return None if decimals > _MOST_DECIMALS else max(0, decimals)
