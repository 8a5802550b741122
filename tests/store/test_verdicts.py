"""Verdicts as they come: in the order of decisions, without reading them all."""

import pytest

from headway.store import FOLDER, Store


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / FOLDER) as opened:
        yield opened


@pytest.fixture
def study(store):
    return store.studies.create(
        name="s", definition={}, settings={}, source="", experiment="e", metric="loss", direction="minimize"
    )


def decide(store, study, number, decision):
    candidate = store.studies.add_candidate("e", {"i": number})
    if store.studies.find_number(study.id, candidate) is None:
        store.studies.propose(study.id, number, candidate, "anna")
    store.studies.decide(study.id, candidate, candidate, decision, "It is so.", {"n": number})


def test_newest_since_accepted_and_counts_agree_with_all_of_them(store, study):
    kinds = ["rejected", "accepted (as printed)", "failed", "accepted", "flagged", "accepted (guarded)", "acceptable"]
    for number in range(1, 50):
        decide(store, study, number, kinds[number % len(kinds)])
    decide(store, study, 3, "accepted (as printed)")  # it was accepted before; this one comes last
    everything = store.studies.verdicts(study.id)
    ids = [item.id for item in store.verdicts.since(study.id, 0, 100)]
    assert [item.verdict for item in store.verdicts.since(study.id, 0, 100)] == everything
    assert ids == sorted(ids)
    assert store.verdicts.last(study.id) == ids[-1]
    assert [item.verdict for item in store.verdicts.since(study.id, ids[10], 5)] == everything[11:16]
    assert store.verdicts.count_since(study.id, ids[10]) == len(everything) - 11
    assert [item.verdict for item in store.verdicts.newest(study.id, 4)] == everything[::-1][:4]
    accepted = [item for item in everything if item.decision.split(" ")[0] == "accepted"]
    assert [item.verdict for item in store.verdicts.accepted(study.id, 3)] == accepted[::-1][:3]
    assert store.verdicts.accepted(study.id, 1)[0].number == 3
    assert sum(store.verdicts.tally(study.id).values()) == len(everything) == 49


def test_a_study_without_verdicts_has_none(store, study):
    assert store.verdicts.last(study.id) == 0
    assert store.verdicts.since(study.id, 0, 5) == store.verdicts.newest(study.id, 5) == []
    assert store.verdicts.accepted(study.id, 1) == []
    assert store.verdicts.tally(study.id) == {}
