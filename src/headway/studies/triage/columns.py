"""The parameters of failed and passed configurations as columns, and the tests that a rule can make of one.

A parameter that a configuration does not have passes no test: `momentum > 0.9` says that there is one.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headway.core import Scalar

__all__ = ["CHANGES", "PROPOSER", "Column", "Table", "Test"]

CHANGES, PROPOSER = "changes ", "proposed by"  # columns that are no parameters: those are identifiers, without a blank

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Both = tuple[Flags, Flags]  # of the failed, of the passed
Relation = Literal[">", "<=", "=", "!="]
_MOST_EQUAL = 24  # values of a whole number that are also looked at one by one
_MOST_NAMES = 200


@dataclass(frozen=True, slots=True)
class Test:
    """Hold one test of a parameter."""

    parameter: str
    relation: Relation
    value: Scalar

    def holds_for(self, value: float) -> bool:
        """Tell whether the test holds for a number."""
        return bool(_holds(np.array([value]), self.relation, float(self.value or 0)))

    @property
    def configures(self) -> bool:
        """Tell whether it asks for a parameter of the configuration, and not for a file or a proposer."""
        return self.parameter != PROPOSER and not self.parameter.startswith(CHANGES)

    @property
    def text(self) -> str:
        """Return the test as people write it."""
        if self.parameter.startswith(CHANGES):
            verb = "changes" if (self.value is True) == (self.relation == "=") else "does not change"
            return f"the candidate {verb} {self.parameter.removeprefix(CHANGES)}"
        if self.parameter == PROPOSER:
            return f"{PROPOSER} {'' if self.relation == '=' else 'anybody but '}{self.value}"
        shown = f"{self.value:.10g}" if isinstance(self.value, float) else repr(self.value)
        return f"{self.parameter} {self.relation} {shown}"


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Hold one parameter: its values among the failed and the passed, and how many tests can be made of it.

    Numbers are floats, nan where there is none; other values are codes into `names`, -1 where there is none.
    """

    name: str
    failed: Floats
    passed: Floats
    numeric: bool
    whole: bool
    names: tuple[Scalar, ...]
    distinct: Floats

    def parted(self, failed: NDArray[np.int64], passed: NDArray[np.int64]) -> "Column":
        """Return the column of some failed and some passed, of one that holds all values as `failed`."""
        left, right = self.failed[failed], self.failed[passed]
        both = np.concatenate([left, right])
        return replace(self, failed=left, passed=right, distinct=np.unique(both[~np.isnan(both)]))

    @property
    def gaps(self) -> bool:
        """Tell whether some have the parameter and some do not."""
        return bool(len(self.distinct)) and bool(np.isnan(self.failed).any() or np.isnan(self.passed).any())

    @property
    def tests(self) -> int:
        """Count the tests of the family that this parameter gives."""
        ordered = 2 * (len(self.distinct) - 1) if self.numeric else 0
        return ordered + (1 if self.numeric else 2) * len(self._single_values())

    def holds(self, test: Test) -> Both:
        """Tell for which of the failed and the passed a test holds."""
        wanted = self._number(test.value)
        return _holds(self.failed, test.relation, wanted), _holds(self.passed, test.relation, wanted)

    def candidates(self, ranks: Sequence[float]) -> list[Test]:
        """Return tests to begin with: thresholds at some quantiles of the failed, and the values that they have."""
        found: list[Test] = []
        if self.numeric:
            here = np.sort(self.failed[~np.isnan(self.failed)])
            if len(here):
                picks = sorted({min(int(rank * len(here)), len(here) - 1) for rank in ranks} | {min(1, len(here) - 1)})
                found += [test for pick in picks if (test := self._above(float(here[pick]))) is not None]
                found += [test for pick in picks if (test := self._upto(float(here[len(here) - 1 - pick]))) is not None]
        return list(dict.fromkeys(found + self._equalities()))

    def counted(self, some: Both | None) -> Iterator[tuple[list[Test], Floats, Floats]]:
        """Go through all tests that can be best, with how many failed and passed they hold for (of `some`)."""
        failed, passed = (self.failed, self.passed) if some is None else (self.failed[some[0]], self.passed[some[1]])
        if self.numeric:
            here = np.unique(failed[~np.isnan(failed)])
            fails, passes = np.sort(failed[~np.isnan(failed)]), np.sort(passed[~np.isnan(passed)])
            for make, below in ((self._above, True), (self._upto, False)):
                made = [(test, value) for value in here.tolist() if (test := make(value)) is not None]
                values = np.array([value for _, value in made])
                side = "left" if below else "right"
                hits, more = np.searchsorted(fails, values, side), np.searchsorted(passes, values, side)
                counts = (len(fails) - hits, len(passes) - more) if below else (hits, more)
                yield [test for test, _ in made], counts[0].astype(np.float64), counts[1].astype(np.float64)
        equal = self._equalities()
        counts = [
            [float(_holds(values, test.relation, self._number(test.value)).sum()) for test in equal]
            for values in (failed, passed)
        ]
        yield equal, np.array(counts[0]), np.array(counts[1])

    def shown(self, test: Test, some: Both | None) -> Test:
        """Return a test as people would write it: one value where it means one, else the shortest threshold.

        Among `some` where given: any threshold between the same two of them is as good.
        """
        if (value := self._only_value(test)) is not None:
            return Test(self.name, "=", value)
        if test.relation not in (">", "<="):
            return test
        parts = (self.failed, self.passed) if some is None else (self.failed[some[0]], self.passed[some[1]])
        values = np.concatenate(parts)
        value = self._number(test.value)
        low, high = values[values <= value], values[values > value]
        if not len(low) or not len(high):
            return test
        if self.whole:
            return Test(self.name, test.relation, int(low.max()))
        return Test(self.name, test.relation, _short(float(low.max()), float(high.min())))

    def _only_value(self, test: Test) -> Scalar | None:
        """Return the one value for which a test of names or whole numbers holds, or None where there are more."""
        left = self.distinct[_holds(self.distinct, test.relation, self._number(test.value))]
        if len(left) != 1 or not (self.whole or not self.numeric):
            return None
        return int(left[0]) if self.numeric else self.names[int(left[0])]

    def _above(self, value: float) -> Test | None:
        index = int(np.searchsorted(self.distinct, value))
        return None if index == 0 else Test(self.name, ">", float(self.distinct[index - 1]))

    def _upto(self, value: float) -> Test | None:
        return None if value >= self.distinct[-1] else Test(self.name, "<=", value)

    def _equalities(self) -> list[Test]:
        values = self._single_values()
        seen = set(self.failed.tolist())
        return [
            Test(self.name, relation, value)
            for value in values
            for relation in (("=",) if self.numeric else ("=", "!="))
            if (self._number(value) in seen) == (relation == "=")
        ]

    def _single_values(self) -> list[Scalar]:
        if not self.numeric:
            return list(self.names) if len(self.names) <= _MOST_NAMES else []
        return [int(value) for value in self.distinct] if self.whole and len(self.distinct) <= _MOST_EQUAL else []

    def _number(self, value: Scalar) -> float:
        return float(value) if self.numeric and value is not None else float(_code(self.names, value))


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Hold configurations as columns of numbers, so that many searches share what is read once."""

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Scalar]]) -> "Table":
        """Read configurations."""
        names = sorted({name for row in rows for name in row})
        return cls(tuple(_column(name, [row.get(name, _ABSENT) for row in rows]) for name in names))

    def parted(self, failed: Sequence[int], passed: Sequence[int]) -> list[Column]:
        """Return the parameters that differ somewhere among some rows, given by their places."""
        left, right = np.array(failed, dtype=np.int64), np.array(passed, dtype=np.int64)
        parted = (column.parted(left, right) for column in self.columns)
        return [column for column in parted if len(column.distinct) > 1 or column.gaps]


class _Absent:
    """Stand where a configuration has no such parameter: None is a value of its own."""


_ABSENT = _Absent()
_NOTHING: Floats = np.empty(0)


def _column(name: str, values: Sequence[object]) -> Column:
    there = [value for value in values if value is not _ABSENT]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)
    kinds: dict[tuple[bool, object], tuple[float, Any]] = {}
    if not numeric:
        for value in there:
            kinds.setdefault((isinstance(value, bool), value), (float(len(kinds)), value))

    def number(value: Any) -> float:
        if value is _ABSENT:
            return math.nan
        return float(value) if numeric else kinds[isinstance(value, bool), value][0]

    return Column(
        name=name, failed=np.array([number(value) for value in values], dtype=np.float64), passed=_NOTHING,
        numeric=numeric, whole=numeric and all(isinstance(value, int) for value in there),
        names=tuple(value for _, value in kinds.values()), distinct=_NOTHING,
    )  # fmt: skip


def _code(names: Sequence[Scalar], value: Scalar) -> int:
    return next(
        (
            code
            for code, item in enumerate(names)
            if item == value and isinstance(item, bool) == isinstance(value, bool)
        ),
        -1,
    )


def _holds(values: Floats, relation: Relation, wanted: float) -> Flags:
    match relation:
        case ">":
            return values > wanted
        case "<=":
            return values <= wanted
        case "=":
            return values == wanted
        case "!=":
            return (values != wanted) & ~np.isnan(values)


def _short(low: float, high: float) -> float:
    """Return the number with the fewest digits in [low, high)."""
    middle = low + (high - low) / 2
    for digits in range(1, 17):
        shown = float(f"{middle:.{digits}g}")
        if low <= shown < high:
            return shown
    return low
