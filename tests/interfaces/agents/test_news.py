"""The cursor over verdicts: none is missed and none told twice, whatever happens between two looks."""

import multiprocessing
import time

import pytest

from headway.core import Space, UsageError
from headway.core.space import Float
from headway.interfaces.agents.answers import BYTES_A_TOKEN, text_of
from headway.interfaces.agents.verbs import VERBS, call
from headway.store import FOLDER, Store

LONG = "Rejected: after 3 runs, its chance to beat what the study has is under 1 %. " * 5


def make(store, name="open"):
    space = Space.of({"x": Float(0, 1)})
    definition = {
        "space": space.to_json(), "baseline": {"x": 0.5}, "sampler": "queue", "rule": "stream", "seeds": 2,
        "finalists": 1, "seed": 0,
    }  # fmt: skip
    study = store.studies.create(
        name=name, definition=definition, settings={"budget": {}}, source="study.py", experiment="e", metric="loss",
        direction="minimize",
    )  # fmt: skip
    store.studies.propose(study.id, 0, store.studies.add_candidate("e", {"x": 0.5}), "baseline")
    return study


def decide(store, study, number, decision="rejected", sentence=LONG, **data):
    candidate = store.studies.add_candidate("e", {"x": number / 1000})
    if store.studies.find_number(study.id, candidate) is None:
        store.studies.propose(study.id, number, candidate, f"agent {number}")
    start = store.studies.add_candidate("e", {"x": 0.5})
    store.studies.decide(study.id, candidate, start, decision, sentence, data)
    return candidate[:12]


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / FOLDER) as opened:
        yield opened


@pytest.fixture
def study(store):
    return make(store)


def test_each_verdict_is_told_once_though_one_answer_holds_few(store, study):
    expected = [decide(store, study, number) for number in range(1, 101)]
    seen, cursor = [], "v0g"
    while True:
        answer = call(store, "wait", {"since": cursor, "timeout": 0})
        assert len(text_of(answer).encode()) <= VERBS["wait"].tokens * BYTES_A_TOKEN
        assert "left_out" not in answer
        if answer["timed_out"]:
            break
        seen += [item["candidate"] for item in answer["verdicts"]]
        assert ("more_verdicts" in answer) == (len(seen) < 100)
        cursor = answer["cursor"]
    assert seen == expected


def test_a_verdict_that_gives_way_to_another_is_told_again(store, study):
    open_ = decide(store, study, 1, "undecided", open=True)
    decide(store, study, 2)
    cursor = call(store, "brief", {})["cursor"]
    decide(store, study, 1, "accepted", "It is lower.")
    answer = call(store, "wait", {"since": cursor, "timeout": 0})
    assert [(item["candidate"], item["decision"]) for item in answer["verdicts"]] == [(open_, "accepted")]
    assert not call(store, "wait", {"since": answer["cursor"], "timeout": 0})["verdicts"]


def test_the_last_verdict_of_all_is_told_again_when_it_is_replaced(store, study):
    """SQLite hands out the highest id anew where the row that has it goes away first."""
    decide(store, study, 1, "undecided", open=True)
    cursor = call(store, "brief", {})["cursor"]
    decide(store, study, 1, "rejected")
    assert len(call(store, "wait", {"since": cursor, "timeout": 0})["verdicts"]) == 1


def test_other_studies_are_not_heard_and_may_take_their_verdicts_back(store, study):
    other = make(store, "other")
    cursor = call(store, "brief", {"study": "open"})["cursor"]
    for number in range(1, 5):
        decide(store, other, number)
    assert call(store, "wait", {"study": "open", "since": cursor, "timeout": 0})["timed_out"]
    store.studies.clear_verdicts(other.id)  # their ids come again
    mine = decide(store, study, 9)
    answer = call(store, "wait", {"study": "open", "since": cursor, "timeout": 0})
    assert [item["candidate"] for item in answer["verdicts"]] == [mine]


def test_a_cursor_outlives_the_server(store, study):
    decide(store, study, 1)
    cursor = call(store, "wait", {"since": "v0g", "timeout": 0})["cursor"]
    decide(store, study, 2)
    with Store.open(store.folder, create=False) as again:
        answer = call(again, "wait", {"since": cursor, "timeout": 0})
    assert [item["number"] for item in answer["verdicts"]] == [2]


def test_the_end_of_the_study_is_news_too(store, study):
    cursor = call(store, "brief", {})["cursor"]
    store.studies.set_state(study.id, "finished")
    answer = call(store, "wait", {"since": cursor, "timeout": 0})
    assert (answer["timed_out"], answer["state"], answer["verdicts"]) == (False, "finished", [])
    assert call(store, "wait", {"since": answer["cursor"], "timeout": 0})["timed_out"]


def test_a_run_that_ended_is_no_verdict_yet(store, study):
    candidate = store.studies.add_candidate("e", {"x": 0.25})
    store.studies.propose(study.id, 1, candidate, "anna")
    from headway.core import Role, TrialState

    trial = store.trials.create(candidate, 0)
    store.places.add(study.id, trial, Role.SEARCH, 1, reused=False)
    store.trials.end(trial, TrialState.COMPLETE, value=0.25)
    answer = call(store, "wait", {"candidate": "#1", "timeout": 0})
    assert (answer["timed_out"], answer["state"]) == (True, "complete")
    assert "No verdict yet" in call(store, "result", {"candidate": "#1"})["said"]
    store.studies.decide(study.id, candidate, candidate, "rejected", "Rejected: it is higher.", {})
    answer = call(store, "wait", {"candidate": "#1", "timeout": 0})
    assert (answer["timed_out"], answer["verdict"]) == (False, "rejected")
    assert answer["sentence"] == "Rejected: it is higher."


def test_a_cursor_of_another_kind_of_study_is_refused(store, study):
    with pytest.raises(UsageError, match="no cursor of a study that stays open"):
        call(store, "wait", {"since": "0~0~~g"})


def write_verdicts(folder, first, count):
    with Store.open(folder, create=False) as store:
        study = store.studies.get("open")
        for number in range(first, first + count):
            decide(store, study, number, sentence="It is higher.")


def test_a_waiter_that_looks_while_others_write_misses_nothing(store, study):
    writers = [
        multiprocessing.get_context("spawn").Process(target=write_verdicts, args=(store.folder, 1 + 100 * index, 60))
        for index in range(2)
    ]
    for writer in writers:
        writer.start()
    seen, cursor, deadline = [], "v0g", time.monotonic() + 60
    while len(seen) < 120 and time.monotonic() < deadline:
        answer = call(store, "wait", {"since": cursor, "timeout": 1.0})
        seen += [item["number"] for item in answer["verdicts"]]
        cursor = answer["cursor"]
    for writer in writers:
        writer.join()
    assert sorted(seen) == [*range(1, 61), *range(101, 161)]
    assert call(store, "brief", {})["counts"]["verdicts"] == {"rejected": 120}
