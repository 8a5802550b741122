"""The sampler contract: what a sampler sees of a study, and what it must hold to. `studies` asks for each proposal."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from headway.core import Config

__all__ = ["Observation", "Sampler"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Tell a sampler what became of one configuration.

    `number` counts proposals from 0; a configuration that no sampler proposed (a baseline, a person's) may have any.
    `value` is the objective, in its own units: None while `pending`, and where the trial `failed`. For a `stopped`
    trial it is the last value before the stop, which was reached with less training than a `complete` one.
    """

    number: int
    config: Config
    value: float | None
    state: Literal["pending", "complete", "stopped", "failed"]


class Sampler(ABC):
    """Choose the next configuration of a search space. `headway.testing.samplers` tests every point of this contract.

    - A proposal passes `Space.check` and is in the form that it returns: complete, constants filled in, plain values.
    - It is a pure function of (space, seed, number, history). What an instance keeps between calls only saves time:
      a new instance, given the same history after a restart, proposes the same. The order in which the space declares
      its parameters does not matter, as the record does not keep it.
    - `history` is in a fixed order and only grows, but what was pending ends in place.
    - None says that nothing further is left, now or later: every configuration of a finite space was proposed.
    - No sampler proposes the same configuration twice. One that is `order_free` cannot see what others brought
      into the history, so it may propose that again; the engine then answers from the record at no cost.
    """

    order_free: ClassVar[bool]
    """Whether a proposal depends on (seed, number) alone, so that a study proposes the same in whatever order its
    trials end. `history` is then ignored."""

    @abstractmethod
    def propose(self, number: int, history: Sequence[Observation]) -> dict[str, Any] | None:
        """Return proposal `number` of this sampler, counted from 0, or None when nothing further is left."""
