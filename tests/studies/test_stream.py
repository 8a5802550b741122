"""Verdicts as candidates come: what waits for what, what moves the official version, what a doubt and a budget do."""

import math
from typing import Any

import pytest

import headway
from headway.core import Reason, Role, TrialState, UsageError
from headway.experiments import experiment
from headway.store import Point, Store, is_accepted
from headway.studies import record_of
from headway.studies.streaming import StreamPlan

SEEDS = 5


def make_study(**settings):
    @experiment(metric="loss", space={"x": headway.Int(0, 1000), "kind": headway.Choice(["plain", "crash", "same"])})
    def train(run):
        raise AssertionError("nothing runs here")

    defaults: dict[str, Any] = {"name": "s", "baseline": {"x": 500, "kind": "plain"}, "budget": "1000 trials"}
    defaults |= {"rule": "stream", "seeds": SEEDS, "close_after": 0.0}
    return headway.Study(train, **(defaults | settings))


def usual(config, seed):
    """Return an objective: x / 1000 and a noise that candidates do not share."""
    x = 500 if config["kind"] == "same" else config["x"]
    return x / 1000 + math.sin(12.9898 * seed + 78.233 * x) / 1000


class Player:
    """Be the engine of a stream: take what it wants to run, and end each at once."""

    def __init__(self, folder, study, value=usual):
        self.store = Store.open(folder)
        self.study, self.value = study, value
        self.record = record_of(self.store, study)
        self.plan = StreamPlan(self.store, self.record, study)
        self.plan.recall(())
        self.asked = []

    def propose(self, x, kind="plain", who="agent"):
        return self.store.claims.claim(self.record, {"x": x, "kind": kind}, proposer=who).candidate

    def end(self, assignment):
        self.plan.begins(assignment)
        trial = self.store.trials.begin_new(
            assignment.candidate, assignment.seed, self.record.id, assignment.role, assignment.number, {}, None
        )
        if assignment.config["kind"] == "crash":
            self.store.trials.end(trial.trial, TrialState.FAILED, reason=Reason.EXCEPTION, message="it broke")
        else:
            value = self.value(assignment.config, assignment.seed)
            self.store.curves.fold(trial.trial, trial.id, [Point("loss", s, value + s, 0.0) for s in (0, 1)])
            self.store.trials.end(trial.trial, TrialState.COMPLETE, value=value, metrics={"loss": value})
        record = self.store.trials.get(trial.trial)
        self.plan.ended(assignment, record, reused=False)

    def play(self, most=500):
        while len(self.asked) < most and (assignment := self.plan.next(())) is not None:
            self.asked.append(assignment)
            self.end(assignment)
        return self

    def verdicts(self):
        return {item.candidate: item for item in self.store.studies.verdicts(self.record.id)}


@pytest.fixture
def play(tmp_path):
    opened: list[Player] = []

    def start(value=usual, **settings):
        opened.append(Player(tmp_path / ".headway", make_study(**settings), value))
        return opened[-1]

    yield start
    for player in opened:
        player.store.close()


def test_each_candidate_gets_the_verdict_that_it_deserves(play):
    player = play()
    good, bad, crash, same = (player.propose(*item) for item in ((300,), (700,), (400, "crash"), (500, "same")))
    found = player.play().verdicts()
    assert is_accepted(found[good].decision)
    assert found[bad].decision == "rejected"
    assert found[crash].decision == "failed"
    assert "exception: it broke" in found[crash].sentence
    assert found[same].decision == "identical"
    assert len(found) == 4


def test_what_is_accepted_is_what_the_next_one_has_to_beat(play):
    player = play()
    first = player.propose(300)
    player.play()
    assert player.plan.stream.official == first
    worse, better = player.propose(400), player.propose(100)
    found = player.play().verdicts()
    assert found[worse].decision == "rejected"
    assert is_accepted(found[better].decision)
    assert found[better].baseline == first
    assert found[better].data["effect"] == pytest.approx(0.2, abs=0.01)


def test_only_a_candidate_that_the_race_kept_runs_on_fresh_seeds(play):
    player = play()
    good, bad = player.propose(300), player.propose(900)
    player.play()
    fresh = {item.candidate for item in player.asked if item.role == Role.CONFIRM}
    assert good in fresh
    assert bad not in fresh
    assert {item.seed for item in player.asked if item.candidate == good and item.role == Role.CONFIRM} == {
        1, 2, 3, 4, 5
    }  # fmt: skip


def test_an_open_stream_is_not_done_before_its_time(play):
    player = play(close_after=None)
    player.play()
    assert not player.plan.done()
    player.study.close_after = 0.0
    assert player.plan.done()


def test_a_budget_ends_a_stream_and_what_was_not_judged_is_judged_with_a_larger_one(play):
    player = play(budget="14 trials", close_after=None)
    candidates = [player.propose(x) for x in (498, 497, 496, 495)]
    player.play()
    assert player.plan.done()
    player.plan.stream.close()
    open_ones = [item for item in player.verdicts().values() if item.data.get("open")]
    assert all("ended before it was judged" in item.sentence for item in open_ones)
    assert len(player.asked) <= 14
    again = play(budget="500 trials")
    again.play()
    assert set(again.verdicts()) == set(candidates)
    assert not [item for item in again.verdicts().values() if item.data.get("open")]


def test_a_session_that_goes_on_judges_nothing_twice(play):
    player = play()
    good = player.propose(300)
    before = player.play().verdicts()[good]
    again = play()
    assert again.plan.stream.official == good
    assert again.plan.next(()) is None
    assert again.verdicts()[good].created == before.created


def test_a_candidate_that_is_no_better_is_seldom_accepted(play):
    player = play()
    for x in range(501, 531):  # all slightly worse than the baseline
        player.propose(x)
    found = player.play(most=2000).verdicts()
    assert not [item for item in found.values() if is_accepted(item.decision)]
    assert len(found) == 30


def test_a_broken_baseline_ends_the_stream(play):
    player = play(baseline={"x": 500, "kind": "crash"}, close_after=None)
    player.propose(300)
    player.play()
    assert len(player.asked) == 1
    assert player.plan.done()
    assert "The baseline failed" in (player.plan.note or "")


def test_a_sampler_proposes_where_nothing_waits(play):
    player = play(sampler="random", budget="40 trials")
    player.play()
    assert 0 < len(player.asked) <= 40
    assert len(player.verdicts()) >= 5


def test_nobody_is_rejected_against_one_that_is_not_accepted_yet(play):
    def lucky(config, seed):  # with the race's seeds alone
        if config["x"] != 100:
            return usual(config, seed)
        return 0.5 if 1 <= seed <= SEEDS else 0.001

    player = play(lucky)
    luck, good = player.propose(100), ""
    while luck not in player.plan.racing.kept:
        assignment = player.plan.next(())
        player.asked.append(assignment)
        beside = None
        if assignment.candidate == luck:  # another worker runs this one at the same time
            good = player.propose(300)
            beside = player.plan.next((assignment,))
        player.end(assignment)
        if beside is not None:
            player.end(beside)
    found = player.play().verdicts()
    assert found[luck].decision in ("undecided", "rejected")
    assert is_accepted(found[good].decision), found[good].sentence


def test_results_of_two_versions_are_not_compared(play):
    player = play()
    good = player.propose(300)
    player.plan.stream.changed = lambda trial: "model.py has changed while the trial ran"
    found = player.play().verdicts()[good]
    assert found.decision == "undecided"
    assert "model.py has changed during the study" in found.sentence


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"close_after": -1}, "Give seconds from 0 on"),
        ({"close_after": "soon"}, "Give seconds from 0 on"),
        ({"margin": 0.1}, "leave out margin"),
        ({"scheduler": "asha"}, "Use scheduler='full'"),
    ],
)
def test_what_a_stream_cannot_do_is_refused(settings, says):
    with pytest.raises(UsageError, match=says):
        make_study(**settings)
