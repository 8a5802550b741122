"""What a benchmark returns: tables of repeated measurements, named figures, and targets that they meet or miss."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Result", "Row", "Sample", "Table", "Target", "at_least", "at_most", "median", "ratio"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Hold one repeat: the number that its table is about, and what the process that gave it cost."""

    value: float
    cpu_seconds: float | None = None
    wall_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Hold the repeats of one contestant. `failure` says why there are none."""

    name: str
    samples: Sequence[Sample] = ()
    version: str = ""
    note: str = ""
    failure: str = ""
    ours: bool = False  # Headway's row, to which the table's other rows are compared

    @classmethod
    def of(
        cls, name: str, found: Sequence[Sample] | Exception, *, version: str = "", note: str = "", ours: bool = False
    ) -> "Row":
        """Make a row of what `Context.in_turns` found: repeats, or why there are none."""
        if isinstance(found, Exception):
            return cls(name=name, failure=str(found), version=version, note=note, ours=ours)
        return cls(name=name, samples=found, version=version, note=note, ours=ours)

    @property
    def figure(self) -> float | None:
        """Return the median of the repeats, None where there are none."""
        return median([sample.value for sample in self.samples])


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Hold the rows that can be compared: one title, one unit."""

    title: str
    unit: str
    rows: Sequence[Row]

    def row(self, name: str) -> Row:
        """Return the row of that name."""
        return next(row for row in self.rows if row.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Hold a claim about one figure. A figure that could not be measured is None, and its target does not hold."""

    figure: float | None
    limit: float
    relation: Literal["at least", "at most"]

    @property
    def holds(self) -> bool:
        """Tell whether the figure is on the right side of its limit."""
        if self.figure is None:
            return False
        return self.figure >= self.limit if self.relation == "at least" else self.figure <= self.limit

    def to_json(self) -> dict[str, Any]:
        """Return the target as the runner's last line gives it."""
        return {"figure": self.figure, "limit": self.limit, "relation": self.relation, "holds": self.holds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Hold all that a benchmark found. Figures have their unit in their name; what was not measured is left out."""

    tables: Sequence[Table]
    figures: Mapping[str, float | None]
    targets: Mapping[str, Target] = field(default_factory=dict[str, Target])
    notes: Sequence[str] = ()

    @property
    def holds(self) -> bool:
        """Tell whether all targets hold."""
        return all(target.holds for target in self.targets.values())

    def to_json(self, name: str, *, quick: bool) -> dict[str, Any]:
        """Return what the runner's last line holds. Quick runs are marked: their sizes are not those of the claims."""
        return {
            "name": name,
            "figures": {key: _short(value) for key, value in self.figures.items() if value is not None},
            "targets": {key: target.to_json() for key, target in self.targets.items()},
            "holds": self.holds,
            **({"quick": True} if quick else {}),
        }


def at_least(figure: float | None, limit: float) -> Target:
    """Claim that the figure reaches the limit."""
    return Target(figure=_short(figure), limit=limit, relation="at least")


def at_most(figure: float | None, limit: float) -> Target:
    """Claim that the figure stays within the limit."""
    return Target(figure=_short(figure), limit=limit, relation="at most")


def median(values: Sequence[float]) -> float | None:
    """Return the median, None of nothing."""
    return statistics.median(values) if values else None


def ratio(over: float | None, under: float | None) -> float | None:
    """Divide two figures, where both were measured."""
    return None if over is None or not under else over / under


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
