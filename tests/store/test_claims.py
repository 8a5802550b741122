"""Claims on ideas, the proposers' turns, what ended since, and promotions."""

import multiprocessing

import pytest

from headway.core import Role, TrialState, UsageError
from headway.store import FOLDER, EndsMark, Store


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / FOLDER) as opened:
        yield opened


@pytest.fixture
def study(store):
    return store.studies.create(
        name="s", definition={}, settings={}, source="", experiment="e", metric="loss", direction="minimize"
    )


def run(store, study, number, value=0.5, *, state=TrialState.COMPLETE, seed=0):
    candidate = store.studies.add_candidate("e", {"i": number})
    trial = store.trials.create(candidate, seed)
    store.places.add(study.id, trial, Role.SEARCH, number, reused=False)
    if state.ended:
        store.trials.end(trial, state, value=value)
    return trial


def test_a_claimed_idea_belongs_to_the_first_who_brought_it(store, study):
    first = store.claims.claim(study, {"i": 1}, proposer="anna", note="why")
    second = store.claims.claim(study, {"i": 1}, proposer="bob")
    assert (first.new, first.proposer, first.number) == (True, "anna", None)
    assert (second.new, second.proposer, second.queued) == (False, "anna", first.queued)
    assert store.claims.waiting(study.id) == {"anna": 1}
    assert store.claims.note_of(study.id, first.candidate) == "why"
    store.studies.dequeue(study.id, 1, "e")
    third = store.claims.claim(study, {"i": 1}, proposer="bob")
    assert (third.new, third.proposer, third.number) == (False, "anna", 1)
    assert store.studies.waiting(study.id) == 0


def test_a_token_names_one_configuration_of_one_proposer(store, study):
    store.claims.claim(study, {"i": 1}, proposer="anna", token="t")
    assert not store.claims.claim(study, {"i": 1}, proposer="anna", token="t").new
    assert store.claims.claim(study, {"i": 2}, proposer="bob", token="t").new
    with pytest.raises(UsageError, match=r"belongs to another configuration: \{'i': 1\}"):
        store.claims.claim(study, {"i": 3}, proposer="anna", token="t")


def test_studies_claim_apart(store, study):
    other = store.studies.create(
        name="o", definition={}, settings={}, source="", experiment="e", metric="loss", direction="minimize"
    )
    assert store.claims.claim(study, {"i": 1}, proposer="anna", token="t").new
    assert store.claims.claim(other, {"i": 1}, proposer="anna", token="t").new


def _claim(folder, who, found):
    with Store.open(folder) as store:
        study = store.studies.get("s")
        found.put([store.claims.claim(study, {"i": index}, proposer=f"p{who}").new for index in range(20)])


def test_of_many_processes_that_bring_one_idea_one_has_it(store, study, tmp_path):
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    processes = [context.Process(target=_claim, args=(tmp_path / FOLDER, who, found)) for who in range(3)]
    for process in processes:
        process.start()
    answers = [found.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert [sum(new) for new in zip(*answers, strict=True)] == [1] * 20
    assert store.studies.waiting(study.id) == 20


def order(store, study):
    taken = []
    while (item := store.studies.dequeue(study.id, len(taken) + 1, "e")) is not None:
        taken.append((item[0].proposer, item[0].config["i"]))
    return taken


def test_proposers_take_turns_whoever_brought_more(store, study):
    for index in range(5):
        store.studies.enqueue(study.id, {"i": index}, proposer="busy")
    for index in (10, 11):
        store.studies.enqueue(study.id, {"i": index}, proposer="late")
    ahead = [store.claims.ahead(study.id, number) for number in range(1, 8)]
    assert ahead == [0, 2, 4, 5, 6, 1, 3]
    assert order(store, study) == [
        ("busy", 0), ("late", 10), ("busy", 1), ("late", 11), ("busy", 2), ("busy", 3), ("busy", 4)
    ]  # fmt: skip


def test_one_who_brings_an_idea_at_a_time_gets_every_second_turn(store, study):
    for index in range(6):
        store.studies.enqueue(study.id, {"i": index}, proposer="busy")
    taken = []
    for number in range(1, 9):
        if store.claims.waiting(study.id).get("steady", 0) == 0:
            store.studies.enqueue(study.id, {"i": 100 + number}, proposer="steady")
        item = store.studies.dequeue(study.id, number, "e")
        assert item is not None
        taken.append(item[0].proposer)
    assert taken == ["busy", "steady"] * 4


def test_turns_hold_among_equal_priorities_alone(store, study):
    for index in range(3):
        store.studies.enqueue(study.id, {"i": index}, proposer="urgent", priority=1)
    store.studies.enqueue(study.id, {"i": 9}, proposer="other")
    assert [number for _, number in order(store, study)] == [0, 1, 2, 9]


def test_ends_are_told_once_each_and_survive_as_text(store, study):
    early = run(store, study, 1)
    going = run(store, study, 2, state=TrialState.RUNNING)
    mark = EndsMark.read(store.ends.mark(study.id).text)
    assert store.ends.since(study.id, mark)[0] == []
    store.trials.end(going, TrialState.FAILED)
    late = run(store, study, 3)
    still = run(store, study, 4, state=TrialState.RUNNING)
    ended, after = store.ends.since(study.id, mark)
    assert [item.trial for item in ended] == [going, late]
    assert store.ends.since(study.id, after)[0] == []
    store.trials.end(still, TrialState.COMPLETE, value=0.1)
    assert [item.trial for item in store.ends.since(study.id, after)[0]] == [still]
    everything = EndsMark.read("0~0~~g")
    assert [item.trial for item in store.ends.since(study.id, everything)[0]] == [early, going, late, still]


def test_a_trial_that_takes_the_last_place_anew_is_told(store, study):
    run(store, study, 1, state=TrialState.FAILED)
    mark = store.ends.mark(study.id)
    again = run(store, study, 1)  # the same candidate and seed: the failed one gives way, and its place is the last
    assert [item.trial for item in store.ends.since(study.id, mark)[0]] == [again]


def test_verdicts_and_the_end_of_a_study_are_told(store, study):
    candidate = store.studies.add_candidate("e", {"i": 1})
    mark = store.ends.mark(study.id)
    store.studies.set_state(study.id, "running")
    assert not store.ends.concluded(mark, store.ends.mark(study.id))
    store.studies.decide(study.id, candidate, candidate, "rejected", "No.", {})
    decided = store.ends.mark(study.id)
    assert store.ends.concluded(mark, decided)
    store.studies.set_state(study.id, "finished")
    assert store.ends.concluded(decided, store.ends.mark(study.id))


@pytest.mark.parametrize("text", ["", "1", "a~b~c~d", "1~2~3", "1~2~x~g"])
def test_what_is_no_cursor_is_refused(text):
    with pytest.raises(UsageError, match="is no cursor"):
        EndsMark.read(text)


def test_changes_are_seen_from_another_connection(store, study, tmp_path):
    before = store.ends.changes()
    assert store.ends.changes() == before
    with Store.open(tmp_path / FOLDER) as other:
        other.studies.set_state(study.id, "paused")
    assert store.ends.changes() != before


def test_a_promotion_is_asked_for_once_and_answered_by_a_person(store, study):
    candidate = store.studies.add_candidate("e", {"i": 1})
    asked = store.promotions.ask(study.id, candidate, proposer="anna", note="look")
    again = store.promotions.ask(study.id, candidate, proposer="bob")
    assert asked == again
    assert (asked.state, asked.proposer, asked.answered_by) == ("asked", "anna", None)
    store.promotions.answer(study.id, candidate, promoted=False, by="eve")
    assert store.promotions.ask(study.id, candidate, proposer="bob").state == "refused"
    store.promotions.allow(study.id, True)
    assert store.promotions.ask(study.id, candidate, proposer="bob").state == "refused"


def test_queueing_looks_at_an_index_however_many_wait(tmp_path):
    with Store.open(tmp_path / ".headway") as store:
        seen = []
        real = store.database.row

        def watched(sql, values=()):
            if "FROM queue" in sql:
                seen.append((sql, values))
            return real(sql, values)

        store.database.row = watched
        study = store.studies.create(
            name="s", definition={}, settings={}, source="", experiment="e", metric="m", direction="minimize"
        )
        store.claims.claim(study, {"x": 1}, proposer="a")
        assert len(seen) >= 3
        for sql, values in seen:
            (plan,) = (row["detail"] for row in store.database.rows(f"EXPLAIN QUERY PLAN {sql}", values))
            assert plan.count("=?") >= 2, plan  # not the study alone, which is the whole queue
