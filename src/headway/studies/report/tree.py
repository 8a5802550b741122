"""The picture of a lineage: x is the order of proposals, y the value, a line joins a child with its parent.

Of a few hundred candidates each is drawn with its words; of thousands the ways that matter are, and the rest as a crowd
of dots that costs a few bytes each.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from headway.studies.lineage import Lineage, Node
from headway.studies.report.markup import EMPTY, Html, join, tag
from headway.studies.report.scale import Scale, quantile
from headway.studies.report.states import SHAPES
from headway.studies.report.words import decimals_for, fixed

__all__ = ["EACH", "MARKED", "decimals_of", "picture", "value_words"]

_WIDTH, _HEIGHT = 1040, 448
_LEFT, _RIGHT, _TOP, _BOTTOM, _LANE = 64, 1008, 32, 368, 392
EACH = 400  # nodes that are drawn one by one, each with its words
_WORTH = 60  # of more: those whose ways are drawn
_EDGES = 700
_CLIPPED_SHARE = 0.1
_RING = 14.0  # pixels between two rings on the way
_LIFT, _DROP = 12, 21  # a number above its node, or below it
_NUMBERS = 16
_LETTER, _BOLD = 8.5, 9.5  # the width of a digit with the space around it
_TICKS, _BIN = 150, 4
MARKED = ("accepted", "rejected", "undecided", "flagged", "running")


def picture(lineage: Lineage, best: Node) -> Html:
    """Draw a lineage, and the way to its best node."""
    trunk = lineage.path(best.number)
    across = Scale.over(0, max(lineage.nodes), _LEFT + 12, _RIGHT - 12)
    up = _up(lineage, trunk)
    drawing = _Drawing(lineage, across, up, frozenset(node.number for node in trunk))
    return tag(
        "svg",
        drawing.axes(),
        drawing.edges(),
        drawing.crowd(),
        drawing.way(trunk),
        drawing.numbers(trunk),
        drawing.points(trunk),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"The lineage: {lineage.metric} of each candidate by its number, joined to its parent",
    )


def _up(lineage: Lineage, trunk: Sequence[Node]) -> Scale:
    """Choose the axis of values: all of the way is on it; the worst tenth of the others may lie beyond."""
    ordered = sorted(node.value or 0.0 for node in lineage.nodes.values() if node.believed)
    way = [node.value for node in trunk if node.value is not None]
    if lineage.direction == "maximize":
        low, high = min([quantile(ordered, _CLIPPED_SHARE), *way]), ordered[-1]
    else:
        low, high = ordered[0], max([quantile(ordered, 1 - _CLIPPED_SHARE), *way])
    span = high - low
    words = (0.09, 0.04) if lineage.direction == "minimize" else (0.04, 0.06)  # numbers stand on the better side
    return Scale.over(low - words[0] * span, high + words[1] * span, _BOTTOM, _TOP)


class _Drawing:
    """Draw the parts of one picture on the same scales."""

    def __init__(self, lineage: Lineage, across: Scale, up: Scale, trunk: frozenset[int]) -> None:
        self._lineage = lineage
        self._across = across
        self._up = up
        self._trunk = trunk
        self._single = self._notable()

    def _notable(self) -> set[int]:
        """Return the nodes that are drawn one by one: all of few, else the way, what was decided and what runs."""
        nodes = self._lineage.nodes
        if len(nodes) <= EACH:
            return set(nodes)
        return {number for number, node in nodes.items() if number in self._trunk or node.standing in MARKED}

    def _apart(self, trunk: Sequence[Node]) -> set[int]:
        """Return the nodes on the way that have room for a ring: on a long way they would hide the line."""
        kept: list[Node] = []
        for node in reversed(trunk):
            x, y = self.at(node)
            if not kept or math.dist((x, y), self.at(kept[-1])) >= _RING or node.standing in MARKED or node is trunk[0]:
                kept.append(node)
        return {node.number for node in kept}

    def at(self, node: Node) -> tuple[float, float]:
        """Return where a node lies; one without a value lies in the lane below the axis."""
        x = self._across.at(node.number)
        if node.value is None:
            return x, _LANE
        return x, min(max(self._up.at(node.value), _TOP - 6), _BOTTOM)

    def axes(self) -> Html:
        """Draw both axes, and the lane of what failed."""
        parts: list[Html] = []
        for value, text in self._up.ticks(5):
            y = self._up.at(value)
            parts.append(tag("line", x1=_LEFT, x2=_RIGHT, y1=y, y2=y, class_="grid"))
            parts.append(tag("text", text, x=_LEFT - 8, y=y + 4, text_anchor="end"))
        for value, text in self._across.ticks(8):
            if value >= 0 and value == int(value):
                parts.append(tag("text", text, x=self._across.at(value), y=_LANE + 28, text_anchor="middle"))
        parts.append(tag("line", x1=_LEFT, x2=_RIGHT, y1=_BOTTOM + 8, y2=_BOTTOM + 8, class_="axis"))
        arrow = "↓ lower is better" if self._lineage.direction == "minimize" else "↑ higher is better"
        parts.append(tag("text", f"{self._lineage.metric} {arrow}", x=_LEFT, y=_TOP - 16, class_="name"))
        parts.append(
            tag(
                "text", "order of proposals", x=(_LEFT + _RIGHT) / 2, y=_HEIGHT - 4, text_anchor="middle", class_="name"
            )
        )
        if failed := self._failed():
            parts += [tag("text", "failed", x=_LEFT - 8, y=_LANE + 4, text_anchor="end"), failed]
        return tag("g", *parts, class_="axes")

    def _failed(self) -> Html:
        """Draw a tick for each failure; of too many to tell apart, their share among neighbours as its height."""
        nodes = self._lineage.nodes.values()
        failed = [self._across.at(node.number) for node in nodes if node.state == "failed"]
        if len(failed) <= _TICKS:
            return tag("path", d="".join(f"M{x:.0f} {_LANE - 4}v8" for x in failed), class_="tick") if failed else EMPTY
        lost = Counter(int(x / _BIN) for x in failed)
        all_ = Counter(int(self._across.at(node.number) / _BIN) for node in nodes)
        bars = "".join(
            f"M{(place + 0.5) * _BIN:g} {_LANE + 6}v{-14 * lost[place] / all_[place]:.1f}" for place in sorted(lost)
        )
        return tag("path", d=bars, class_="tick share")

    def edges(self) -> Html:
        """Draw the lines from parents to children, in one path: all of few, else those on the ways that matter."""
        nodes = [node for node in self._ways() if node.parent is not None and node.number not in self._trunk]
        curves = [self._curve(node) for node in nodes if node.value is not None]
        if not curves:
            return EMPTY
        return tag("path", d="".join(dict.fromkeys(curves)), class_=f"descent{'' if len(curves) < 150 else ' many'}")

    def _ways(self) -> Iterable[Node]:
        lineage = self._lineage
        if len(lineage) <= EACH:
            return lineage.nodes.values()
        sign = 1.0 if lineage.direction == "minimize" else -1.0
        valued = [node for node in lineage.nodes.values() if node.believed]
        best = sorted(valued, key=lambda node: sign * (node.value or 0.0))[:_WORTH]
        found: dict[int, Node] = {}
        for end in [*(lineage.nodes[number] for number in self._single), *best]:
            at: Node | None = end
            while at is not None and at.number not in found and len(found) < _EDGES:
                found[at.number] = at
                at = None if at.parent is None else lineage.nodes[at.parent]
        return found.values()

    def _curve(self, node: Node) -> str:
        """Draw from the parent to a node: level where it leaves, level where it arrives."""
        assert node.parent is not None
        (x, y), (end_x, end_y) = self.at(self._lineage.nodes[node.parent]), self.at(node)
        middle = x + (end_x - x) / 2
        return f"M{x:.0f} {y:.0f}C{middle:.0f} {y:.0f} {middle:.0f} {end_y:.0f} {end_x:.0f} {end_y:.0f}"

    def crowd(self) -> Html:
        """Draw the many that nothing else is told of, as dots in one path; equal places once."""
        others = (node for number, node in self._lineage.nodes.items() if number not in self._single)
        places = {(round(x), round(y)) for x, y in (self.at(node) for node in others if node.value is not None)}
        dots = "".join(f"M{x} {y}h0" for x, y in sorted(places))
        return tag("path", d=dots, class_="crowd") if dots else EMPTY

    def way(self, trunk: Sequence[Node]) -> Html:
        """Draw the line from the first node to the best."""
        line = "".join(self._curve(node) for node in trunk[1:])
        if not line:
            return EMPTY
        return join([tag("path", d=line, class_="way halo"), tag("path", d=line, class_="way")])

    def points(self, trunk: Sequence[Node]) -> Html:
        """Draw the nodes that are told one by one; what matters last, and so on top."""
        rings = self._apart(trunk)
        nodes = [self._lineage.nodes[number] for number in self._single]
        nodes.sort(
            key=lambda node: (node.parent is None, node.number in self._trunk, node.standing in MARKED, node.number)
        )
        shown = (node for node in nodes if node.value is not None or node.state != "failed")
        return join(self._point(node, ring=node.number in rings) for node in shown)

    def _point(self, node: Node, *, ring: bool) -> Html:
        x, y = self.at(node)
        title = tag("title", self._words(node))
        kind = node.standing if node.standing in SHAPES else "complete"
        outline = "baseline" if node.parent is None else kind
        if node.value is not None and not self._up.holds(node.value):
            outline = "above" if node.value > self._up.high else "below"
        shape = _shape(outline, x, y, large=ring)
        part = " on" if ring else " small" if node.number in self._trunk else ""
        classes = f"point node {'first' if node.parent is None else kind}{part}"
        return tag("path", title, d=shape, class_=classes, data_c=str(node.number))

    def _words(self, node: Node) -> str:
        value = "no value yet" if node.value is None else f"{self._lineage.metric} {value_words(self._lineage, node)}"
        above = "the baseline" if node.parent is None else f"from {node.parent}, {node.decision or node.state}"
        return f"{node.number} ({above}): {value}"

    def numbers(self, trunk: Sequence[Node]) -> Html:
        """Write the numbers of nodes on the way: that of its end, then the largest steps, where there is room."""
        gains = {node.number: self._lineage.gain(node) or 0.0 for node in trunk}
        rings = self._apart(trunk)
        steps = sorted((node for node in trunk[1:-1] if node.number in rings), key=lambda node: -gains[node.number])
        boxes = [self._dot(self._lineage.nodes[number]) for number in self._single if number != trunk[-1].number]
        texts = [self._number(trunk[-1], boxes, end=True)]
        boxes.append(self._dot(trunk[-1]))
        texts += [self._number(node, boxes) for node in steps]
        return tag("g", *[text for text in texts if text][:_NUMBERS], class_="numbers")

    def _dot(self, node: Node) -> "_Box":
        x, y = self.at(node)
        return _Box(x - 4, x + 4, y - 4, y + 4)

    def _number(self, node: Node, boxes: "list[_Box]", *, end: bool = False) -> Html:
        """Write one number beside its node, on the better side, and take its place; nothing where something else is."""
        x, y = self.at(node)
        text = f"{node.number} · {value_words(self._lineage, node)}" if end else str(node.number)
        half = (_BOLD if end else _LETTER) * len(text) / 2
        middle = min(x, _RIGHT - half)
        foot = y + _DROP if self._lineage.direction == "minimize" else y - _LIFT
        box = _Box(middle - half, middle + half, foot - 10, foot + 2)
        if not end and any(box.meets(other) for other in boxes):
            return EMPTY
        boxes.append(box)
        style = "number end" if end else "number"
        return tag("text", text, x=middle, y=foot, text_anchor="middle", class_=style)


class _Box(NamedTuple):
    """Hold a place that is taken, in pixels."""

    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: "_Box") -> bool:
        """Tell whether two places overlap."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def _shape(kind: str, x: float, y: float, *, large: bool) -> str:
    """Return the outline of a mark; decided ones and those on the way are larger."""
    radius = 5.0 if large or kind in MARKED else 3.0
    match kind:
        case "baseline":
            return f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z"
        case "above":
            return f"M{x - 4:.1f} {y + 2:.1f}h8l-4 -6z"
        case "below":
            return f"M{x - 4:.1f} {y - 2:.1f}h8l-4 6z"
        case "undecided":
            radius, inner = radius + 1, radius - 1
            half = f"M{x:.1f} {y - radius:.1f}a{radius:g} {radius:g} 0 0 0 0 {2 * radius:g}z"
            rim = f"a{radius:g} {radius:g} 0 0 1 0 {2 * radius:g}v-2a{inner:g} {inner:g} 0 0 0 0 {-2 * inner:g}z"
            return f"{half}M{x:.1f} {y - radius:.1f}{rim}"
        case "running":
            return f"M{x - 4:.1f} {y - 5:.1f}l9 5l-9 5z"
        case "rejected" | "flagged":
            half = radius - 1
            cross = f"l{2 * half:.0f} {2 * half:.0f}m0 {-2 * half:.0f}l{-2 * half:.0f} {2 * half:.0f}"
            return f"M{x - half:.1f} {y - half:.1f}{cross}"
        case _:
            radius += 1.5 * (kind == "accepted")
            size = f"{radius:g} {radius:g} 0 1 0"
            return f"M{x - radius:.1f} {y:.1f}a{size} {2 * radius:g} 0a{size} {-2 * radius:g} 0z"


def value_words(lineage: Lineage, node: Node) -> str:
    """Write a node's value with the digits that its uncertainty leaves."""
    return "" if node.value is None else fixed(node.value, decimals_of([lineage.half_width(node)]))


def decimals_of(widths: Collection[float | None]) -> int | None:
    """Return the decimals that independent standard errors leave; None where none is known."""
    squares = sum(width**2 for width in widths if width)
    return decimals_for(squares**0.5) if squares else None
