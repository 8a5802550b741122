"""The conformance suite for samplers: inherit from `SamplerConformance`, and pytest tests every point of the contract.

class TestMySampler(SamplerConformance):
    def make(self, space, *, seed, direction):
        return MySampler(space, seed=seed)
"""

import json
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import pytest

from headway.core import Choice, Direction, Float, Int, Space, canonical_json
from headway.propose import Observation, Sampler

__all__ = ["FINITE_SPACES", "SPACES", "SamplerConformance"]

FINITE_SPACES: dict[str, Space] = {
    "choices": Space.of(
        {"optimizer": Choice(["adamw", "muon"]), "layers": Int(1, 3), "nesterov": Choice([True, False])}
    ),
    "conditional": Space.of(
        {
            "optimizer": Choice(["sgd", "adamw", None]),
            "momentum": Float(0.8, 0.9, step=0.05, when={"optimizer": "sgd"}),
            "nesterov": Choice([True, False], when={"optimizer": "sgd"}),
            "delay": Int(1, 3, when={"nesterov": True}),
        }
    ),
    "mixed": Space.of(
        {"value": Choice([1, True, "1", None]), "dropout": Float(0.0, 0.4, step=0.1), "fixed": Int(3, 3)}
    ),
    "logarithmic": Space.of({"width": Int(1, 5, log=True), "batch": 32}),
    "constants": Space.of({"batch": 32, "name": "base", "nothing": None}),
    "empty": Space.of({}),
}
"""Spaces that can be exhausted. No parameter has more than five values, so that a small grid covers them."""

SPACES: dict[str, Space] = FINITE_SPACES | {
    "real": Space.of({"lr": Float(1e-5, 1e-1, log=True), "decay": Float(-1.0, 1.0), "fixed": Float(2.0, 2.0)}),
    "quantised": Space.of(
        {"dropout": Float(0.0, 0.95, step=0.1), "width": Int(64, 4096, step=48), "noise": Float(0, 1)}
    ),
    "large": Space.of(
        {"width": Int(1, 2**40), "batch": Int(1, 100_000, log=True), "seed": Int(-(10**9), 10**9, step=7)}
    ),
    "branches": Space.of(
        {
            "optimizer": Choice(["sgd", "adamw", "muon"]),
            "lr": Float(1e-5, 1.0, log=True),
            "momentum": Float(0.0, 0.99, when={"optimizer": ["sgd", "muon"]}),
            "steps": Int(1, 8, when={"optimizer": "muon"}),
            "batch": 32,
        }
    ),
    "sometimes real": Space.of(
        {"clip": Choice([False, True]), "norm": Float(0.1, 10.0, log=True, when={"clip": True})}
    ),
}
"""Spaces that a sampler must cope with: logarithms, steps, conditions, constants, mixed types, one value, none."""

_ALL = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
_SIZES = {"choices": 12, "conditional": 14, "mixed": 20, "logarithmic": 5, "constants": 1, "empty": 1}
_ROUNDS = 14  # more than the ten that Optuna's samplers begin with at random
_State = Literal["pending", "complete", "stopped", "failed"]


class SamplerConformance(ABC):
    """Test a sampler against the contract of `headway.propose.Sampler`."""

    @abstractmethod
    def make(self, space: Space, *, seed: int, direction: Direction) -> Sampler:
        """Return a new sampler."""

    @_ALL
    def test_proposals_are_configurations_in_canonical_form(self, space: Space) -> None:
        for seen in _history(self._new(space), _ROUNDS):
            assert canonical_json(space.check(seen.config)) == canonical_json(seen.config)
            assert list(seen.config) == sorted(seen.config)
            assert {type(value) for value in seen.config.values()} <= {bool, int, float, str, type(None)}

    @_ALL
    def test_the_same_seed_and_history_propose_the_same(self, space: Space) -> None:
        first, second = _history(self._new(space), _ROUNDS), _history(self._new(space), _ROUNDS)
        assert _texts(first) == _texts(second)

    @_ALL
    def test_a_new_instance_goes_on_as_the_old_one(self, space: Space) -> None:
        old = self._new(space)
        history = _history(old, _ROUNDS)
        for length in (0, 1, _ROUNDS // 2, len(history)):
            old_text = _text(old.propose(length, history[:length]))
            assert _text(self._new(space).propose(length, history[:length])) == old_text

    @_ALL
    def test_asking_twice_changes_nothing(self, space: Space) -> None:
        sampler = self._new(space)
        history = _history(sampler, 3)
        first = sampler.propose(3, history)
        text = _text(first)
        if first is not None:
            first["stranger"] = "what the caller does with a proposal is its own affair"
        assert _text(sampler.propose(3, history)) == text

    @_ALL
    def test_what_was_pending_ends_in_place(self, space: Space) -> None:
        followed = self._new(space)
        ended = _history(followed, _ROUNDS)
        pending = [_with_state(seen, "pending") for seen in ended]
        followed.propose(len(ended), pending)
        followed.propose(len(ended), [*ended[:3], *pending[3:]])
        assert _text(followed.propose(len(ended), ended)) == _text(self._new(space).propose(len(ended), ended))

    @_ALL
    def test_the_order_of_the_declaration_does_not_matter(self, space: Space) -> None:
        recorded = Space.from_json(json.loads(canonical_json(space.to_json())))
        assert _texts(_history(self._new(recorded), _ROUNDS)) == _texts(_history(self._new(space), _ROUNDS))

    @pytest.mark.parametrize("name", ["branches", "real", "large"])
    def test_another_seed_proposes_something_else(self, name: str) -> None:
        other = self.make(SPACES[name], seed=8, direction="minimize")
        assert _texts(_history(other, 4)) != _texts(_history(self._new(SPACES[name]), 4))

    @_ALL
    def test_an_order_free_sampler_needs_no_history(self, space: Space) -> None:
        sampler = self._new(space)
        history = _history(sampler, _ROUNDS) if sampler.order_free else []
        for number in reversed(range(len(history))):
            assert _text(self._new(space).propose(number, [])) == _text(sampler.propose(number, history))

    @_ALL
    def test_no_configuration_is_proposed_twice(self, space: Space) -> None:
        texts = _texts(_history(self._new(space), 40 if space in FINITE_SPACES.values() else _ROUNDS))
        assert len(set(texts)) == len(texts)

    @pytest.mark.parametrize("name", FINITE_SPACES)
    def test_a_finite_space_is_exhausted(self, name: str) -> None:
        space = FINITE_SPACES[name]
        sampler = self._new(space)
        history = _history(sampler, 1000)
        assert len(history) == _SIZES[name]
        assert sampler.propose(len(history), history) is None
        assert self._new(space).propose(len(history) + 5, history) is None

    @pytest.mark.parametrize("direction", ["minimize", "maximize"])
    @pytest.mark.parametrize("state", ["pending", "complete", "stopped", "failed"])
    @pytest.mark.parametrize("name", ["branches", "quantised"])
    def test_trials_may_end_in_any_way(self, name: str, state: _State, direction: Direction) -> None:
        sampler = self.make(SPACES[name], seed=7, direction=direction)
        history: list[Observation] = []
        for number in range(_ROUNDS):
            config = sampler.propose(number, history)
            assert config is not None
            history.append(_observation(number, config, state))

    def test_the_history_may_hold_what_the_sampler_did_not_propose(self) -> None:
        space = SPACES["quantised"]
        off_grid = {"dropout": 0.123, "width": 100, "noise": 1}
        history = [_observation(number, space.check(off_grid), "complete") for number in range(_ROUNDS)]
        assert self._new(space).propose(0, history) is not None

    def _new(self, space: Space) -> Sampler:
        return self.make(space, seed=7, direction="minimize")


def _history(sampler: Sampler, rounds: int) -> list[Observation]:
    """Run a study of which some trials fail or stop, and the latest two are pending when the next is proposed."""
    states: tuple[_State, ...] = ("complete", "complete", "stopped", "complete", "failed")
    history: list[Observation] = []
    for number in range(rounds):
        seen = [*history[:-2], *(_with_state(late, "pending") for late in history[-2:])]
        config = sampler.propose(number, seen)
        if config is None:
            break
        history.append(_observation(number, config, states[number % len(states)]))
    return history


def _observation(number: int, config: dict[str, Any], state: _State) -> Observation:
    value = zlib.crc32(canonical_json(config).encode()) / 2**32  # any objective will do that the configuration decides
    return Observation(
        number=number, config=config, value=value if state in ("complete", "stopped") else None, state=state
    )


def _with_state(seen: Observation, state: _State) -> Observation:
    return _observation(seen.number, dict(seen.config), state)


def _texts(history: Sequence[Observation]) -> list[str]:
    return [canonical_json(seen.config) for seen in history]


def _text(config: dict[str, Any] | None) -> str:
    return canonical_json(config)
