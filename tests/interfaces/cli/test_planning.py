"""`headway plan power` and `headway replay`."""

import random
from pathlib import Path

import pytest

from headway.core import Role
from headway.store import Store
from headway.validate import Noise, OnlineFdr, detectable_effect, paired_evidence, pairs_needed
from tests.interfaces.cli.conftest import BASELINE, add_trial, make_study

MAR8 = Path(__file__).parents[2] / "data" / "autoresearch" / "mar8_results.tsv"


def test_replay_shows_each_step_and_one_sentence(ask):
    answer = ask("replay", MAR8, "--null", "a16391b")
    assert answer.exit_code == 0
    lines = answer.stdout.splitlines()
    assert lines[0].split()[:3] == ["commit", "val_bpb", "gain"]
    assert sum("◐ inside noise" in line for line in lines) == 19
    assert sum("● better" in line for line in lines) == 3
    assert lines[-1].startswith("19 of 22 improving steps cannot be told from noise")
    assert "889dbed  -0.000695 against aa8f408" in answer.stdout


def test_replay_as_json(ask_json):
    data = ask_json("replay", MAR8, "--noise", "0.0004")
    assert (data["improving"], data["kept"], data["crashes"]) == (22, 23, 1)
    assert data["noise"] == {"sd": 0.0004, "degrees": None}
    assert data["steps"][0]["commit"] == "bea057b"
    assert data["sentence"]


def test_replay_suggests_what_could_be_a_null(ask):
    assert "--null a16391b" in ask("replay", MAR8).stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing.tsv"], ["cannot be read as a ledger", "commit, val_bpb, memory_gb, status, description"]),
        ([MAR8, "--null", "a16391c"], ["no commit 'a16391c'", "Did you mean 'a16391b'?"]),
        ([MAR8, "--metric", "val_bp"], ["Did you mean 'val_bpb'?"]),
        ([MAR8, "--level", "95"], ["95.0 is no probability"]),
    ],
)
def test_replay_refuses_what_it_cannot_judge(refused, words, says):
    refused("replay", *map(str, words), says=says)


def test_plan_power_without_a_study(ask, ask_json):
    data = ask_json("plan", "power", "--sd", "0.4", "--effect", "0.2", "--effect", "0.4", "--pairs", "5")
    assert [row["pairs_needed"] for row in data["effects"]] == [
        pairs_needed(effect, Noise(0.4)) for effect in (0.2, 0.4)
    ]
    assert data["detectable_effect"] == pytest.approx(detectable_effect(5, Noise(0.4)))
    text = ask("plan", "power", "--sd", "0.4", "--pairs", "5").stdout
    assert "found with 5 pairs" in text
    assert "5 paired seeds find an effect of 0.951 with a chance of 80 %" in text


def test_plan_power_reads_the_noise_of_a_study(ask, ask_json, study):
    data = ask_json("plan", "power", "spirals")
    assert data["noise"] == {"sd": pytest.approx(0.01), "degrees": 2, "source": "3 runs of the baseline of spirals"}
    assert data["pairs"] == 2
    text = ask("plan", "power", "spirals", "--effect", "0.1", "--pairs", "8").stdout
    assert "sd 0.01 of one run (3 runs of the baseline of spirals, known with 2 degrees of freedom)" in text
    assert "found with 8 pairs" in text


def test_plan_power_takes_a_study_file(ask, store: Store, write):
    write(
        "import headway\n"
        "@headway.experiment(metric='val_loss', space={'lr': headway.Float(0.1, 1.0)})\n"
        "def train(run):\n    run.log(val_loss=1.0)\n"
        "study = headway.Study(train, name='spirals', baseline={'lr': 0.5}, budget='12 trials')\n"
    )
    made = make_study(store)
    for seed in range(4):
        add_trial(store, made, BASELINE, seed=seed, role=Role.BASELINE, value=1.0 + seed / 10)
    answer = ask("plan", "power", "study.py")
    assert "4 runs of the baseline of spirals" in answer.stdout, answer.stderr


def test_plan_power_of_an_evaluation_counts_questions(ask, ask_json):
    data = ask_json("plan", "power", "--variance", str(1 / 9), "--effect", "0.03")
    assert data["effects"] == [{"effect": 0.03, "questions_needed": 969}]
    text = ask("plan", "power", "--variance", "0.111", "--questions", "500", "--cluster-size", "4").stdout
    assert "4 times as many questions as independent ones" in text


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (["power"], ["Nothing tells the noise", "--sd"], 2),
        (["powr"], ["Did you mean 'power'?"], 2),
        (["power", "--sd", "-1"], ["no noise"], 2),
        (["power", "--sd", "0"], ["The noise is 0"], 2),
        (["power", "--sd", "1", "--variance", "1"], ["--sd cannot be meant here"], 2),
        (["power", "spirals", "--variance", "1"], ["spirals cannot be meant here"], 2),
        (["power", "--sd", "1", "--questions", "9"], ["--questions cannot be meant here"], 2),
        (["power", "--variance", "1", "--level", "0"], ["0.0 is no probability"], 2),
        (["power", "spiral"], ["Did you mean 'spirals'?"], 2),
        (["power", "young"], ["has 1 complete run", "headway run study.py"], 7),
        (["power", "same"], ["the seed does not change the result"], 7),
    ],
)
def test_plan_power_refuses_what_it_cannot_plan(ask, store: Store, study, words, says, code):
    young, same = make_study(store, "young"), make_study(store, "same")
    add_trial(store, young, BASELINE, value=1.0, role=Role.BASELINE)
    for seed in (5, 6):
        add_trial(store, same, BASELINE, seed=seed, value=1.0, role=Role.BASELINE)
    answer = ask("plan", *words)
    assert answer.exit_code == code
    assert [text for text in says if text not in answer.stderr] == [], answer.stderr


def test_plan_power_says_what_accepted_takes(ask_json):
    first, second = ask_json("plan", "power", "--sd", 1, "--effect", 2, "--effect", 0.001)["effects"]
    assert first["pairs_to_accept"] > first["pairs_needed"]
    assert second["pairs_to_accept"] is None
    # What it says holds: of candidates that are better by 2 sds of a run, about half are accepted with so many pairs.
    accepted = 0
    for seed in range(200):
        draw = random.Random(seed)
        ours = {pair: 2 + draw.gauss(0, 1) for pair in range(first["pairs_to_accept"])}
        theirs = {pair: draw.gauss(0, 1) for pair in ours}
        accepted += OnlineFdr(level=0.05).test(paired_evidence(ours, theirs, "maximize")).accepted
    assert 80 < accepted < 140
