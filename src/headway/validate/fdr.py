"""How many of a project's discoveries are false, over all the ideas it tests. `studies` tests each finalist once."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Self

from headway.core import UsageError
from headway.validate._spending import FEW, share

__all__ = ["OnlineFdr", "Test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """Hold what the test of one idea said: accepted if its e-value reached `threshold`, at the test's own level."""

    __test__ = False  # pytest takes a class of this name for tests

    index: int  # 1 for a project's first test
    level: float
    threshold: float  # 1 / level
    log_e: float
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineFdr:
    """Decide on ideas one after the other, so that at most `level` of the accepted ones are false, on average.

    This is e-LOND (Xu and Ramdas, "Online multiple testing with e-values", AISTATS 2024): test t has the level
    alpha_t = level * share(t) * (1 + ideas accepted so far), and accepts where the e-value is at least 1 / alpha_t.
    The expected share of false discoveries among all discoveries is at most `level` after any number of tests,
    whatever the dependence of the evidence, such as one control for all ideas. What it needs is an e-value for each
    idea, made without regard to the others' outcomes: `evidence` of fresh confirmation runs, not of the runs that
    chose the finalist.

    The shares suit a project that confirms some ideas and, with luck, hundreds: while half or more of the finalists are
    accepted, each test needs odds of 90 to 400 to 1 (at a level of .05, over the first twenty), as each acceptance
    raises all later levels and the shares fall about as slowly as they can.

    The state is three numbers. `test` answers, `after` takes the answer in:

    >>> project = OnlineFdr(level=0.1)
    >>> test = project.test(log_e=8.0)
    >>> test.accepted, project.after(test).discoveries
    (True, 1)
    """

    level: float
    tests: int = 0
    discoveries: int = 0

    def __post_init__(self) -> None:
        """Refuse a level that is no probability, and counts that cannot be."""
        if not 0 < self.level < 1:
            raise UsageError(f"The level {self.level} is no rate. Give one between 0 and 1, such as 0.1.")
        if not 0 <= self.discoveries <= self.tests:
            raise UsageError(
                f"{self.discoveries} discoveries of {self.tests} tests cannot be. Take the state as it was."
            )

    def test(self, log_e: float) -> Test:
        """Test the next idea by the natural logarithm of its e-value. Raise `UsageError` if it is not a number."""
        if math.isnan(log_e):
            raise UsageError(
                "An e-value that is not a number cannot be tested. Leave the idea out, or count it as failed."
            )
        level = self.level * share(self.tests + 1, FEW) * (self.discoveries + 1)
        accepted = log_e >= -math.log(level)
        return Test(index=self.tests + 1, level=level, threshold=1 / level, log_e=log_e, accepted=accepted)

    def after(self, test: Test) -> Self:
        """Return the state with that test taken in. Raise `UsageError` if it was another state's."""
        if test.index != self.tests + 1:
            raise UsageError(
                f"Test {test.index} cannot follow {self.tests} tests. Test the idea again with this state."
            )
        return replace(self, tests=test.index, discoveries=self.discoveries + test.accepted)

    def to_json(self) -> dict[str, float | int]:
        """Return the state as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: Mapping[str, float | int]) -> Self:
        """Return the state that `to_json` gave."""
        return cls(level=state["level"], tests=int(state["tests"]), discoveries=int(state["discoveries"]))
