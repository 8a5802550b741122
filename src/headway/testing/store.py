"""The conformance suite for stores: inherit from `StoreConformance`, and pytest tests every point of the contract.

class TestMyStore(StoreConformance):
    def open(self, folder, clock):
        return MyStore(folder, clock)
"""

import math
import multiprocessing
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import pytest

from headway.core import Clock, FileUse, Manifest, NotFound, Reason, Role, StoreError, TrialState
from headway.store import Curve, Point, Store, StudyRecord

__all__ = ["ManualClock", "StoreConformance"]

_CONFIG = {"lr": 0.1, "layers": 2, "name": "ü", "nothing": None}
_FEEDERS, _TAKERS, _FED = 8, 2, 15


class ManualClock:
    """Tell the time that a test has set: `seconds` since 1970."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds

    def now(self) -> float:
        """Return what was set."""
        return self.seconds

    def monotonic(self) -> float:
        """Return what was set."""
        return self.seconds


class StoreConformance(ABC):
    """Test what engines, studies and interfaces rely on in a store."""

    @abstractmethod
    def open(self, folder: Path, clock: Clock) -> Store:
        """Open the store in `folder`, the same one each time, also in several processes at once."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Give each test a time of its own."""
        return ManualClock()

    @pytest.fixture
    def store(self, tmp_path: Path, clock: ManualClock) -> Generator[Store]:
        """Give each test an empty store."""
        with self.open(tmp_path / "store", clock) as store:
            yield store

    # studies

    def test_a_study_is_found_as_it_was_created(self, store: Store, clock: ManualClock) -> None:
        created = _study(store, "first")
        assert store.studies.find("first") == created == store.studies.get("first")
        assert created.definition == {"baseline": _CONFIG, "seeds": 4}
        assert created.settings == {"budget": {"trials": 9}}
        assert (created.source, created.experiment, created.metric) == ("study.py", "e", "loss")
        assert (created.direction, created.state, created.request) == ("minimize", "new", None)
        assert (created.lease_pid, created.lease_started) == (None, None)
        assert created.created == created.updated == clock.seconds

    def test_a_name_belongs_to_one_study(self, store: Store) -> None:
        _study(store, "first")
        with pytest.raises(StoreError):
            _study(store, "first")
        assert len(store.studies.all()) == 1

    def test_an_unknown_study_is_answered_with_the_names_that_there_are(self, store: Store) -> None:
        assert store.studies.find("first") is None
        with pytest.raises(NotFound, match="It is empty"):
            store.studies.get("first")
        _study(store, "first")
        with pytest.raises(NotFound, match=r"no study 'second'.*It holds: first"):
            store.studies.get("second")

    def test_the_study_that_changed_last_comes_first(self, store: Store, clock: ManualClock) -> None:
        for name in ("a", "b", "c"):
            clock.seconds += 1
            _study(store, name)
        clock.seconds += 1
        store.studies.set_state(store.studies.get("a").id, "paused")
        assert [study.name for study in store.studies.all()] == ["a", "c", "b"]
        assert store.studies.get("a").state == "paused"

    def test_settings_may_change(self, store: Store) -> None:
        study = _study(store)
        store.studies.set_settings(study.id, {"budget": {"trials": 20}}, "other.py")
        changed = store.studies.get(study.name)
        assert (changed.settings, changed.source) == ({"budget": {"trials": 20}}, "other.py")

    def test_a_store_remembers_what_it_was_told_when_it_is_opened_again(self, tmp_path: Path, store: Store) -> None:
        study = _study(store)
        trial = _trial(store, study)
        store.close()
        with self.open(tmp_path / "store", ManualClock()) as again:
            assert again.studies.get(study.name) == study
            assert again.trials.get(trial).config == _CONFIG

    # the lease

    def test_a_free_lease_is_taken_once(self, store: Store) -> None:
        study = _study(store)
        assert store.studies.take_lease(study.id, 1, 1.5, None)
        assert not store.studies.take_lease(study.id, 2, 2.5, None)
        held = store.studies.get(study.name)
        assert (held.lease_pid, held.lease_started, held.state) == (1, 1.5, "running")

    def test_a_dead_lease_is_taken_over_once(self, store: Store) -> None:
        study = _study(store)
        store.studies.take_lease(study.id, 1, 1.5, None)
        assert not store.studies.take_lease(study.id, 2, 2.5, (1, 99.0))  # that pid, but another process
        assert store.studies.take_lease(study.id, 2, 2.5, (1, 1.5))
        assert not store.studies.take_lease(study.id, 3, 3.5, (1, 1.5))
        assert store.studies.get(study.name).lease_pid == 2

    def test_only_the_holder_gives_a_lease_back(self, store: Store) -> None:
        study = _study(store)
        store.studies.take_lease(study.id, 1, 1.5, None)
        store.studies.release_lease(study.id, 2, "finished")
        assert store.studies.get(study.name).lease_pid == 1
        store.studies.release_lease(study.id, 1, "finished")
        freed = store.studies.get(study.name)
        assert (freed.lease_pid, freed.lease_started, freed.state) == (None, None, "finished")

    def test_what_was_asked_is_heard_once(self, store: Store) -> None:
        study = _study(store)
        assert store.studies.asked(study.id) is None
        store.studies.ask(study.id, "stop 7")
        assert store.studies.asked(study.id) == "stop 7"
        assert store.studies.asked(study.id) is None

    def test_a_new_lease_and_a_released_one_forget_what_was_asked(self, store: Store) -> None:
        study = _study(store)
        store.studies.ask(study.id, "pause")
        store.studies.take_lease(study.id, 1, 1.5, None)
        assert store.studies.asked(study.id) is None
        store.studies.ask(study.id, "pause")
        store.studies.release_lease(study.id, 1, "paused")
        assert store.studies.asked(study.id) is None

    # candidates and proposals

    def test_equal_candidates_are_one(self, store: Store) -> None:
        first = store.studies.add_candidate("e", {"a": 1, "b": 0.5})
        assert store.studies.add_candidate("e", {"b": 0.5, "a": 1}) == first
        others = {
            store.studies.add_candidate("f", {"a": 1, "b": 0.5}),
            store.studies.add_candidate("e", {"a": 1.0, "b": 0.5}),
            store.studies.add_candidate("e", {"a": True, "b": 0.5}),
            store.studies.add_candidate("e", {"a": 1, "b": 0.5}, patch="+1"),
        }
        assert len(others) == 4
        assert first not in others

    def test_a_candidate_is_found_by_the_beginning_of_its_id(self, store: Store) -> None:
        identity = store.studies.add_candidate("e", _CONFIG, "+ patch")
        found = store.studies.candidate(identity[:8])
        assert (found.id, found.experiment, found.config, found.patch) == (identity, "e", _CONFIG, "+ patch")
        with pytest.raises(NotFound, match="no candidate"):
            store.studies.candidate("zzzz")
        store.studies.add_candidate("e", {})
        with pytest.raises(NotFound, match="more than one"):
            store.studies.candidate("")

    def test_proposals_come_back_in_their_order(self, store: Store) -> None:
        study = _study(store)
        base = store.studies.add_candidate("e", _CONFIG)
        other = store.studies.add_candidate("e", {"lr": 1})
        store.studies.propose(study.id, 1, other, "tpe", (base,), "why not")
        store.studies.propose(study.id, 0, base, "baseline")
        first, second = store.studies.proposals(study.id)
        assert (first.number, first.candidate, first.config, first.parents) == (0, base, _CONFIG, ())
        assert (second.number, second.proposer, second.parents, second.note) == (1, "tpe", (base,), "why not")
        assert store.studies.proposals(study.id + 1) == []
        with pytest.raises(StoreError):
            store.studies.propose(study.id, 1, base, "tpe")

    # the queue

    def test_the_queue_is_taken_by_priority_then_by_age(self, store: Store) -> None:
        study = _study(store)
        for index, priority in enumerate((0, 5, 0, 5, -1)):
            store.studies.enqueue(study.id, {"i": index}, proposer="me", priority=priority, parents=("p",), note="n")
        assert store.studies.waiting(study.id) == 5
        taken = [store.studies.dequeue(study.id, number, "e") for number in range(1, 7)]
        assert [item[0].config["i"] for item in taken if item is not None] == [1, 3, 0, 2, 4]
        assert taken[5] is None
        assert store.studies.waiting(study.id) == 0
        proposals = store.studies.proposals(study.id)
        assert [item.number for item in proposals] == [1, 2, 3, 4, 5]
        assert (proposals[0].proposer, proposals[0].parents, proposals[0].note) == ("me", ("p",), "n")
        assert [item.candidate for item in proposals] == [item[1] for item in taken if item is not None]

    def test_queues_of_studies_are_apart(self, store: Store) -> None:
        one, two = _study(store, "one"), _study(store, "two")
        store.studies.enqueue(one.id, {}, proposer="me")
        assert store.studies.dequeue(two.id, 1, "e") is None
        assert store.studies.dequeue(one.id, 1, "e") is not None

    def test_a_candidate_that_cannot_be_recorded_stays_in_the_queue(self, store: Store) -> None:
        study = _study(store)
        candidate = store.studies.add_candidate("e", {})
        store.studies.propose(study.id, 1, candidate, "tpe")
        store.studies.enqueue(study.id, {"a": 1}, proposer="me")
        with pytest.raises(StoreError):
            store.studies.dequeue(study.id, 1, "e")
        assert store.studies.waiting(study.id) == 1

    def test_ten_processes_lose_no_candidate_and_take_none_twice(self, tmp_path: Path, store: Store) -> None:
        study = _study(store)
        context = multiprocessing.get_context("fork")
        taken: Queue[list[int]] = context.Queue()
        feeders = [
            context.Process(target=_feed, args=(self.open, tmp_path / "store", study.id, who))
            for who in range(_FEEDERS)
        ]
        takers = [
            context.Process(target=_take, args=(self.open, tmp_path / "store", study.id, who, taken))
            for who in range(_TAKERS)
        ]
        for process in (*feeders, *takers):
            process.start()
        lists = [taken.get(timeout=60) for _ in takers]
        for process in (*feeders, *takers):
            process.join()
        assert {process.exitcode for process in (*feeders, *takers)} == {0}
        assert sorted(lists[0] + lists[1]) == list(range(_FEEDERS * _FED))
        assert store.studies.waiting(study.id) == 0
        assert len(store.studies.proposals(study.id)) == _FEEDERS * _FED

    # verdicts, budget, events

    def test_a_later_verdict_on_a_candidate_replaces_the_earlier(self, store: Store, clock: ManualClock) -> None:
        study = _study(store)
        base, other, third = (store.studies.add_candidate("e", {"i": index}) for index in range(3))
        store.studies.decide(study.id, other, base, "undecided", "Not yet.", {})
        store.studies.decide(study.id, third, base, "rejected", "No.", {})
        clock.seconds += 1
        store.studies.decide(study.id, other, base, "accepted", "Yes.", {"effect": 0.5})
        decided = {item.candidate: item for item in store.studies.verdicts(study.id)}
        assert decided[other].decision == "accepted"
        assert (decided[other].sentence, decided[other].data, decided[other].baseline) == (
            "Yes.",
            {"effect": 0.5},
            base,
        )
        assert decided[other].created == clock.seconds
        assert decided[third].decision == "rejected"
        store.studies.clear_verdicts(study.id)
        assert store.studies.verdicts(study.id) == []

    def test_spending_adds_up_by_kind(self, store: Store) -> None:
        study, other = _study(store), _study(store, "other")
        assert store.studies.spent(study.id).trials == 0
        store.studies.charge(study.id, "seconds", 1.5)
        store.studies.charge(study.id, "seconds", 2.5)
        store.studies.charge(study.id, "trials", 1, _trial(store, study))
        store.studies.charge(other.id, "seconds", 100)
        assert store.studies.spending(study.id) == {"seconds": 4.0, "trials": 1.0}
        assert (store.studies.spent(study.id).trials, store.studies.spent(study.id).seconds) == (1, 4.0)

    def test_events_are_read_by_study_by_kind_and_by_trial(self, store: Store, clock: ManualClock) -> None:
        study = _study(store)
        trial = _trial(store, study)
        store.events.add("note", study=study.id, text="hello")
        store.events.add("rung", study=study.id, trial=trial, go_on=True, value=None)
        store.events.add("elsewhere", trial=trial)
        note, rung = store.events.of_study(study.id)
        assert (note.kind, note.data, note.at, note.trial) == ("note", {"text": "hello"}, clock.seconds, None)
        assert (rung.kind, rung.data, rung.trial) == ("rung", {"go_on": True, "value": None}, trial)
        assert store.events.of_study(study.id, kinds=("rung",)) == [rung]
        assert store.events.of_study(study.id, after=note.id) == [rung]
        assert [item.kind for item in store.events.of_trial(trial)] == ["rung", "elsewhere"]

    # trials

    def test_a_new_trial_is_queued(self, store: Store, clock: ManualClock) -> None:
        study = _study(store)
        record = store.trials.get(_trial(store, study, seed=3))
        assert (record.state, record.seed, record.config, record.experiment) == (TrialState.QUEUED, 3, _CONFIG, "e")
        assert (record.reason, record.message, record.value, record.metrics) == (None, "", None, {})
        assert (record.step, record.manifest, record.started, record.ended) == (None, None, None, None)
        assert (record.created, record.wall_seconds) == (clock.seconds, 0.0)

    def test_an_unknown_trial_is_answered_with_the_last_one(self, store: Store) -> None:
        with pytest.raises(NotFound, match="There are none yet"):
            store.trials.get(1)
        trial = _trial(store, _study(store))
        with pytest.raises(NotFound, match=f"The last one is {trial}"):
            store.trials.get(trial + 1)

    def test_trials_of_a_candidate_and_seed_come_newest_first(self, store: Store) -> None:
        study = _study(store)
        first, other, second = _trial(store, study), _trial(store, study, seed=9), _trial(store, study)
        found = store.trials.same(store.trials.get(first).candidate, 0)
        assert [record.id for record in found] == [second, first]
        assert other not in [record.id for record in found]

    def test_a_study_has_one_trial_of_a_candidate_and_seed_and_shares_it(self, store: Store) -> None:
        one, two = _study(store, "one"), _study(store, "two")
        old, other, new = _trial(store, one), _trial(store, one, seed=1), _trial(store, one)
        store.places.add(one.id, old, Role.SEARCH, 1, reused=False)
        store.places.add(one.id, other, Role.CONFIRM, 1, reused=False)
        store.places.add(two.id, old, Role.BASELINE, 0, reused=True)
        store.places.add(one.id, new, Role.SEARCH, 1, reused=False)
        mine = store.places.of_study(one.id)
        assert sorted((place.trial.id, place.role) for place in mine) == [(other, Role.CONFIRM), (new, Role.SEARCH)]
        (place,) = store.places.of_study(two.id)
        assert (place.trial.id, place.role, place.number, place.reused) == (old, Role.BASELINE, 0, True)
        assert store.trials.studies_of(old) == ["two"]
        store.places.add(two.id, old, Role.SEARCH, 2, reused=False)  # placing it again moves it
        assert [(place.role, place.number) for place in store.places.of_study(two.id)] == [(Role.SEARCH, 2)]

    def test_an_attempt_makes_its_trial_run_and_then_costs(self, store: Store, clock: ManualClock) -> None:
        study = _study(store)
        trial = _trial(store, study)
        store.places.add(study.id, trial, Role.SEARCH, 1, reused=False)
        attempt = store.trials.begin(trial, study.id, "runs/1/1", {"backend": "local"})
        store.trials.set_process(attempt, 77, 5.5)
        running = store.trials.get(trial)
        assert (running.state, running.record, running.started) == (
            TrialState.RUNNING,
            {"backend": "local"},
            clock.seconds,
        )
        (left,) = store.trials.open_attempts(study.id)
        assert (left.id, left.trial, left.pid, left.pid_started, left.directory) == (
            attempt,
            trial,
            77,
            5.5,
            "runs/1/1",
        )
        clock.seconds += 9
        store.trials.end_attempt(attempt, "lost", wall_seconds=9, cpu_seconds=8, peak_memory_bytes=700)
        assert store.trials.open_attempts(study.id) == []
        (ended,) = store.trials.attempts(trial)
        assert (ended.outcome, ended.ended, ended.cpu_seconds) == ("lost", clock.seconds, 8)

    def test_an_attempt_ends_once_and_trials_add_up_their_attempts(self, store: Store) -> None:
        study = _study(store)
        trial = _trial(store, study)
        for outcome, seconds, peak in (("paused", 2.0, 50), ("complete", 3.0, 40)):
            attempt = store.trials.begin(trial, study.id, "runs/1/1", {})
            for _ in range(2):
                store.trials.end_attempt(
                    attempt, outcome, wall_seconds=seconds, cpu_seconds=seconds / 2, peak_memory_bytes=peak
                )
        record = store.trials.get(trial)
        assert (record.wall_seconds, record.cpu_seconds, record.peak_memory_bytes) == (5.0, 2.5, 50)
        assert [item.outcome for item in store.trials.attempts(trial)] == ["paused", "complete"]

    def test_a_trial_that_ends_keeps_all_that_is_said_of_it(self, store: Store, clock: ManualClock) -> None:
        study = _study(store)
        trial = _trial(store, study)
        digest = store.trials.add_manifest(Manifest(python="3"))
        store.trials.end(
            trial,
            TrialState.FAILED,
            reason=Reason.EXCEPTION,
            message="ValueError: \x00 ü",
            fingerprint="abc",
            value=0.5,
            metrics={"loss": 0.5},
            step=7,
            horizon=9,
            manifest=digest,
        )
        record = store.trials.get(trial)
        assert (record.state, record.reason, record.fingerprint) == (TrialState.FAILED, Reason.EXCEPTION, "abc")
        assert (record.message, record.value, record.metrics) == ("ValueError: \x00 ü", 0.5, {"loss": 0.5})
        assert (record.step, record.horizon, record.manifest, record.ended) == (7, 9, digest, clock.seconds)

    def test_a_paused_trial_has_not_ended_and_keeps_its_manifest(self, store: Store) -> None:
        study = _study(store)
        trial = _trial(store, study)
        digest = store.trials.add_manifest(Manifest())
        store.trials.end(trial, TrialState.PAUSED, step=3, manifest=digest)
        store.trials.end(trial, TrialState.PAUSED, step=4)
        paused = store.trials.get(trial)
        assert (paused.ended, paused.step, paused.manifest) == (None, 4, digest)
        store.trials.requeue(trial)
        assert (store.trials.get(trial).state, store.trials.get(trial).step) == (TrialState.QUEUED, 4)

    def test_beginning_again_takes_back_the_reason_and_keeps_the_first_start(
        self, store: Store, clock: ManualClock
    ) -> None:
        study = _study(store)
        trial = _trial(store, study)
        store.trials.begin(trial, study.id, "runs/1/1", {})
        store.trials.end(trial, TrialState.QUEUED, reason=Reason.SIGNAL, message="SIGSEGV")
        clock.seconds += 5
        store.trials.begin(trial, study.id, "runs/1/2", {})
        record = store.trials.get(trial)
        assert (record.state, record.reason, record.message) == (TrialState.RUNNING, None, "")
        assert record.started == clock.seconds - 5

    # manifests and artifacts

    def test_manifests_are_stored_once_whatever_bytes_their_paths_hold(self, store: Store) -> None:
        use = FileUse(path="data/\udcff.bin", digest="d" * 20, kind="file", size_bytes=3, stored=True)
        manifest = Manifest(files=(use,), packages={"numpy": "2"}, sites=("/s",), threads=2, not_reusable="so")
        digest = store.trials.add_manifest(manifest)
        assert store.trials.add_manifest(manifest) == digest == manifest.digest
        assert store.trials.manifest(digest) == manifest
        with pytest.raises(NotFound):
            store.trials.manifest("none")

    def test_used_digests_are_those_of_artifacts_and_stored_files(self, store: Store) -> None:
        trial = _trial(store, _study(store))
        kept = FileUse(path="a", digest="kept", kind="module", size_bytes=1, stored=True)
        known = FileUse(path="b", digest="known", kind="file", size_bytes=1)
        store.trials.add_manifest(Manifest(files=(kept, known)))
        store.trials.add_artifact(trial, "plot.png", "plot", 9)
        assert store.trials.used_digests() == {"kept", "plot"}

    def test_artifacts_are_named_once_a_trial(self, store: Store) -> None:
        trial = _trial(store, _study(store))
        store.trials.add_artifact(trial, "b", "1", 10)
        store.trials.add_artifact(trial, "a", "2", 20)
        store.trials.add_artifact(trial, "b", "3", 30)
        found = [(item.name, item.digest, item.size_bytes) for item in store.trials.artifacts(trial)]
        assert found == [("a", "2", 20), ("b", "3", 30)]
        assert store.trials.artifacts(trial + 1) == []

    def test_files_are_kept_by_content(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "one").write_bytes(b"same")
        (tmp_path / "two").write_bytes(b"same")
        first, second = (store.artifacts.put_file(tmp_path / name) for name in ("one", "two"))
        assert first == second == (store.artifacts.put_bytes(b"same"), 4)
        assert store.artifacts.read(first[0]) == b"same"
        assert len(store.artifacts.all()) == 1
        with pytest.raises(NotFound, match="is gone"):
            store.artifacts.read("0" * 20)

    # curves

    def test_curves_come_back_as_they_were_logged(self, store: Store) -> None:
        trial, attempt = _attempt(store)
        points = [_point(0, math.nan), _point(1, math.inf), _point(-5, 0.1), _point(2**62, -0.0), _point(0, 1.0, "acc")]
        store.curves.fold(trial, attempt, points)
        curves = store.curves.read(trial)
        assert list(curves) == ["acc", "loss"]
        assert list(curves["loss"].steps) == [0, 1, -5, 2**62]
        assert repr(list(curves["loss"].values)) == "[nan, inf, 0.1, -0.0]"
        assert store.curves.read(trial, "acc") == {"acc": Curve([0], [1.0])}
        assert store.curves.read(trial, "none") == {}

    def test_folding_again_writes_the_same(self, store: Store) -> None:
        trial, attempt = _attempt(store)
        for count in (2, 4, 4):
            store.curves.fold(trial, attempt, [_point(step, step) for step in range(count)])
        assert list(store.curves.read(trial)["loss"].steps) == [0, 1, 2, 3]

    def test_an_attempt_that_went_on_replaces_what_lay_beyond_its_checkpoint(self, store: Store) -> None:
        trial, first = _attempt(store)
        store.curves.fold(trial, first, [_point(step, 1.0) for step in range(6)] + [_point(0, 7.0, "val")])
        second = store.trials.begin(trial, store.studies.all()[0].id, "runs/1/2", {})
        store.curves.fold(trial, second, [_point(step, 2.0) for step in range(4, 8)])
        live = [_point(step, 3.0) for step in (7, 8)]
        assert store.curves.read(trial)["loss"] == Curve(list(range(8)), [1.0] * 4 + [2.0] * 4)
        assert store.curves.read(trial, live=live)["loss"].values == [1.0] * 4 + [2.0] * 3 + [3.0] * 2
        assert store.curves.read(trial)["val"] == Curve([0], [7.0])
        assert store.curves.read(trial, "val", live=live) == {"val": Curve([0], [7.0])}


def _study(store: Store, name: str = "study") -> StudyRecord:
    definition: Mapping[str, Any] = {"baseline": _CONFIG, "seeds": 4}
    return store.studies.create(
        name=name,
        definition=definition,
        settings={"budget": {"trials": 9}},
        source="study.py",
        experiment="e",
        metric="loss",
        direction="minimize",
    )


def _trial(store: Store, study: StudyRecord, seed: int = 0) -> int:
    return store.trials.create(store.studies.add_candidate(study.experiment, _CONFIG), seed)


def _attempt(store: Store) -> tuple[int, int]:
    study = _study(store)
    trial = _trial(store, study)
    return trial, store.trials.begin(trial, study.id, "runs/1/1", {})


def _point(step: int, value: float, metric: str = "loss") -> Point:
    return Point(metric, step, value, 0.0)


def _feed(open_store: Callable[[Path, Clock], Store], folder: Path, study: int, who: int) -> None:
    with open_store(folder, ManualClock()) as store:
        for index in range(_FED):
            store.studies.enqueue(study, {"i": who * _FED + index}, proposer=f"feeder {who}", priority=index % 3)


def _take(
    open_store: Callable[[Path, Clock], Store], folder: Path, study: int, who: int, taken: "Queue[list[int]]"
) -> None:
    """Take every second number; two engines never share a study, so this asks more of the store than they do."""
    found: list[int] = []
    with open_store(folder, ManualClock()) as store:
        while len(store.studies.proposals(study)) < _FEEDERS * _FED:
            answer = store.studies.dequeue(study, 1 + who + _TAKERS * len(found), "e")
            if answer is not None:
                found.append(answer[0].config["i"])
    taken.put(found)
