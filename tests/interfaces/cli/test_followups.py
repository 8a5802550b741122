"""What a study asks further, as people type it: ablate, control, minimize-cost."""

import json

import pytest

STUDY = """
import random, time
import headway


@headway.experiment(
    metric="loss",
    space={"steps": headway.Int(1, 400), "lr": headway.Float(0.1, 1.0), "name": headway.Choice(["a", "b"])},
)
def train(run):
    time.sleep(0.0005 * run.config.steps)
    own = random.Random(f"{run.seed} {sorted(run.config.items())}").gauss(0, 0.02)
    noise = random.Random(run.seed).gauss(0, 1) + own
    run.report(loss=10 + noise - run.config.lr * 5 - run.config.steps / 100)


study = headway.Study(
    train,
    name="asked",
    baseline={"steps": 20, "lr": 0.2, "name": "a"},
    candidates=[{"steps": 200, "lr": 0.8, "name": "b"}, {"steps": 150, "lr": 0.8, "name": "a"}],
    rule="every",
    seeds=6,
)
"""


@pytest.fixture
def asked(write, ask):
    write(STUDY)
    done = ask("run", "study.py", "--backend", "inline", "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["studies"][0]


def decided(done):
    assert done.exit_code == 0, done.output
    (study,) = json.loads(done.stdout)["studies"]
    return study, [item["decision"] for item in study["verdicts"]]


def test_follow_ups_are_studies_of_their_own_and_go_on(asked, ask):
    study, decisions = decided(ask("ablate", "asked", "--backend", "inline", "--json"))
    assert study["study"] == "asked-ablation"
    assert study["baseline"] == asked["best"]["config"]
    assert sorted(decisions) == ["rejected", "rejected", "undecided"]  # steps and lr count, the name does not
    again, _ = decided(ask("ablate", "asked", "--backend", "inline", "--json"))
    assert again["trials"] == study["trials"]
    study, decisions = decided(ask("control", "asked", "--by", "steps", "--backend", "inline", "--json"))
    assert study["baseline"]["steps"] > 60
    assert decisions == ["accepted"]
    study, decisions = decided(ask("minimize-cost", "asked", "--margin", 1, "--backend", "inline", "--json"))
    assert study["study"] == "asked-cheaper"
    assert decisions == ["accepted"]
    done = ask("resume", "asked-cheaper", "--backend", "inline")
    assert done.exit_code == 7
    assert "is finished" in done.output


def test_a_random_search_stands_beside(asked, ask):
    study, _ = decided(ask("control", "asked", "--backend", "inline", "--json"))
    assert study["study"] == "asked-random"
    assert study["budget"]["trials"] == 18


def test_what_cannot_be_asked_is_said(asked, ask):
    done = ask("control", "asked", "--by", "name")
    assert done.exit_code == 2
    assert "'name' is no numeric parameter of 'asked' that could buy compute. There are: lr, steps" in done.output
    done = ask("minimize-cost", "asked")
    assert done.exit_code == 2
    assert "--margin" in done.output
    done = ask("ablate", "nothing")
    assert done.exit_code == 2
    assert "has no study 'nothing'" in done.output


def test_show_says_what_the_verdict_rests_on(asked, ask):
    lines = ask("show", "asked").output
    assert "needed as test 1 of this project" in lines
    assert ask("run", "study.py", "--backend", "inline").exit_code == 0


def test_a_study_that_accepted_nothing_is_asked_nothing(write, ask):
    write(STUDY.replace('"lr": 0.8', '"lr": 0.2').replace('"steps": 200', '"steps": 20').replace("150", "21"))
    assert ask("run", "study.py", "--backend", "inline").exit_code == 0
    done = ask("ablate")
    assert done.exit_code == 7
    assert "has accepted nothing yet" in done.output
