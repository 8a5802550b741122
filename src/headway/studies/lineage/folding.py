"""Which part of a lineage is shown where there is no room for all of it: a choice of nodes, and what was left out.

The way to the best and to what was accepted comes first, then what runs, then the best of the rest. A way that is
longer than the room keeps its ends and its largest steps.
"""

import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from headway.studies.lineage.tree import Lineage, Node

__all__ = ["Fold", "Folded", "fold"]

_LAST = 3  # steps before the end of a way that is cut
_GOING_ON = ("running", "paused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Count the nodes that are not shown at one place: `generations` of them on the way to the next, the rest beside.

    `best` is the best of them, None where none has a value; `failed` counts those that failed.
    """

    generations: int
    count: int
    failed: int
    best: Node | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Hold what is shown of a lineage.

    `children` are those that a shown node has in the picture, the one first that goes on its line: some may be further
    below, with `skipped` counting what lies between. `beside` counts what is left out below a shown node.
    """

    lineage: Lineage
    first: int
    children: dict[int, list[int]]
    skipped: dict[int, Fold]
    beside: dict[int, Fold]
    trunk: frozenset[int]

    @property
    def shown(self) -> list[int]:
        """Return the numbers of the nodes that are shown."""
        return sorted(self.children)


def fold(lineage: Lineage, limit: int | None, *, wanted: Collection[int] = ()) -> Folded | None:
    """Choose what is shown in about `limit` lines; None shows everything. None where there is no node.

    `wanted` nodes are shown with the way to them, beside the best and the accepted ones.
    """
    if lineage.first is None:
        return None
    sizes = _sizes(lineage)
    if limit is None or len(lineage) <= limit:
        shown = set(lineage.nodes)
    else:
        shown = _chosen(lineage, sizes, limit, wanted)
    return _folded(lineage, shown)


def _chosen(lineage: Lineage, sizes: dict[int, int], limit: int, wanted: Collection[int]) -> set[int]:
    """Return the nodes that are worth a line; with their ancestors, unless that is too much."""
    shown: set[int] = set()
    for end in _ends(lineage, wanted):
        way = {node.number for node in lineage.path(end)}
        if not shown or len(shown | way) <= max(limit // 2, 1):
            shown |= way
    if len(shown) > limit:
        return _shortened(lineage, shown, limit)
    return _grown(lineage, sizes, shown, limit)


def _ends(lineage: Lineage, wanted: Collection[int]) -> list[int]:
    """Return the nodes that the picture is about, the most important first."""
    accepted = [node.number for node in lineage.nodes.values() if node.accepted]
    going_on = [node.number for node in lineage.nodes.values() if node.state in _GOING_ON]
    best = [] if lineage.best is None else [lineage.best.number]
    start = [] if lineage.first is None else [lineage.first.number]
    return list(dict.fromkeys([*wanted, *best, *reversed(accepted), *reversed(going_on), *start]))


def _shortened(lineage: Lineage, shown: set[int], limit: int) -> set[int]:
    """Return the ends of the ways, the largest steps on them, and some in between; each cut costs a line too."""
    assert lineage.first is not None
    ways = sorted(shown)
    room = max(2, (limit - 2 * _LAST) // 3)
    gains = {number: lineage.gain(lineage.nodes[number]) or 0.0 for number in ways}
    largest = sorted(ways, key=lambda number: -gains[number])[: room - room // 3]
    spaced = ways[:: max(1, len(ways) // max(1, room // 3))]
    kept = {lineage.first.number, *ways[-_LAST:], *largest, *spaced}
    # One generation that is left out takes the line that it would have had.
    single = {
        above
        for number in kept
        if (above := lineage.nodes[number].parent) is not None and lineage.nodes[above].parent in kept
    }
    return kept | single


def _grown(lineage: Lineage, sizes: dict[int, int], shown: set[int], limit: int) -> set[int]:
    """Add the best children of what is shown, as long as the lines last."""
    hidden = {
        number: sum(sizes[child] for child in lineage.nodes[number].children if child not in shown) for number in shown
    }
    lines = len(shown) + sum(count > 0 for count in hidden.values())
    waiting = [
        _rank(lineage, child) for number in shown for child in lineage.nodes[number].children if child not in shown
    ]
    heapq.heapify(waiting)
    while waiting:
        number = heapq.heappop(waiting)[-1]
        node = lineage.nodes[number]
        assert node.parent is not None
        more = 1 + (sizes[number] > 1) - (hidden[node.parent] == sizes[number])
        if lines + more > limit:
            break
        lines += more
        hidden[node.parent] -= sizes[number]
        hidden[number] = sizes[number] - 1
        shown.add(number)
        for child in node.children:
            heapq.heappush(waiting, _rank(lineage, child))
    return shown


def _rank(lineage: Lineage, number: int) -> tuple[bool, float, int]:
    """Return what sorts a node among others, the best first; equal ones as they came."""
    node = lineage.nodes[number]
    if not node.believed or node.value is None:
        return True, 0.0, number
    return False, node.value if lineage.direction == "minimize" else -node.value, number


def _sizes(lineage: Lineage) -> dict[int, int]:
    """Count each node and its descendants. Children have higher numbers than their parents."""
    sizes = dict.fromkeys(lineage.nodes, 1)
    for number in reversed(list(lineage.nodes)):
        above = lineage.nodes[number].parent
        if above is not None:
            sizes[above] += sizes[number]
    return sizes


def _folded(lineage: Lineage, shown: set[int]) -> Folded:
    assert lineage.first is not None
    above = _nearest_above(lineage, shown)
    children: dict[int, list[int]] = {number: [] for number in lineage.nodes if number in shown}
    for number in children:
        if number in above:
            children[above[number]].append(number)
    beside, between = _left_out(lineage, shown)
    best = lineage.best
    trunk = frozenset[int]() if best is None else frozenset(node.number for node in lineage.path(best.number))
    depths = {number: lineage.nodes[number].depth for number in shown}
    generations = {number: depths[number] - depths[top] - 1 for number, top in above.items() if number in shown}
    return Folded(
        lineage=lineage,
        first=lineage.first.number,
        children=_ordered(lineage, children, trunk),
        skipped={
            number: _counted(lineage, between.get(number, ()), generations=count)
            for number, count in generations.items()
            if count
        },
        beside={number: _counted(lineage, hidden) for number, hidden in beside.items()},
        trunk=trunk,
    )


def _nearest_above(lineage: Lineage, shown: Collection[int]) -> dict[int, int]:
    """Return, for each node but the first, the nearest one above it that is shown."""
    above: dict[int, int] = {}
    for number, node in lineage.nodes.items():
        if node.parent is not None:
            above[number] = node.parent if node.parent in shown else above[node.parent]
    return above


def _left_out(lineage: Lineage, shown: Collection[int]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Return the nodes that are not shown: by the shown one that they hang below, or by the one they lie before."""
    ends: dict[int, int] = {}  # of hidden nodes on the way to a shown one: which
    for number in reversed(list(lineage.nodes)):
        parent = lineage.nodes[number].parent
        if parent is not None and parent not in shown and (number in shown or number in ends):
            ends[parent] = number if number in shown else ends[number]
    beside: dict[int, list[int]] = {}
    between: dict[int, list[int]] = {}
    owners: dict[int, list[int]] = {}
    for number, node in lineage.nodes.items():
        if number not in shown:
            assert node.parent is not None
            if node.parent not in shown:
                owner = owners[node.parent]
            elif number in ends:
                owner = between.setdefault(ends[number], [])
            else:
                owner = beside.setdefault(node.parent, [])
            owner.append(number)
            owners[number] = owner
    return beside, between


def _counted(lineage: Lineage, numbers: Sequence[int], *, generations: int = 0) -> Fold:
    return Fold(
        generations=generations,
        count=max(0, len(numbers) - generations),
        failed=sum(lineage.nodes[number].state == "failed" for number in numbers),
        best=lineage.best_of(numbers),
    )


def _ordered(lineage: Lineage, children: dict[int, list[int]], trunk: Collection[int]) -> dict[int, list[int]]:
    """Put first, of the children that a node has in the picture, who goes on its line; the others the best first.

    That is who leads to the best, else who has the most below: then lines fork off from one another as often as the
    logarithm of their number, and the picture stays narrow (Sleator and Tarjan 1983, heavy paths).
    """
    sizes = dict.fromkeys(children, 1)
    for number in reversed(children):
        sizes[number] += sum(sizes[child] for child in children[number])

    def first(number: int) -> tuple[bool, int, tuple[bool, float, int]]:
        return number not in trunk, -sizes[number], _rank(lineage, number)

    found: dict[int, list[int]] = {}
    for number, below in children.items():
        leading = min(below, key=first, default=None)
        rest = sorted((child for child in below if child != leading), key=lambda child: _rank(lineage, child))
        found[number] = [] if leading is None else [leading, *rest]
    return found
