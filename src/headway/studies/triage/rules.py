"""Find which parameters decide about a failure: one test of a parameter, or two, and how sure that is.

The family is all tests `p > t`, `p <= t` (every threshold between two values), `p = v` and, of names, `p != v`, and all
pairs of them. A test's p-value is Fisher's exact one (one-sided: more failures inside than the margins explain), times
the number of tests in the family (Bonferroni): half of the level goes to single tests, half to pairs. So thresholds may
be chosen by the data, and of a pair the second test has to pay for all those that were tried beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from headway.studies.triage.columns import Column, Table, Test

__all__ = ["LEVEL", "Rule", "Search", "find_rule"]

LEVEL = 0.01
_RANKS = (0.0, 0.02, 0.05, 0.1, 0.25, 0.5)  # of the failed values: where pairs begin to look for a threshold
_AS_GOOD = math.log(100)  # another rule whose p-value is at most a hundred times as large may be the true one
_MOST_ALTERNATIVES = 2
_ROUNDS = 3
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_Held = tuple[Test, tuple[Flags, Flags]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Hold a rule and its support: `hits` of `inside` failed where it holds, `missed` of `outside` where it does not.

    `p` is the p-value after the correction; `alternatives` are rules with other parameters that are as good.
    """

    tests: tuple[Test, ...]
    hits: int
    inside: int
    missed: int
    outside: int
    p: float
    alternatives: tuple["Rule", ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return which parameters decide."""
        return tuple(dict.fromkeys(test.parameter for test in self.tests))

    @property
    def text(self) -> str:
        """Return the rule as people write it: `lr > 0.31 and optimizer = 'muon'`."""
        return " and ".join(test.text for test in self.tests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Hold what a search came to. `tests` says how many rules could have been found, `p` the best one's p-value."""

    rule: Rule | None
    tests: int
    p: float
    failed: int
    passed: int


def find_rule(table: Table, failed: Sequence[int], passed: Sequence[int], others: Sequence[int] = ()) -> Search:
    """Search the rule that tells failed configurations from passed ones best; none where none is surer than 1 %.

    All are given by their places in the table. `others` failed by other causes: had they met this one, sooner or later?
    Nobody knows, so a rule has to be sure both without them and with them among those that this cause spared. Else
    where another cause takes many, what is left of this one would look frequent.
    """
    none = Search(rule=None, tests=0, p=1.0, failed=len(failed), passed=len(passed))
    if len(failed) < 2 or not passed:
        return none
    columns = table.parted(failed, passed)
    singles = sum(column.tests for column in columns)
    pairs = singles * (singles - 1) // 2
    none = replace(none, tests=singles + pairs)
    if not singles:
        return none
    logs = math.log(2 * singles), math.log(2 * max(pairs, 1))
    odds = _Odds(len(failed), len(passed))
    wider = _Spared(table, others, _Odds(len(failed), len(passed) + len(others)), logs)
    found = _Finder(columns, odds, log_singles=logs[0], log_pairs=logs[1]).best()
    least = min((max(item.log_p, wider.log_p(item)) for item in found), default=0.0)
    sure = [item for item in found if max(item.log_p, wider.log_p(item)) <= math.log(LEVEL)]
    if not sure:
        return replace(none, p=min(1.0, math.exp(least)))
    first, *rest = sure  # the best among those that passed: which region other causes leave alone says nothing
    alternatives = tuple(odds.rule(item) for item in _alternatives(first, rest))
    rule = replace(odds.rule(first), alternatives=alternatives, p=math.exp(max(first.log_p, wider.log_p(first))))
    return replace(none, rule=rule, p=rule.p)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    tests: tuple[Test, ...]
    hits: int
    inside: int
    log_p: float  # corrected
    guests: int  # parameters that some configurations do not have: their parent says the same in plainer words

    @property
    def parameters(self) -> frozenset[str]:
        return frozenset(test.parameter for test in self.tests)


def _alternatives(first: _Found, others: Sequence[_Found]) -> list[_Found]:
    """Return the best rules that are as good and do not only add to another one."""
    kept: list[_Found] = []
    for item in others:
        if item.log_p > min(first.log_p + _AS_GOOD, math.log(LEVEL)) or len(kept) == _MOST_ALTERNATIVES:
            break
        subsets = (
            known.parameters <= item.parameters or item.parameters <= known.parameters for known in (first, *kept)
        )
        if item.guests <= first.guests and not any(subsets):
            kept.append(item)
    return kept


class _Odds:
    """Compute hypergeometric chances for fixed margins, from a table of logarithms of factorials."""

    def __init__(self, failed: int, passed: int) -> None:
        self.failed = failed
        self.passed = passed
        self._logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, failed + passed + 1)))])

    def log_chance(self, hits: Floats, passes: Floats) -> Floats:
        """Return the logarithm of the chance of exactly so many failures inside: the tail's largest term."""
        k, m = hits.astype(np.int64), passes.astype(np.int64)
        logs, total = self._logs, self.failed + self.passed
        return (
            logs[self.failed] - logs[k] - logs[self.failed - k] + logs[self.passed] - logs[m] - logs[self.passed - m]
            - (logs[total] - logs[k + m] - logs[total - k - m])
        )  # fmt: skip

    def log_p(self, hits: int, inside: int) -> float:
        """Return the logarithm of the chance of so many failures inside, or more (Fisher's exact test)."""
        more = np.arange(hits, min(self.failed, inside) + 1)
        terms = self.log_chance(more.astype(np.float64), (inside - more).astype(np.float64))
        largest = float(terms.max())
        return largest + math.log(float(np.exp(terms - largest).sum()))

    def scores(self, hits: Floats, passes: Floats) -> Floats:
        """Return `log_chance` where failures are more frequent inside than outside; elsewhere 0."""
        more = hits * (self.failed + self.passed) > (hits + passes) * self.failed
        return np.where(more & (hits >= 2), self.log_chance(hits, passes), 0.0)

    def rule(self, found: _Found) -> Rule:
        """Return what was found as a rule with its support."""
        return Rule(
            tests=found.tests,
            hits=found.hits,
            inside=found.inside,
            missed=self.failed - found.hits,
            outside=self.failed + self.passed - found.inside,
            p=min(1.0, math.exp(found.log_p)),
        )


class _Spared:
    """Judge rules once more, with those that failed by other causes among those that this cause spared."""

    def __init__(self, table: Table, others: Sequence[int], odds: _Odds, logs: tuple[float, float]) -> None:
        self._column = {column.name: column for column in table.columns}
        self._others = np.array(others, dtype=np.int64)
        self._odds = odds
        self._logs = logs

    def log_p(self, found: _Found) -> float:
        """Return the corrected logarithm of a rule's p-value."""
        inside = np.ones(len(self._others), np.bool_)
        for test in found.tests:
            inside &= self._column[test.parameter].holds(test)[0][self._others]
        return self._odds.log_p(found.hits, found.inside + int(inside.sum())) + self._logs[len(found.tests) - 1]


class _Finder:
    """Search single tests exhaustively, and pairs from a few thresholds for each parameter, which are then refined."""

    def __init__(self, columns: Sequence[Column], odds: _Odds, *, log_singles: float, log_pairs: float) -> None:
        self._columns = columns
        self._odds = odds
        self._log_singles = log_singles
        self._log_pairs = log_pairs
        self._column = {column.name: column for column in columns}
        self._fewest = max(2.0, _LEAST_SHARE * odds.failed)

    def best(self) -> list[_Found]:
        """Return the best rule for each parameter and pair of parameters, the best first."""
        found = [item for column in self._columns if (item := self._single(column)) is not None] + self._pairs()
        return sorted(found, key=lambda item: (round(item.log_p, 9), len(item.tests), item.guests, _thresholds(item)))

    def _single(self, column: Column) -> _Found | None:
        test = self._refined(column, None)
        return None if test is None else self._found((test,))

    def _pairs(self) -> list[_Found]:
        made = [(test, column.holds(test)) for column in self._columns for test in column.candidates(_RANKS)]
        kept = [(test, flags) for test, flags in made if np.count_nonzero(flags[0]) >= self._fewest]
        if len(kept) < 2:
            return []
        kept = self._foremost(kept)
        tests = [test for test, _ in kept]
        # Bits of whole numbers: the two counts of a pair cost 0.3 us, and no BLAS starts threads that wait for others.
        failed, passed = ([_bits(flags[side]) for _, flags in kept] for side in (0, 1))
        pairs = [
            (i, j, hits)
            for i, j in combinations(range(len(kept)), 2)
            if (hits := (failed[i] & failed[j]).bit_count()) >= self._fewest
        ]
        passes = [float((passed[i] & passed[j]).bit_count()) for i, j, _ in pairs]
        scores = self._odds.scores(np.array([float(hits) for _, _, hits in pairs]), np.array(passes))
        order = [int(index) for index in np.argsort(scores, kind="stable")[:_TRIED]]
        best: dict[frozenset[str], tuple[Test, Test]] = {}
        for index in order:
            if scores[index] < 0:
                pair = tests[pairs[index][0]], tests[pairs[index][1]]
                best.setdefault(frozenset(test.parameter for test in pair), pair)
        foremost = list(best.values())[:_REFINED]
        return [self._found(self._refined_pair(*pair)) for pair in foremost]

    def _foremost(self, kept: list[_Held]) -> list[_Held]:
        """Return the tests that say most on their own, where there are too many to pair each with each."""
        if len(kept) <= _PAIRED:
            return kept
        counts = np.array([[np.count_nonzero(side) for side in flags] for _, flags in kept], dtype=np.float64)
        order = np.argsort(self._odds.scores(counts[:, 0], counts[:, 1]), kind="stable")[:_PAIRED]
        return [kept[int(index)] for index in sorted(order)]

    def _refined_pair(self, one: Test, other: Test) -> tuple[Test, ...]:
        for _ in range(_ROUNDS):
            before = (one, other)
            one = self._refined(self._column[one.parameter], other, like=one) or one
            other = self._refined(self._column[other.parameter], one, like=other) or other
            if (one, other) == before:
                break
        return one, other

    def _refined(self, column: Column, beside: Test | None, *, like: Test | None = None) -> Test | None:
        """Return the best test of a parameter beside another one, of the kind of `like` where that is given."""
        some = None if beside is None else self._column[beside.parameter].holds(beside)
        best, score = None, 0.0
        for tests, hits, passes in column.counted(some):
            wanted = [index for index, test in enumerate(tests) if like is None or test.relation == like.relation]
            if not wanted:
                continue
            scores = self._odds.scores(hits[wanted], passes[wanted])
            index = int(np.argmin(scores))
            if scores[index] < score:
                best, score = tests[wanted[index]], float(scores[index])
        return best

    def _found(self, tests: tuple[Test, ...]) -> _Found:
        failed, passed = np.ones(self._odds.failed, np.bool_), np.ones(self._odds.passed, np.bool_)
        for test in tests:
            more = self._column[test.parameter].holds(test)
            failed, passed = failed & more[0], passed & more[1]
        hits, inside = int(failed.sum()), int(failed.sum() + passed.sum())
        family = self._log_singles if len(tests) == 1 else self._log_pairs
        log_p = self._odds.log_p(hits, inside) + family
        guests = sum(self._column[test.parameter].gaps for test in tests)
        return _Found(tests=self._rounded(tests), hits=hits, inside=inside, log_p=log_p, guests=guests)

    def _rounded(self, tests: tuple[Test, ...]) -> tuple[Test, ...]:
        """Return the tests with thresholds that are short, each among those for which the other test holds."""
        shown: list[Test] = []
        for test in tests:
            others = [other for other in tests if other is not test and other.parameter != test.parameter]
            some = None if not others else self._column[others[0].parameter].holds(others[0])
            shown.append(self._column[test.parameter].shown(test, some))
        return tuple(shown)


def _thresholds(found: _Found) -> int:
    return sum(test.relation in (">", "<=") for test in found.tests)


def _bits(flags: Flags) -> int:
    return int.from_bytes(np.packbits(flags).tobytes())


_LEAST_SHARE = 0.2  # of the failures: a pair that explains fewer helps nobody
_PAIRED = 400  # tests: 80,000 pairs take 50 ms
_TRIED = 400  # pairs of tests, the best first, of which each pair of parameters keeps its best
_REFINED = 8  # pairs of parameters whose thresholds are refined
