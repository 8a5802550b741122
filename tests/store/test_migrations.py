"""A store of the first schema, as the Headway of that time wrote it, is carried over without loss."""

import sqlite3
from contextlib import closing

import pytest

from headway.core import Reason, Role, TrialState
from headway.store import FOLDER, Store, candidate_id
from headway.store.database import _MIGRATIONS

ON_A_CPU = '{"device":"cpu","rungs":[0.1]}'
ON_A_GPU = '{"device":"gpu","rungs":[]}'
CANDIDATES = [candidate_id("e", {"lr": lr}) for lr in (1, 2, 3, 4)]
TRIALS = [  # candidate, seed, state, reason, value, step, horizon, record, seconds
    (0, 0, "complete", None, 0.5, 10, 10, ON_A_CPU, 8.0),
    (0, 1, "complete", None, 0.25, 10, 10, ON_A_CPU, 8.0),
    (1, 0, "stopped", "scheduler", 0.75, 2, 10, ON_A_CPU, 2.0),
    (2, 0, "failed", "exception", None, None, None, ON_A_GPU, 1.0),
    (3, 0, "complete", None, 0.5, 10, 10, ON_A_GPU, 4.0),
    (3, 0, "complete", None, 0.125, 10, 10, ON_A_GPU, 4.0),  # the same again, after its files had changed
    (1, 1, "paused", None, None, 5, 10, ON_A_GPU, 3.0),
]
PLACES = [  # study, trial, role, proposal, reused
    (1, 1, "baseline", 0, 0), (1, 2, "baseline", 0, 0), (1, 3, "search", 1, 0), (1, 4, "search", 2, 0),
    (1, 5, "search", 3, 0), (1, 6, "search", 3, 0), (1, 7, "confirm", 1, 0),
    (2, 2, "baseline", 0, 1), (2, 1, "baseline", 0, 1),
]  # fmt: skip


@pytest.fixture
def old(tmp_path):
    """Write the old store; return its folder."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    with closing(sqlite3.connect(folder / "store.sqlite")) as raw, raw:
        raw.executescript((_MIGRATIONS / "0001_first.sql").read_text())
        raw.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        raw.execute("INSERT INTO schema_version VALUES (1)")
        for name in ("first", "second"):
            raw.execute(
                "INSERT INTO studies (name, definition, settings, source, experiment, metric, direction, state,"
                " created, updated) VALUES (?, '{}', '{}', 'study.py', 'e', 'loss', 'minimize', 'paused', 1, 2)",
                (name,),
            )
        for number, candidate in enumerate(CANDIDATES):
            raw.execute("INSERT INTO candidates VALUES (?, 'e', ?, NULL, 1)", (candidate, f'{{"lr":{number + 1}}}'))
            raw.execute(
                "INSERT INTO proposals VALUES (1, ?, ?, 'sobol', '[]', ?, 1)", (number, candidate, f"note {number}")
            )
        raw.executemany(
            "INSERT INTO trials (candidate, seed, state, reason, value, step, horizon, record, wall_seconds, created,"
            " ended) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 2)",
            [(CANDIDATES[candidate], *rest) for candidate, *rest in TRIALS],
        )
        raw.executemany("INSERT INTO study_trials VALUES (?, ?, ?, ?, ?)", PLACES)
        raw.executemany(
            "INSERT INTO attempts (trial, study, directory, started, ended, outcome)"
            " VALUES (?, 1, ?, 1, 2, 'complete')",
            [(trial, f"runs/{trial}/1") for trial in range(1, 8)],
        )
    return folder


def test_an_old_store_keeps_its_studies_trials_attempts_and_what_they_were_run_on(old):
    with Store.open(old) as store:
        assert {study.name for study in store.studies.all()} == {"first", "second"}
        assert [(item.number, item.candidate, item.note) for item in store.studies.proposals(1)] == [
            (number, candidate, f"note {number}") for number, candidate in enumerate(CANDIDATES)
        ]
        trials = [store.trials.get(number) for number in range(1, 8)]
        assert [trial.candidate for trial in trials] == [CANDIDATES[row[0]] for row in TRIALS]
        assert [(trial.seed, trial.state, trial.reason, trial.value) for trial in trials] == [
            row[1:5] for row in TRIALS
        ]
        assert [trial.record["device"] for trial in trials] == ["cpu"] * 3 + ["gpu"] * 4
        assert [trial.record["rungs"] for trial in trials] == [[0.1]] * 3 + [[]] * 4
        (attempt,) = store.trials.attempts(7)
        assert (attempt.directory, attempt.outcome, attempt.live) == ("runs/7/1", "complete", None)
        assert store.database.sound()
        assert store.database.rows("PRAGMA foreign_key_check") == []


def test_what_trials_have_in_common_is_stored_once(old):
    with Store.open(old) as store:
        assert sorted(row[0] for row in store.database.rows("SELECT data FROM records")) == [ON_A_CPU, ON_A_GPU]


def test_the_places_of_an_old_store_are_ranked_and_counted(old):
    with Store.open(old) as store:
        # Two trials of one candidate and seed had a place then; the later one stands.
        assert [place.trial.id for place in store.places.of_study(1)] == [1, 2, 3, 4, 6, 7]
        assert [place.trial.id for place in store.places.of_study(2)] == [2, 1]  # as they came
        best = store.places.best(1, "minimize")
        assert [(item.trial, item.value, item.role) for item in best] == [
            (6, 0.125, Role.SEARCH), (2, 0.25, Role.BASELINE), (1, 0.5, Role.BASELINE)
        ]  # fmt: skip
        assert [item.trial for item in store.places.best(1, "maximize", limit=1)] == [1]
        first, second = store.places.tally(1), store.places.tally(2)
        assert first.by_state == {
            TrialState.COMPLETE: 3, TrialState.STOPPED: 1, TrialState.FAILED: 1, TrialState.PAUSED: 1
        }  # fmt: skip
        assert (first.trials, first.executed, first.executed_ended) == (6, 6, 5)
        assert (first.ended_seconds, first.wasted_seconds) == (23.0, 1.0)
        assert first.saved_seconds == 8.0  # trial 3 was stopped at 2 of 10 steps after 2 s
        assert (second.trials, second.executed, second.saved_seconds) == (2, 0, 16.0)


def test_a_migrated_store_goes_on(old):
    with Store.open(old) as store:
        store.trials.end(7, TrialState.FAILED, reason=Reason.USER, message="enough")
        trial = store.trials.create(CANDIDATES[2], 1)
        store.places.add(2, trial, Role.SEARCH, 1, reused=False)
        store.trials.end(trial, TrialState.COMPLETE, value=0.0625)
    with Store.open(old) as store:
        assert store.places.tally(1).by_state[TrialState.FAILED] == 2
        assert [item.trial for item in store.places.best(2, "minimize")] == [trial, 2, 1]
