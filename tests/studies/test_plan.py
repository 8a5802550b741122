"""What a plan asks for, in which order, and what never: played without any process, against a real store."""

import math
from typing import Any

import pytest

import headway
from headway.core import Reason, Role, TrialState
from headway.experiments import command, experiment
from headway.store import Point, Store
from headway.studies import record_of
from headway.studies.plan import StudyPlan


def make_study(**settings):
    @experiment(
        metric="loss",
        space=settings.pop("space", {"x": headway.Choice(list(range(10))), "kind": headway.Choice(["a", "b"])}),
    )
    def train(run):
        raise AssertionError("nothing runs here")

    defaults: dict[str, Any] = {
        "name": "study",
        "sampler": "grid",
        "budget": "12 trials",
        "seeds": 2,
        "baseline": {"x": 5, "kind": "a"},
    }
    return headway.Study(train, **(defaults | settings))


def usual(config, seed):
    """Return an objective: smaller x is better, with a little noise of the seed."""
    return config.get("x", 0) + seed / 1000 + (config.get("kind") == "b") / 10


class Player:
    """Be the engine of a plan: give trials ends by a function of configuration and seed."""

    def __init__(self, folder, study, value=usual, stale=()):
        self.store = Store.open(folder)
        self.study, self.value = study, value
        self.record = record_of(self.store, study)
        self.plan = StudyPlan(self.store, self.record, study)
        self.recalled = self.plan.recall(stale)
        self.asked = []

    def close(self):
        self.store.close()

    def end(self, assignment, *, reused=False):
        trials, places = self.store.trials, self.store.places
        self.plan.begins(assignment)
        known = trials.same(assignment.candidate, assignment.seed)
        if known:
            reused = True
            trial = known[0].id
        else:
            trial = trials.create(assignment.candidate, assignment.seed)
            attempt = trials.begin(trial, self.record.id, "runs/1/1", {})
            value = self.value(assignment.config, assignment.seed)
            state = TrialState.COMPLETE if isinstance(value, float) and math.isfinite(value) else TrialState.FAILED
            value = value if state == TrialState.COMPLETE else None
            self.store.curves.fold(trial, attempt, [Point("loss", 0, value or 0.0, 0.0)])
            trials.end_attempt(attempt, str(state), wall_seconds=1, cpu_seconds=1, peak_memory_bytes=1)
            reason = None if value is not None else Reason.EXCEPTION
            trials.end(trial, state, value=value, reason=reason, message="bad shape" if reason else "")
        if trial not in {place.trial.id for place in places.of_study(self.record.id)}:
            places.add(self.record.id, trial, assignment.role, assignment.number, reused=reused)
        self.plan.ended(assignment, trials.get(trial), reused=reused)

    def play(self, workers=1, rounds=1000):
        """Run to the end with that many workers; return what was asked for."""
        running = []
        for _ in range(rounds):
            while len(running) < workers and (assignment := self.plan.next(list(running))) is not None:
                assert (assignment.candidate, assignment.seed) not in {(a.candidate, a.seed) for a in self.asked}
                self.asked.append(assignment)
                running.append(assignment)
            if not running:
                assert self.plan.done()
                return self.asked
            self.end(running.pop(0))
        return self.asked


@pytest.fixture
def player(tmp_path):
    made = []

    def make(study=None, value=usual, folder=tmp_path / ".headway", stale=()):
        made.append(Player(folder, study or make_study(), value, stale))
        return made[-1]

    yield make
    for item in made:
        item.close()


def roles(asked):
    return [str(item.role) for item in asked]


def test_the_baseline_comes_first_then_the_search_then_the_confirmation(player):
    asked = player().play()
    assert roles(asked) == ["baseline"] * 3 + ["search"] * 7 + ["confirm"] * 2
    assert [item.seed for item in asked] == [0, 1, 2, *[0] * 7, 1, 2]
    assert [item.scheduled for item in asked] == [role == "search" for role in roles(asked)]
    assert [item.number for item in asked] == [0, 0, 0, *range(1, 8), asked[-1].number, asked[-1].number]
    best = min((item for item in asked if item.role == Role.SEARCH), key=lambda item: usual(item.config, 0))
    assert {item.candidate for item in asked if item.role == Role.CONFIRM} == {best.candidate}


@pytest.mark.parametrize("workers", [1, 2, 5, 30])
@pytest.mark.parametrize("trials", [6, 7, 12, 23])
def test_no_more_is_executed_than_the_budget_has(player, workers, trials):
    made = player(make_study(budget=f"{trials} trials"))
    asked = made.play(workers)
    assert len(asked) == trials
    assert roles(asked).count("confirm") == 2


def test_a_grid_that_ends_before_the_budget_ends_the_search(player):
    asked = player(make_study(budget="500 trials")).play(3)
    assert roles(asked).count("search") == 19  # all but the baseline
    assert roles(asked).count("confirm") == 2


def test_several_finalists_are_confirmed(player):
    made = player(make_study(finalists=3, budget="20 trials"))
    asked = made.play()
    assert len({item.candidate for item in asked if item.role == Role.CONFIRM}) == 3
    assert roles(asked).count("confirm") == 6
    assert len(asked) == 20


def test_where_nobody_beats_the_baseline_the_best_of_the_rest_is_confirmed(player):
    made = player(value=lambda config, seed: 1.0 + (config != {"x": 5, "kind": "a"}))
    asked = made.play()
    assert len({item.candidate for item in asked if item.role == Role.CONFIRM}) == 1


def test_what_equals_the_baseline_bit_for_bit_is_no_finalist(player):
    made = player(value=lambda config, seed: 1.0)
    asked = made.play()
    assert "confirm" not in roles(asked)
    searched = [item.candidate for item in asked if item.role == Role.SEARCH]
    assert [trial.candidate for trial in made.plan.identicals()] == searched


def test_maximizing_confirms_the_largest(tmp_path):
    @experiment(metric="loss", direction="maximize", space={"x": headway.Int(0, 9)})
    def train(run):
        pass

    study = headway.Study(train, name="up", sampler="grid", budget="30 trials", seeds=2, baseline={"x": 5})
    made = Player(tmp_path / ".headway", study)
    asked = made.play()
    made.close()
    assert [item.config["x"] for item in asked if item.role == Role.CONFIRM] == [9, 9]


def test_failures_are_results_and_the_search_goes_on(player):
    made = player(value=lambda config, seed: usual(config, seed) if config["x"] % 2 else math.nan)
    asked = made.play()
    assert len(asked) == 12
    assert {trial.config["x"] % 2 for trial in made.store.places.best(made.record.id, "minimize")} == {1}


def test_a_baseline_that_fails_ends_the_study_with_the_reason(player):
    made = player(value=lambda config, seed: math.nan)
    assert set(roles(made.play())) == {"baseline"}
    assert "The baseline failed" in (made.plan.note or "")
    assert "bad shape" in (made.plan.note or "")


def test_the_queue_comes_before_the_sampler_by_priority(player):
    made = player()
    for x, priority in ((1, 0), (2, 5), (3, 0)):
        made.store.studies.enqueue(
            made.record.id, {"x": x, "kind": "b"}, proposer="me", priority=priority, parents=("p",), note="why"
        )
    asked = made.play()
    searched = [item.config for item in asked if item.role == Role.SEARCH]
    assert searched[:3] == [{"x": x, "kind": "b"} for x in (2, 1, 3)]
    assert len(asked) == 12
    proposals = made.store.studies.proposals(made.record.id)
    assert [item.proposer for item in proposals[:5]] == ["baseline", "me", "me", "me", "grid"]
    assert (proposals[1].parents, proposals[1].note) == (("p",), "why")


def test_what_waits_in_the_queue_twice_or_is_the_baseline_runs_once(player):
    made = player()
    for config in ({"x": 1, "kind": "b"}, {"x": 1, "kind": "b"}, {"x": 5, "kind": "a"}):
        made.store.studies.enqueue(made.record.id, config, proposer="me")
    asked = made.play()
    assert len({(item.candidate, item.seed) for item in asked}) == len(asked) == 12


def test_no_configuration_is_searched_twice(player):
    asked = player(make_study(budget="21 trials", sampler="random")).play(4)
    searched = [item.candidate for item in asked if item.role == Role.SEARCH]
    assert len(set(searched)) == len(searched)


def test_a_new_session_replays_what_was_proposed_and_goes_on(player):
    first = player()
    first.play(rounds=5)
    first.close()
    second = player()
    assert second.recalled == len(first.asked) == 5
    asked = [*first.asked, *second.play()]
    assert len(asked) == 12
    whole = player(make_study(), folder=first.store.folder.parent / "other")
    assert [(item.candidate, item.seed) for item in whole.play()] == [(item.candidate, item.seed) for item in asked]


def test_what_no_longer_counts_is_asked_for_again_and_paid_for_once(player):
    first = player()
    first.play()
    places = {place.trial.id: place for place in first.store.places.of_study(first.record.id)}
    first.close()
    stale = {trial for trial, place in places.items() if place.number in (0, 3)}
    second = player(stale=stale)
    assert second.recalled == 12 - len(stale)
    asked = second.play()
    assert {(item.candidate, item.seed) for item in asked} == {
        (places[trial].trial.candidate, places[trial].trial.seed) for trial in stale
    }


def test_a_finished_study_asks_for_the_same_again_and_for_nothing_new(player):
    first = player()
    first.play()
    proposals = first.store.studies.proposals(first.record.id)
    first.close()
    second = player()
    assert second.recalled == 12
    assert second.play() == []
    assert second.store.studies.proposals(second.record.id) == proposals
    assert len(second.store.places.of_study(second.record.id)) == 12


def test_a_larger_budget_searches_on(player):
    first = player()
    first.play()
    first.close()
    second = player(make_study(budget="15 trials"))
    second.play()
    # What a new finalist would cost is kept back, though the old one may stay.
    assert 13 <= len(second.store.places.of_study(second.record.id)) <= 15


def test_answers_from_the_record_are_free(player):
    first = player()
    first.play()
    first.close()
    other = player(make_study(name="other"))
    other.play()
    executed = [place for place in other.store.places.of_study(other.record.id) if not place.reused]
    assert len(executed) == 10  # and two of the twelve are kept back, should another finalist appear
    assert len(other.store.places.of_study(other.record.id)) == 22


@pytest.mark.parametrize(("workers", "seeds", "seconds"), [(1, 2, 11), (1, 4, 11), (2, 2, 11), (4, 4, 5)])
def test_a_budget_of_seconds_keeps_enough_for_the_confirmation_and_no_more(player, workers, seeds, seconds):
    made = player(make_study(budget=f"{seconds + 0.5} s", workers=workers, seeds=seeds))
    original = made.end

    def end(assignment, **more):
        original(assignment, **more)
        made.store.studies.charge(made.record.id, "seconds", 1.0 / workers)

    made.end = end
    asked = made.play(workers=workers)
    assert roles(asked).count("confirm") == seeds
    assert seconds * workers <= len(asked) <= (seconds + 1.5) * workers


def test_a_space_without_parameters_runs_the_baseline_alone(player):
    made = player(make_study(space={"x": 3}, baseline=None, budget="3 trials"))
    assert roles(made.play()) == ["baseline"] * 3


def test_where_no_seed_arrives_nothing_is_confirmed(tmp_path):
    experiment = command("true {x}", metric="loss", space={"x": headway.Int(0, 9)})
    study = headway.Study(experiment, name="command", sampler="grid", budget="9 trials", seeds=2)
    made = Player(tmp_path / ".headway", study)
    asked = made.play()
    made.close()
    assert set(roles(asked)) == {"baseline", "search"}
    assert {item.seed for item in asked} == {0}


def test_asking_whether_all_is_done_changes_nothing(player):
    made = player()
    made.play(rounds=6)
    assert not made.plan.done()
    assert not made.plan.done()
    assert len(made.play()) == 12


@pytest.mark.slow
def test_many_trials_do_not_make_asking_slow(player):
    import time

    made = player(
        make_study(budget="300 trials", sampler="random", space={"x": headway.Float(0, 1)}, baseline={"x": 0.5})
    )
    times = []
    original = made.plan.next

    def timed(running):
        began = time.perf_counter()
        answer = original(running)
        times.append(time.perf_counter() - began)
        return answer

    made.plan.next = timed
    made.play()
    early, late = sorted(times[20:120])[50], sorted(times[200:300])[50]
    assert late < max(6 * early, 0.03), (early, late)
