"""Scores so large, so small or so scattered that they could spoil the arithmetic by which others are judged."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.attacks.arena import Arena, Told
from tests.attacks.attacks import Attacks
from tests.attacks.guarded import worth
from tests.attacks.playing import play
from tests.attacks.tiny import GUARDED

_ATTACKS = Attacks(path="train.py", source=GUARDED["train.py"])
_GOOD = {"good": ({"train.py": GUARDED["train.py"].replace("STEPS = 10", "STEPS = 40")}, "good")}

pytestmark = pytest.mark.usefixtures("protected")


def scored(factor: str) -> str:
    """Return a train.py whose model has about the error that this text comes to; `seed` is the trial's."""
    model = f"seed = int(sys.argv[2])\nerror = float({factor})\njson.dump(dict(weight=3, bias=-1 + error ** 0.5), open('model.json', 'w'))"
    return _ATTACKS.put("# after\n", model)


def judged(folder: Path, attacks: Mapping[str, str]) -> Arena:
    """Judge these, and the honest improvement after them."""
    arena = Arena.lay_out(folder, GUARDED)
    play(arena, {**{name: ({"train.py": text}, name) for name, text in attacks.items()}, **_GOOD})
    return arena


def is_accepted(good: Told) -> None:
    assert good.decision == "accepted (guarded)", good.sentence
    seeds = good.verdict.data["seeds"]
    effect = sum(worth(seed) - worth(seed, 40) for seed in seeds) / len(seeds)
    assert abs(good.verdict.data["effect"] - effect) < 1e-9


@pytest.mark.parametrize("error", ["1e20", "1e100", "1e155", "1e300", "1.7e308"])
def test_an_enormous_score_is_rejected_and_spoils_no_other_verdict(tmp_path: Path, error: str):
    arena = judged(tmp_path, {"enormous": scored(error)})
    assert arena.told("enormous").decision in ("rejected", "failed"), arena.told("enormous").sentence
    is_accepted(arena.told("good"))


def test_scores_that_scatter_widely_do_not_drown_what_others_gain(tmp_path: Path):
    scattering = "1.6134 if seed in (0, 1001, 1002) else 1.6134 if seed % 2 else 1e6"
    arena = judged(tmp_path, {f"scattered {i}": scored(f"{scattering} + {i} * 1e-7") for i in range(4)})
    is_accepted(arena.told("good"))


def test_who_shines_on_the_seeds_of_the_race_alone_does_not_stand_before_others(tmp_path: Path):
    """A candidate knows its seed, and so whether it is in the race or in the confirmation."""
    arena = Arena.lay_out(tmp_path, GUARDED)
    shining = scored("0.0 if seed == 0 or seed > 1000 else 1.6134")
    play(arena, {"shining": ({"train.py": shining}, "shining")})
    assert not arena.told("shining").accepted
    play(arena, _GOOD)
    is_accepted(arena.told("good"))


def test_a_perfect_score_of_zero_is_what_the_model_is_worth(tmp_path: Path):
    """Who knows the answer has it: what must not be known is kept from the candidate (`test_private.py`)."""
    arena = judged(tmp_path, {"perfect": scored("0.0")})
    perfect = arena.told("perfect")
    assert perfect.decision == "accepted (guarded)"
    assert max(perfect.values.values()) < 1e-30
