"""What a proposer is told, and what it answers: values, that cross threads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headway.core import Direction, Scalar

__all__ = ["Context", "Dead", "Program", "Proposed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Hold a program as a proposer sees it: its number in the study, its files, its score in words, its idea."""

    number: int
    files: Mapping[str, str]
    score: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """Hold a way that did not work: what went wrong, how often, and the idea of the last one."""

    why: str
    times: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Hold what a proposal is made from.

    `others` are programs to take ideas from, the best first; `dead` are failures and their causes; `children` are
    changes of this parent that were tried, with what became of them; `knobs` the values of its constants. `seed` is
    another one for each proposal.
    """

    task: str
    metric: str
    direction: Direction
    parent: Program
    others: Sequence[Program] = ()
    dead: Sequence[Dead] = ()
    children: Sequence[str] = ()
    knobs: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """Hold a proposer's answer: the new text of files, patches, knobs to turn, an idea in a line, and its cost.

    `patches` are texts with the file that each is for, None where the text says it. `dollars` is None where no price
    is known.
    """

    note: str = ""
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    patches: Sequence[tuple[str, str | None]] = ()
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tokens: int = 0
    dollars: float | None = None
    seconds: float = 0.0
