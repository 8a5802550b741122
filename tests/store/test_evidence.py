"""The project's sequence of tests and its holdouts, as the record keeps them."""

import sqlite3

import pytest

from headway.core import StoreError
from headway.store import Store
from headway.testing.store import ManualClock


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / ".headway", clock=ManualClock(7.0)) as store:
        yield store


def add_study(store, name):
    return store.studies.create(
        name=name, definition={}, settings={}, source="", experiment="e", metric="loss", direction="minimize"
    ).id


def test_tests_are_one_sequence_over_all_studies(store):
    candidate = store.studies.add_candidate("e", {"lr": 1})
    assert store.evidence.counts() == (0, 0)
    for index, (study, accepted) in enumerate((("a", True), ("b", False), ("c", True)), start=1):
        test = store.evidence.add_test(
            add_study(store, study), candidate, "results", log_e=2.5, level=0.01, accepted=accepted
        )
        assert test.index == index
    assert store.evidence.counts() == (3, 2)
    assert [(test.index, test.accepted, test.created) for test in store.evidence.tests()] == [
        (1, True, 7.0), (2, False, 7.0), (3, True, 7.0)
    ]  # fmt: skip


def test_the_same_results_are_found_again_and_cannot_be_tested_twice(store):
    study, candidate = add_study(store, "a"), store.studies.add_candidate("e", {"lr": 1})
    made = store.evidence.add_test(study, candidate, "results", log_e=-1.5, level=0.02, accepted=False)
    assert store.evidence.test(study, candidate, "results") == made
    assert store.evidence.test(study, candidate, "others") is None
    with pytest.raises(StoreError) as problem:
        store.evidence.add_test(study, candidate, "results", log_e=9.0, level=0.02, accepted=True)
    assert isinstance(problem.value.__cause__, sqlite3.IntegrityError)
    assert store.evidence.counts() == (1, 0)


def test_a_holdout_keeps_its_last_state(store):
    assert store.evidence.holdout("test") is None
    store.evidence.keep_holdout("test", {"spent": 1})
    store.evidence.keep_holdout("test", {"spent": 2})
    store.evidence.keep_holdout("other", {"spent": 0})
    assert store.evidence.holdout("test") == {"spent": 2}
    assert store.evidence.holdouts() == {"other": {"spent": 0}, "test": {"spent": 2}}
