"""What a study judges, and when it says "accepted": lists of candidates, races, the project's tests, holdouts."""

import math
import os
import random

import pytest

import headway
from headway.core import NothingToDo, SpaceError, UsageError
from headway.engine import EngineSettings
from headway.store import Store
from headway.studies import QuietObserver, Study, run_study, summarize
from headway.studies.followups import ablation, cheapest, equal_compute, rebuilt, simple_search

EFFECTS = {"none": 0.0, "same": 0.0, "noop": 0.0, "good": 2.0, "great": 6.0, "bad": -3.0, "fitted": 6.0}
CHANGES = headway.Choice(list(EFFECTS))


@headway.experiment(metric="score", direction="maximize", space={"change": CHANGES})
def train(run):
    """Give a score with noise of sd 1, of which half the variance is the seed's alone."""
    change = run.config.change
    own = random.Random(f"{run.seed} {'none' if change == 'same' else change}").gauss(0, 0.7)
    score = EFFECTS[change] + random.Random(run.seed).gauss(0, 0.7) + own
    run.report(score=score, private=score - (6.0 if change == "fitted" else 0.0))


def judge(tmp_path, changes, **settings):
    """Run a study of these changes and return the decisions by change, with its summary.

    The holdout's noise is drawn from its key, given here: one in 200 takes the word from an effect that is equal.
    """
    key = tmp_path / ".headway" / "holdout.key"
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        with open(key, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(b"0" * 32)
    study = Study(train, baseline={"change": "none"}, candidates=[{"change": change} for change in changes], **settings)
    summary = study.run(store=tmp_path / ".headway", backend="inline", observer=QuietObserver())
    names = {row.candidate: row.config["change"] for row in summary.candidates}
    return {names[item.candidate]: item.decision for item in summary.verdicts}, summary


def test_every_candidate_of_a_list_is_judged_with_all_seeds(tmp_path):
    decisions, summary = judge(tmp_path, ["same", "noop", "great", "bad"], rule="every", seeds=8)
    assert decisions == {"same": "identical", "noop": "undecided", "great": "accepted", "bad": "rejected"}
    runs = {row.config["change"]: sorted(place.trial.seed for place in row.trials) for row in summary.candidates}
    assert runs == {name: list(range(8)) for name in ("none", "noop", "great", "bad")} | {"same": [0]}


def test_a_race_gives_seeds_where_they_count_and_confirms_on_fresh_ones(tmp_path):
    decisions, summary = judge(tmp_path, ["bad", "same", "noop", "great"], rule="race", seeds=8)
    assert decisions["great"] == "accepted"
    assert decisions["same"] == "identical"
    assert decisions["bad"] == "rejected"
    assert decisions["noop"] != "accepted"
    roles = {(place.role, place.trial.seed) for place in summary.trials}
    fresh = {seed for role, seed in roles if role == "confirm"}
    assert fresh == set(range(1, 9))
    assert not fresh & {seed for role, seed in roles if role != "confirm"}


def test_a_race_goes_on_where_it_was_cut_off(tmp_path):
    settings = {"rule": "race", "seeds": 8}
    whole, _ = judge(tmp_path / "whole", ["bad", "noop", "good", "great"], **settings)
    for trials in (20, 22, 25):  # a budget that ends the race early, raised again and again
        judge(tmp_path / "parts", ["bad", "noop", "good", "great"], budget=f"{trials} trials", **settings)
    parts, summary = judge(tmp_path / "parts", ["bad", "noop", "good", "great"], budget="200 trials", **settings)
    assert parts["great"] == whole["great"] == "accepted"
    keys = [(place.trial.candidate, place.trial.seed) for place in summary.trials]
    assert len(keys) == len(set(keys))


def test_what_is_accepted_takes_its_turn_in_the_projects_sequence(tmp_path):
    judge(tmp_path, ["great", "bad"], rule="every", seeds=8, name="first")
    with Store.open(tmp_path / ".headway") as store:
        first = store.evidence.tests()
    assert [test.accepted for test in first] == [True, False]
    judge(tmp_path, ["great", "bad"], rule="every", seeds=8, name="first")  # the same results are no new test
    judge(tmp_path, ["great"], rule="every", seeds=8, name="second", seed=100)
    with Store.open(tmp_path / ".headway") as store:
        tests = store.evidence.tests()
    assert tests[:2] == first
    assert [test.index for test in tests] == [1, 2, 3]
    assert tests[2].level < tests[0].level * 2  # one discovery more, a later turn


def test_few_pairs_with_an_interval_beside_zero_are_not_yet_accepted(tmp_path):
    decisions, summary = judge(tmp_path, ["great"], rule="every", seeds=3)
    (verdict,) = summary.verdicts
    assert verdict.data["low"] > 0
    assert decisions == {"great": "undecided"}
    assert "is short of the" in verdict.sentence
    assert "that test 1 of this project needs; about" in verdict.sentence
    evidence = verdict.data["evidence"]
    assert evidence["log_e"] < evidence["log_e_needed"]


def test_a_holdout_that_disagrees_takes_the_word_away_and_wears(tmp_path):
    decisions, summary = judge(tmp_path, ["great", "fitted"], rule="every", seeds=8, holdout="private")
    assert decisions == {"great": "accepted", "fitted": "undecided"}
    data = {item.decision: item.data["holdout"] for item in summary.verdicts}
    assert {decision: found["agrees"] for decision, found in data.items()} == {"accepted": True, "undecided": False}
    with Store.open(tmp_path / ".headway") as store:
        holdout = store.evidence.holdout("private") or {}
    assert (len(holdout["agreeing"]), len(holdout["disagreeing"]), holdout["budget"]) == (1, 1, 20)
    sentence = next(item.sentence for item in summary.verdicts if item.decision == "undecided")
    assert "the holdout private disagrees (1 of its 20 disagreements are spent)" in sentence


def test_the_key_of_a_holdouts_noise_is_its_owners_alone(tmp_path):
    study = Study(
        train, baseline={"change": "none"}, candidates=[{"change": "great"}], rule="every", seeds=8, holdout="private"
    )
    study.run(store=tmp_path / ".headway", backend="inline", observer=QuietObserver())
    key = tmp_path / ".headway" / "holdout.key"
    assert len(key.read_bytes()) == 32
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_spent_holdout_is_closed(tmp_path):
    judge(tmp_path, ["fitted"], rule="every", seeds=8, holdout="private")
    with Store.open(tmp_path / ".headway") as store:
        state = store.evidence.holdout("private") or {}
        store.evidence.keep_holdout("private", {**state, "budget": 1})
    decisions, summary = judge(tmp_path, ["great"], rule="every", seeds=8, holdout="private", name="next", seed=50)
    assert decisions == {"great": "undecided"}
    assert "the holdout is closed" in summary.verdicts[0].sentence


def test_a_holdout_that_no_trial_reports_accepts_nothing(tmp_path):
    decisions, summary = judge(tmp_path, ["great"], rule="every", seeds=8, holdout="other")
    assert decisions == {"great": "undecided"}
    assert "not all of its trials reported other" in summary.verdicts[0].sentence


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"sampler": "tpe"}, "Give one of the two"),
        ({"rule": "rase"}, "Did you mean 'race'?"),
        ({"margin": -1.0}, "margin=-1.0 is no margin"),
        ({"holdout": "score"}, "is the metric itself"),
        ({"rule": "every", "budget": "5 trials"}, "4 for the baseline, 4 for a candidate. Give at least 8"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, says):
    with pytest.raises(UsageError, match=says.replace("?", r"\?")):
        Study(train, baseline={"change": "none"}, candidates=[{"change": "good"}], **settings)


def test_a_candidate_outside_of_the_space_is_refused_by_its_place():
    with pytest.raises(SpaceError, match=r"candidates\[1\] cannot be used.*'change' is 'god'"):
        Study(train, baseline={"change": "none"}, candidates=[{"change": "good"}, {"change": "god"}])


def test_a_race_whose_baseline_fails_with_most_seeds_ends_with_the_reason(tmp_path):
    @headway.experiment(metric="loss", space={"lr": headway.Float(0, 1)})
    def brittle(run):
        if run.seed:
            raise ValueError("only the first seed works")
        run.report(loss=run.config.lr)

    study = Study(brittle, name="brittle", baseline={"lr": 0.5}, candidates=[{"lr": 0.4}], rule="race")
    summary = study.run(store=tmp_path / ".headway", backend="inline", observer=QuietObserver())
    assert summary.study.state == "finished"
    assert "fewer than two of 3 seeds, so its noise is unknown" in summary.sentence


# follow-ups


@headway.experiment(
    metric="score",
    direction="maximize",
    space={
        "steps": headway.Int(1, 1000),
        "lr": headway.Choice([0.1, 0.2]),
        "optimizer": headway.Choice(["sgd", "muon"]),
        "momentum": headway.Float(0, 1, when={"optimizer": "muon"}),
    },
)
def tune(run):
    """Give a score to which the learning rate adds nothing; the optimizer does, and steps do, which cost time."""
    import time

    time.sleep(0.001 * run.config.steps)
    noise = random.Random(run.seed).gauss(0, 1) + random.Random(f"{run.seed} {sorted(run.config.items())}").gauss(
        0, 0.05
    )
    run.report(score=noise + 5 * (run.config.optimizer == "muon") + min(run.config.steps, 240) / 50)


PLAIN = {"steps": 50, "lr": 0.1, "optimizer": "sgd"}
BEST = {"steps": 250, "lr": 0.2, "optimizer": "muon", "momentum": 0.5}
CHEAP = {"steps": 200, "lr": 0.2, "optimizer": "muon", "momentum": 0.25}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Run a study that accepts BEST; return its store, open, and the study."""
    tmp_path = tmp_path_factory.mktemp("asked")
    study = Study(tune, name="asked", baseline=PLAIN, candidates=[BEST, CHEAP], rule="every", seeds=6)
    study.run(store=tmp_path / ".headway", backend="inline", observer=QuietObserver())
    with Store.open(tmp_path / ".headway") as store:
        yield store, study


def follow(store, study):
    """Run a follow-up and return the decision on each candidate, by its configuration."""
    study.run(store=store.folder, backend="inline", observer=QuietObserver())
    summary = summarize(store, store.studies.get(study.name))
    configs = {row.candidate: tuple(sorted(row.config.items())) for row in summary.candidates}
    return {configs[item.candidate]: item for item in summary.verdicts}, summary


def key(**config):
    return tuple(sorted(config.items()))


def test_an_ablation_tells_which_changes_earn_their_place(asked):
    store, study = asked
    best = max(store.studies.verdicts(1), key=lambda item: item.data["effect"])
    full = dict(store.studies.candidate(best.candidate).config)
    verdicts, summary = follow(store, ablation(store, store.studies.get("asked"), study, seeds=6))
    assert summary.baseline == full
    assert set(verdicts) == {
        key(**{**full, "steps": 50}),
        key(**{**full, "lr": 0.1}),
        key(steps=full["steps"], lr=full["lr"], optimizer="sgd"),  # momentum goes with its optimizer
    }
    assert verdicts[key(**{**full, "steps": 50})].decision == "rejected"
    assert verdicts[key(steps=full["steps"], lr=full["lr"], optimizer="sgd")].decision == "rejected"
    assert verdicts[key(**{**full, "lr": 0.1})].decision == "undecided"
    before = len(store.evidence.tests())
    assert before == 2  # the first study's; an ablation claims nothing new


def test_a_baseline_with_as_much_compute_is_the_fair_one(asked):
    store, study = asked
    verdicts, summary = follow(store, equal_compute(store, store.studies.get("asked"), study, by="steps"))
    assert 120 < summary.baseline["steps"] <= 300
    assert [item.decision for item in verdicts.values()] == ["accepted"]
    with pytest.raises(UsageError, match="'momentum' is no numeric parameter"):
        equal_compute(store, store.studies.get("asked"), study, by="momentum")


def test_the_cheapest_that_is_as_good_is_found(asked):
    store, study = asked
    verdicts, _ = follow(store, cheapest(store, store.studies.get("asked"), study, margin=1.5))
    assert verdicts[key(**CHEAP)].decision == "accepted"
    assert "as good, and cheaper" in verdicts[key(**CHEAP)].sentence
    with pytest.raises(NothingToDo, match="less time"):
        cheapest(store, store.studies.get("asked"), study, margin=1e-9)


def test_a_random_search_gets_as_many_trials(asked):
    store, study = asked
    control = simple_search(store, store.studies.get("asked"), study)
    assert (control.sampler, control.budget.trials) == ("random", 18)
    assert control.baseline == study.baseline


def test_a_follow_up_goes_on_from_its_record(asked):
    store, study = asked
    first = ablation(store, store.studies.get("asked"), study)
    run_study(first, store.folder, EngineSettings(backend="inline"), QuietObserver())
    again = rebuilt(study, store.studies.get("asked-ablation"))
    assert again.definition == first.definition


def test_what_accepted_nothing_is_asked_nothing(tmp_path):
    study = Study(train, name="none", baseline={"change": "none"}, candidates=[{"change": "bad"}], rule="every")
    study.run(store=tmp_path / ".headway", backend="inline", observer=QuietObserver())
    with Store.open(tmp_path / ".headway") as store, pytest.raises(NothingToDo, match="has accepted nothing yet"):
        ablation(store, store.studies.get("none"), study)


def test_a_race_learns_from_the_projects_earlier_studies(tmp_path):
    for number in range(3):
        judge(tmp_path, ["bad", "noop", "great"], rule="race", seeds=8, name=f"study {number}", seed=5000 * number)
    with Store.open(tmp_path / ".headway") as store:
        learned = [event.data for study in (1, 2, 3) for event in store.events.of_study(study, kinds=("race",))]
        record = store.studies.get("study 2")
        repeated = store.places.repeated(record.experiment, "score", record.id)
    assert len(learned) == 3
    degrees = [math.inf if item["noise_degrees"] is None else item["noise_degrees"] for item in learned]
    assert degrees[2] > degrees[0]  # the earlier studies' runs count
    assert 0.5 < learned[2]["noise_sd"] < 1.8
    assert all(len(values) >= 8 for study in repeated for values in study)
    assert len(repeated) == 2


def test_seeds_that_do_nothing_need_no_race(tmp_path):
    @headway.experiment(metric="loss", space={"lr": headway.Float(0, 1)})
    def exact(run):
        run.report(loss=run.config.lr)

    study = Study(
        exact, name="exact", baseline={"lr": 0.5}, candidates=[{"lr": 0.4}, {"lr": 0.6}], rule="race", seeds=5
    )
    summary = study.run(store=tmp_path / ".headway", backend="inline", observer=QuietObserver())
    names = {row.candidate: row.config["lr"] for row in summary.candidates}
    assert {names[item.candidate]: item.decision for item in summary.verdicts} == {0.4: "accepted", 0.6: "rejected"}
