"""The lineage of a study as values: who descends from whom, what came of each, and the way to the best.

A node stands below its first parent. A change that was moved onto what was accepted meanwhile has a second one, the
change as it was sent; it is told, and gives no second edge.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from headway.core import Direction, NotFound, better
from headway.store import is_accepted

__all__ = ["Lineage", "Node"]

_NOT_BELIEVED = ("flagged", "rebased")
_DUST = 1e-12  # of a value: what sums in another order differ by


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Hold one candidate in its study.

    `parents` and `children` are numbers of proposals, the parent in the tree first. `mean` is that of the `runs` that
    came to an end. `value` is the best that is known of the candidate: the mean of the `fresh` runs with seeds that it
    was not chosen by, and of all where there are none. `seconds` of wall time went into `trials` that were not answered
    from the record. `state` is that of its runs, `decision` that of its verdict.
    """

    number: int
    candidate: str
    proposer: str
    parents: tuple[int, ...]
    children: tuple[int, ...]
    depth: int
    note: str
    config: Mapping[str, Any]
    changes_code: bool
    state: str
    reason: str
    decision: str | None
    sentence: str
    mean: float | None
    value: float | None
    runs: int
    fresh: int
    trials: int
    seconds: float

    @property
    def id(self) -> str:
        """Return the beginning of the candidate's id, as people write it."""
        return self.candidate[:12]

    @property
    def parent(self) -> int | None:
        """Return the number of the node above; None for the first."""
        return self.parents[0] if self.parents else None

    @property
    def standing(self) -> str:
        """Return its verdict in a word, else the state of its runs."""
        return self.state if self.decision is None else self.decision.partition(" ")[0]

    @property
    def accepted(self) -> bool:
        """Tell whether the study accepted it."""
        return self.decision is not None and is_accepted(self.decision)

    @property
    def believed(self) -> bool:
        """Tell whether its value counts: that of what was flagged does not, nor of what was moved on."""
        return self.value is not None and self.standing not in _NOT_BELIEVED

    def to_json(self) -> dict[str, Any]:
        """Return the node as JSON."""
        return {**asdict(self), "config": dict(self.config), "id": self.id}


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Hold the tree of a study. `nodes` stand by number; `first` is the baseline's.

    `noise_sd` is the spread of a candidate's runs with different seeds, pooled over all that ran more than once; None
    where none did. `foremost` is what was accepted and counts most; None before that.
    """

    study: str
    metric: str
    direction: Direction
    nodes: Mapping[int, Node]
    noise_sd: float | None = None
    foremost: int | None = None
    spent: Mapping[str, float]

    def __len__(self) -> int:
        return len(self.nodes)

    def node(self, number: int) -> Node:
        """Return the node of a proposal. Raises `NotFound` that says which there are."""
        if number not in self.nodes:
            last = max(self.nodes, default=None)
            there = "It has no candidate yet." if last is None else f"They go from 0, the baseline, to {last}."
            raise NotFound(f"The study {self.study!r} has no candidate #{number}. {there}")
        return self.nodes[number]

    @cached_property
    def first(self) -> Node | None:
        """Return the node that all others descend from; None where the study has not begun."""
        return next(iter(self.nodes.values()), None)

    @cached_property
    def best(self) -> Node | None:
        """Return what was accepted and counts most; before that the best value, noise included."""
        if self.foremost is not None:
            return self.nodes[self.foremost]
        return self.best_of(self.nodes)

    @property
    def branched(self) -> bool:
        """Tell whether anything was built on anything but the baseline."""
        return any(node.depth > 1 for node in self.nodes.values())

    def best_of(self, numbers: Collection[int]) -> Node | None:
        """Return the one of the best value among nodes; None where no value is believed."""
        found: Node | None = None
        for node in map(self.nodes.__getitem__, numbers):
            if not node.believed or node.value is None:
                continue
            if found is None or found.value is None or better(node.value, found.value, self.direction):
                found = node
        return found

    def path(self, number: int) -> list[Node]:
        """Return the nodes from the first one to this one."""
        found = [self.node(number)]
        while (above := found[-1].parent) is not None:
            found.append(self.nodes[above])
        return found[::-1]

    def below(self, number: int) -> Iterator[Node]:
        """Yield all descendants of a node, parents before their children."""
        waiting = list(self.node(number).children)
        while waiting:
            node = self.nodes[waiting.pop()]
            yield node
            waiting += node.children

    def around(self, number: int) -> "Lineage":
        """Return the part of the tree that a node belongs to: its ancestors and its descendants."""
        kept = {node.number for node in (*self.path(number), *self.below(number))}
        return self.only(kept)

    def only(self, numbers: Collection[int]) -> "Lineage":
        """Return the part of the tree that has these nodes; with each of them its parent must be there."""
        return Lineage(
            study=self.study,
            metric=self.metric,
            direction=self.direction,
            nodes={number: _with_children(node, numbers) for number, node in self.nodes.items() if number in numbers},
            noise_sd=self.noise_sd,
            foremost=self.foremost if self.foremost in numbers else None,
            spent=self.spent,
        )

    def gain(self, node: Node) -> float | None:
        """Return by how much a node is better than its parent, in the metric's units; negative where it is worse."""
        above = None if node.parent is None else self.nodes[node.parent].value
        if above is None or node.value is None:
            return None
        difference = node.value - above
        if abs(difference) <= _DUST * abs(above):
            return 0.0
        return difference if self.direction == "maximize" else -difference

    def half_width(self, node: Node) -> float | None:
        """Return the standard error of a node's value; None where the noise is not known. Zero: there is none."""
        runs = node.fresh or node.runs
        return None if self.noise_sd is None or not runs else self.noise_sd / math.sqrt(runs)

    def to_json(self) -> dict[str, Any]:
        """Return the tree as JSON: flat, with the numbers of parents and children."""
        best = self.best
        return {
            "study": self.study,
            "metric": self.metric,
            "direction": self.direction,
            "noise_sd": self.noise_sd,
            "best": None if best is None else best.number,
            "best_lineage": [] if best is None else [node.number for node in self.path(best.number)],
            "accepted": [node.number for node in self.nodes.values() if node.accepted],
            "spent": dict(self.spent),
            "nodes": [node.to_json() for node in self.nodes.values()],
        }


def _with_children(node: Node, numbers: Collection[int]) -> Node:
    if all(child in numbers for child in node.children):
        return node
    return replace(node, children=tuple(child for child in node.children if child in numbers))
