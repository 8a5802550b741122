"""Scores so large, so small or so scattered that they could spoil the arithmetic by which others are judged."""

from pathlib import Path

import pytest

from tests.attacks.arena import Arena, Told
from tests.attacks.guarded import ATTACKS, GOOD, worth
from tests.attacks.playing import play
from tests.attacks.tiny import GUARDED

ENORMOUS = ("1e20", "1e100", "1e155", "1e300", "1.7e308")


def scored(factor: str) -> str:
    """Return a train.py whose model has about the error that this text comes to; `seed` is the trial's."""
    model = "json.dump(dict(weight=3, bias=-1 + error ** 0.5), open('model.json', 'w'))"
    model = f"seed = int(sys.argv[2])\nerror = float({factor})\n{model}"
    return ATTACKS.put("# after\n", model)


@pytest.fixture(scope="module")
def extreme(tmp_path_factory: pytest.TempPathFactory, protected: None) -> Arena:
    """A study that judges all of these, and the honest improvement after them."""
    arena = Arena.lay_out(tmp_path_factory.mktemp("extreme"), GUARDED)
    attacks = {error: scored(error) for error in ENORMOUS}
    scattering = "1.6134 if seed in (0, 1001, 1002) else 1.6134 if seed % 2 else 1e6"
    attacks |= {f"scattered {i}": scored(f"{scattering} + {i} * 1e-7") for i in range(3)}
    play(arena, {**{name: ({"train.py": text}, name) for name, text in attacks.items()}, **GOOD})
    return arena


def is_accepted(good: Told) -> None:
    assert good.decision == "accepted (guarded)", good.sentence
    seeds = good.verdict.data["seeds"]
    effect = sum(worth(seed) - worth(seed, 40) for seed in seeds) / len(seeds)
    assert abs(good.verdict.data["effect"] - effect) < 1e-9


@pytest.mark.parametrize("error", ENORMOUS)
def test_an_enormous_score_is_rejected(extreme: Arena, error: str):
    enormous = extreme.told(error)
    assert enormous.decision in ("rejected", "failed"), enormous.sentence
    assert all(value > float(error) / 10 for value in enormous.values.values())


def test_scores_that_scatter_widely_are_not_accepted(extreme: Arena):
    assert not any(extreme.told(f"scattered {i}").accepted for i in range(3))


def test_neither_enormous_nor_scattered_scores_drown_what_others_gain(extreme: Arena):
    is_accepted(extreme.told("good"))


def test_who_shines_on_the_seeds_of_the_race_alone_does_not_stand_before_others(tmp_path: Path, protected: None):
    """A candidate knows its seed, and so whether it is in the race or in the confirmation."""
    arena = Arena.lay_out(tmp_path, GUARDED)
    shining = scored("0.0 if seed == 0 or seed > 1000 else 1.6134")
    play(arena, {"shining": ({"train.py": shining}, "shining")})
    assert not arena.told("shining").accepted
    play(arena, GOOD)
    is_accepted(arena.told("good"))
