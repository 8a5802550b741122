"""Studies that are played in arithmetic: ideas with known effects, and who decides which of them to keep.

The race plays with the object that studies use. The others play many studies at once, in arrays.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.validate.noise import Noise
from headway.validate.race import Race

__all__ = ["PEERS", "Played", "Scenario", "play_race", "read_scenarios"]

Array = NDArray[np.float64]
_KINDS = {"exponential": ("mean",), "normal": ("mean", "sd"), "student": ("scale", "degrees"), "null": ()}
_Z = 1.645  # one-sided 5 %
_CONFIRM = 4  # fresh runs of the final incumbent, and as many of the baseline
_AA = 5
_SEEDS = 3
_MOST_PAIRS, _ALPHA = 8, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Hold how the effects of ideas on their incumbent are spread: parts (share, kind, its numbers), and the noise."""

    name: str
    parts: tuple[dict[str, Any], ...]
    noise_sd: float = 1.0
    trials: int = 300
    gain_ratio: float | None = None  # what the race's gain must be of greedy's

    @classmethod
    def of(cls, name: str, good: float, gain: float, null: float, harm: float, ratio: float | None) -> "Scenario":
        """Return ideas of which a share is good, one does nothing, and the others are bad."""
        parts = (
            {"share": good, "kind": "exponential", "mean": gain},
            {"share": null, "kind": "null"},
            {"share": 1 - good - null, "kind": "exponential", "mean": -harm},
        )
        return cls(name=name, parts=parts, gain_ratio=ratio)

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Return effects of ideas; positive is better."""
        shares = np.array([part["share"] for part in self.parts])
        which = random.choice(len(self.parts), size=shape, p=shares / shares.sum())
        return np.choose(which, [_draw_part(part, random, shape) for part in self.parts])

    def good_share(self) -> float:
        """Return the share of ideas that help, of a million drawn."""
        return float((self.draw(np.random.default_rng(0), (1_000_000,)) > 0).mean())


def _draw_part(part: Mapping[str, Any], random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    match part["kind"]:
        case "exponential":
            return part["mean"] * random.exponential(size=shape)
        case "normal":
            return random.normal(part["mean"], part["sd"], size=shape)
        case "student":
            return part.get("mean", 0.0) + part["scale"] * random.standard_t(part["degrees"], size=shape)
        case _:
            return np.zeros(shape)


def read_scenarios(file: Path) -> list[Scenario]:
    """Read one scenario or a list of them: the format stands in docs/benchmarks.md. Raise `ValueError` for others."""
    data: Any = json.loads(file.read_text())
    items: list[dict[str, Any]] = [data] if "parts" in data else data
    found: list[Scenario] = []
    for item in items:
        try:
            fields: Any = item | {"parts": tuple(item["parts"])}
            scenario = Scenario(**fields)
            wrong = [part for part in scenario.parts if not _is_part(part)]
        except (TypeError, KeyError) as error:
            raise ValueError(f"{file}: {item} is no scenario ({error!r}). It needs name and parts.") from error
        if wrong or not scenario.parts:
            raise ValueError(f"{file}: {wrong} is no part. Give share, kind ({', '.join(_KINDS)}) and its numbers.")
        found.append(scenario)
    return found


def _is_part(part: Mapping[str, Any]) -> bool:
    return part.get("share", -1) >= 0 and all(key in part for key in _KINDS.get(part.get("kind", ""), ("?",)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Hold what studies came to, one entry each: the true gain, what is claimed, ideas kept, those that do not help."""

    gain: Array
    claimed: Array
    keeps: Array
    false: Array


def play_race(scenario: Scenario, study: int, *, noise_known: bool) -> tuple[float, float, int, int]:
    """Play one study by the race. Return its gain, claim, keeps and false keeps.

    The noise is given, or comes from five runs of the baseline, which the budget pays as it does the confirmation.
    """
    random = np.random.default_rng([11, study])
    sd = scenario.noise_sd
    effects = scenario.draw(random, (scenario.trials,)).tolist()
    errors = iter((sd * random.normal(size=2 * scenario.trials)).tolist())
    levels, keeps, false = {"baseline": 0.0}, 0, 0
    aa = [] if noise_known else [next(errors) for _ in range(_AA)]
    noise = Noise(float(np.std(aa, ddof=1)), _AA - 1) if aa else Noise(sd)
    race = Race("maximize", noise, budget=scenario.trials - 2 * _CONFIRM)
    for seed, value in enumerate(aa):
        race.observe("baseline", seed, value)
    while (action := race.next()).kind != "stop":
        name = action.candidate
        if name is None:
            name = f"idea {len(levels)}"
            levels[name] = levels[race.incumbent] + effects[len(levels) - 1]
            race.add(name)
        before = levels[race.incumbent]
        assert action.seed is not None
        for ruling in race.observe(name, action.seed, levels[name] + next(errors)):
            if ruling.kept:
                effect = levels[ruling.candidate] - before
                keeps, false, before = keeps + 1, false + (effect <= 0), levels[ruling.candidate]
    gain = levels[race.incumbent]
    claimed = gain + sd * math.sqrt(2 / _CONFIRM) * float(random.normal()) if keeps else 0.0
    return gain, claimed, keeps, false


class _Studies:
    """Many studies at once: true level of each one's incumbent, the value that it is known by, what was kept."""

    def __init__(self, scenario: Scenario, studies: int, name: str) -> None:
        self.scenario = scenario
        self.random = np.random.default_rng([13, *name.encode()])
        self.count = studies
        self.level, self.keeps, self.false = np.zeros(studies), np.zeros(studies), np.zeros(studies)
        self.known = self.first = np.zeros(studies)

    def begin(self, runs: int) -> None:
        self.known = self.first = self.run(self.level, runs)

    def ideas(self) -> Array:
        return self.scenario.draw(self.random, (self.count,))

    def run(self, level: Array, runs: int = 1) -> Array:
        """Return the means of some runs."""
        return level + self.scenario.noise_sd / math.sqrt(runs) * self.random.normal(size=self.count)

    def keep(self, kept: NDArray[np.bool_], effect: Array, value: Array) -> None:
        self.keeps += kept
        self.false += kept & (effect <= 0)
        self.level = self.level + np.where(kept, effect, 0.0)
        self.known = np.where(kept, value, self.known)

    def played(self) -> Played:
        claimed = np.where(self.keeps > 0, self.known - self.first, 0.0)
        return Played(gain=self.level, claimed=claimed, keeps=self.keeps, false=self.false)


def _greedy(studies: _Studies) -> None:
    """Run each idea once; keep it if its value beats the one that the incumbent was kept with."""
    studies.begin(1)
    for _ in range(studies.scenario.trials - 1):
        effect = studies.ideas()
        value = studies.run(studies.level + effect)
        studies.keep(value > studies.known, effect, value)


def _fixed_seeds(studies: _Studies) -> None:
    """Run each idea with three seeds; keep it if a z-test against the incumbent's three says so."""
    studies.begin(_SEEDS)
    margin = _Z * studies.scenario.noise_sd * math.sqrt(2 / _SEEDS)
    for _ in range(studies.scenario.trials // _SEEDS - 1):
        effect = studies.ideas()
        value = studies.run(studies.level + effect, _SEEDS)
        studies.keep(value > studies.known + margin, effect, value)


def _two_stages(studies: _Studies) -> None:
    """Run each idea once, those half a sd above the incumbent three times more; only the fresh three decide."""
    studies.begin(_SEEDS)
    sd = studies.scenario.noise_sd
    left = np.full(studies.count, studies.scenario.trials - _SEEDS)
    margin = _Z * sd * math.sqrt(2 / _SEEDS)
    while (left > 0).any():
        effect = studies.ideas()
        promising = (studies.run(studies.level + effect) > studies.known + 0.5 * sd) & (left > _SEEDS)
        fresh = studies.run(studies.level + effect, _SEEDS)
        studies.keep(promising & (fresh > studies.known + margin) & (left > 0), effect, fresh)
        left -= np.where(promising, 1 + _SEEDS, 1)


def _e_process(studies: _Studies) -> None:
    """Pair an idea's runs with the incumbent's, which ideas share; keep it when the e-value reaches 1 / 10.

    Effects above 0 are mixed over a half-normal distribution as wide as the noise of a difference. Ideas that look no
    better, or are undecided after eight pairs, are dropped.
    """
    count, sd = studies.count, studies.scenario.noise_sd
    rows = np.arange(count)
    controls = np.zeros((count, _MOST_PAIRS + 1))
    controls[:, 0] = studies.run(studies.level)
    studies.known = studies.first = controls[:, 0].copy()
    bought, runs = np.ones(count, dtype=int), np.zeros(count, dtype=int)
    own = np.zeros_like(controls)
    effect = studies.ideas()
    for _ in range(studies.scenario.trials - 1):
        controlled = bought <= runs
        value = studies.run(studies.level + np.where(controlled, 0.0, effect))
        controls[rows, bought] = np.where(controlled, value, controls[rows, bought])
        own[rows, runs] = np.where(controlled, own[rows, runs], value)
        bought, runs = bought + controlled, runs + ~controlled
        used = np.arange(_MOST_PAIRS + 1)[None, :] < runs[:, None]
        total = np.where(used, own - controls, 0.0).sum(axis=1) / (sd * math.sqrt(2))
        kept = ~controlled & (_log_e(total, runs) >= -math.log(_ALPHA))
        done = ~controlled & (kept | (total <= 0) | (runs >= _MOST_PAIRS))
        mean = np.where(used, own, 0.0).sum(axis=1) / np.maximum(runs, 1)
        studies.keep(kept, effect, mean)
        controls = np.where(kept[:, None], own, controls)
        bought = np.where(kept, runs, bought)
        runs = np.where(done, 0, runs)
        effect = np.where(done, studies.ideas(), effect)


def _log_e(total: Array, runs: NDArray[np.int_]) -> Array:
    from scipy.special import log_ndtr

    wide = 1.0 + runs
    return math.log(2) - 0.5 * np.log(wide) + total**2 / (2 * wide) + log_ndtr(total / np.sqrt(wide))


def _playing(policy: Callable[[_Studies], None]) -> Callable[[Scenario, int], Played]:
    def play(scenario: Scenario, count: int) -> Played:
        studies = _Studies(scenario, count, f"{scenario.name} {policy.__name__}")
        policy(studies)
        return studies.played()

    return play


PEERS: dict[str, tuple[Callable[[Scenario, int], Played], str]] = {
    "greedy": (_playing(_greedy), "one run each, kept if it beats the best"),
    "fixed seeds": (_playing(_fixed_seeds), "three seeds each, z-test at 5 %"),
    "two stages": (_playing(_two_stages), "one run, three fresh ones for the promising"),
    "e-process": (_playing(_e_process), "pairs until e reaches 10, at most eight"),
}
