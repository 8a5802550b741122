"""A holdout that may be asked again and again, by agents that learn from its answers. `studies` asks it for them.

Who may look at a holdout and change the idea after it, fits the holdout. Here an answer tells nothing that the training
side does not tell already, unless the two disagree; and those answers are noised, counted, and soon spent.
"""

import hmac
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Self

from headway.core import UsageError
from headway.core.digest import Json

__all__ = ["Answer", "Holdout", "HoldoutClosed"]


class HoldoutClosed(UsageError):
    """Say that a holdout's budget is spent, and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Hold what the analyst is told. `value` is None where the holdout answers with one bit.

    `charged` tells whether the question cost one of the budget: it does where the two sides disagree, the first time.
    """

    query: str
    agrees: bool
    value: float | None
    charged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """Answer questions about a holdout so that its answers stay true when the next question depends on them.

    This is Thresholdout (Dwork, Feldman, Hardt, Pitassi, Reingold and Roth, "The reusable holdout", Science 349,
    2015; "Generalization in adaptive data analysis and holdout reuse", NeurIPS 2015, figure 1). A question is a mean
    over cases, such as an accuracy, on the training side and on the holdout. Where they differ by less than a noised
    `threshold`, the analyst is told the training side's value and has learned nothing. Else the holdout's value is
    told with Laplace noise, in steps of `noise`, and charged. After `budget` charges the holdout is closed.

    With `one_bit`, the default for agents, the answer is only whether the two agree; the charge is the same.

    The noise of an answer comes from a `secret` of the caller and the query's name, so that asking again neither
    costs nor averages it out. The name must stand for what is asked (a digest of candidate and metric, say) and must
    not be the asker's to choose. The state holds the answers that were given, and no secret.

    `threshold` and `noise` are in units of the value. Of a holdout with n cases, whose means have an sd of s /
    sqrt(n), a threshold below 3 s / sqrt(n) is spent on chance; `noise` wants to be a tenth of the threshold or less,
    since the comparison carries Laplace noise of twice and four times that scale.
    """

    threshold: float
    noise: float
    budget: int
    one_bit: bool = True
    agreeing: Mapping[str, float | None] = field(default_factory=dict[str, float | None])
    disagreeing: Mapping[str, float | None] = field(default_factory=dict[str, float | None])

    def __post_init__(self) -> None:
        """Refuse sizes that would tell everything or nothing."""
        if not (0 < self.noise < self.threshold < math.inf and self.budget > 0):
            raise UsageError(
                f"threshold={self.threshold}, noise={self.noise}, budget={self.budget} guard no holdout. "
                "Give a noise above 0 and below the threshold, and a budget of at least 1."
            )

    @property
    def asked(self) -> int:
        """Return how many different questions were answered."""
        return len(self.agreeing) + len(self.disagreeing)

    @property
    def spent(self) -> int:
        """Return how much of the budget is spent."""
        return len(self.disagreeing)

    def recall(self, query: str) -> Answer | None:
        """Return the answer that was given to this question, if it was; so the holdout need not be evaluated again."""
        for given, agrees in ((self.agreeing, True), (self.disagreeing, False)):
            if query in given:
                return Answer(query=query, agrees=agrees, value=given[query], charged=False)
        return None

    def ask(self, query: str, *, training: float, holdout: float, secret: bytes) -> Answer:
        """Answer a question; `after` takes the answer in. Raise `HoldoutClosed` for a new one when the budget is spent.

        Raises `UsageError` for values that are not finite and for a secret of less than 16 bytes.
        """
        if (given := self.recall(query)) is not None:
            return given
        self._check(query, training, holdout, secret)
        # The threshold's own noise is drawn anew after each charge, as the paper has it.
        threshold = self.threshold + _laplace(2 * self.noise, secret, "threshold", str(self.spent))
        if abs(holdout - training) <= threshold + _laplace(4 * self.noise, secret, "question", query):
            return Answer(query=query, agrees=True, value=None if self.one_bit else training, charged=False)
        told = holdout + _laplace(self.noise, secret, "answer", query)
        value = None if self.one_bit else round(told / self.noise) * self.noise
        return Answer(query=query, agrees=False, value=value, charged=True)

    def after(self, answer: Answer) -> Self:
        """Return the state with that answer taken in. One that was given before changes nothing."""
        if self.recall(answer.query) is not None:
            return self
        if answer.agrees:
            return replace(self, agreeing={**self.agreeing, answer.query: answer.value})
        return replace(self, disagreeing={**self.disagreeing, answer.query: answer.value})

    def to_json(self) -> dict[str, Json]:
        """Return the state as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: Mapping[str, Json]) -> Self:
        """Return the state that `to_json` gave."""
        return cls(**state)  # pyright: ignore[reportArgumentType]

    def _check(self, query: str, training: float, holdout: float, secret: bytes) -> None:
        if len(secret) < 16:
            raise UsageError(
                f"A secret of {len(secret)} bytes can be guessed. Give 16 or more, such as os.urandom(32)."
            )
        if not (math.isfinite(training) and math.isfinite(holdout)):
            raise UsageError(f"{query} is {training} in training and {holdout} on the holdout. Give finite values.")
        if self.spent >= self.budget:
            raise HoldoutClosed(
                f"The holdout is closed: {self.asked} questions were answered, and all {self.budget} disagreements of "
                "its budget are spent. What it would say now could be fitted to it. Take fresh data for a new holdout."
            )


def _laplace(scale: float, secret: bytes, *names: str) -> float:
    """Draw Laplace noise that only the holder of the secret can tell, the same for the same names."""
    code = hmac.digest(secret, "\0".join(names).encode(), "sha256")
    uniform = ((int.from_bytes(code[:8], "big") >> 12) + 0.5) / 2**52 - 0.5  # exact, and never an end
    return -scale * math.copysign(math.log1p(-2 * abs(uniform)), uniform)
