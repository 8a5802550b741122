"""The scenarios of the benchmark `race`, and the policies that the race is compared with."""

import json

import numpy as np
import pytest

from benchmarks._race_policies import PEERS, Scenario, play_race, read_scenarios

EARLY = Scenario.of("early", 0.10, 1.5, 0.30, 3.0, 0.85)
NOTHING = Scenario(name="nothing", parts=({"share": 1, "kind": "null"},), trials=100)


def test_scenarios_are_read_alone_or_in_a_list(tmp_path):
    file = tmp_path / "mine.json"
    parts = [{"share": 1, "kind": "exponential", "mean": -2}, {"share": 1, "kind": "student", "scale": 1, "degrees": 3}]
    file.write_text(json.dumps({"name": "mine", "noise_sd": 2, "parts": parts}))
    (alone,) = read_scenarios(file)
    assert alone.noise_sd == 2
    assert alone.good_share() == pytest.approx(0.25, abs=0.01)
    file.write_text(json.dumps([{"name": "a", "parts": parts}, {"name": "b", "parts": parts}]))
    assert [scenario.name for scenario in read_scenarios(file)] == ["a", "b"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"parts": [], "name": "empty"}, "is no part"),
        ({"parts": [{"share": 1, "kind": "cauchy"}], "name": "x"}, "is no part"),
        ({"parts": [{"share": 1, "kind": "normal", "mean": 0}], "name": "x"}, "is no part"),
        ([{"name": "x"}], "is no scenario"),
    ],
)
def test_other_files_are_refused(tmp_path, data, says):
    (tmp_path / "mine.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match=says):
        read_scenarios(tmp_path / "mine.json")


def test_policies_do_what_they_are_known_for():
    played = {name: play(EARLY, 400) for name, (play, _) in PEERS.items()}
    false = {name: item.false.sum() / item.keeps.sum() for name, item in played.items()}
    assert false["greedy"] == pytest.approx(0.52, abs=0.03)
    assert false["fixed seeds"] < 0.25
    assert played["fixed seeds"].gain.mean() < 0.6 * played["greedy"].gain.mean()
    assert all(item.gain.mean() > 5 for item in played.values())


def test_an_e_process_keeps_null_ideas_seldom_and_greedy_often():
    ideas = NOTHING.trials / 8  # at least so many are tried
    assert PEERS["e-process"][0](NOTHING, 300).keeps.mean() < 0.2 * ideas
    assert PEERS["greedy"][0](NOTHING, 300).keeps.mean() == pytest.approx(np.sum(1 / np.arange(2, 101)), rel=0.1)


def test_a_study_is_played_alike_each_time():
    short = Scenario(name="short", parts=EARLY.parts, trials=60)
    for known in (True, False):
        assert play_race(short, 3, noise_known=known) == play_race(short, 3, noise_known=known)
