import json
import os
import threading

import pytest

from headway.core import Role, TrialState
from headway.store import RunLog, Store, StudyRecord
from tests.interfaces.cli.conftest import BASELINE, add_trial, make_study


def test_status_lists_studies_with_state_best_and_verdict(ask, study):
    text = ask("status").stdout
    assert "spirals" in text
    assert "✓ finished" in text
    assert "val_loss 0.3" in text
    assert "val_loss is lower by 0.2: accepted." in text
    assert "headway status spirals" in text


def test_status_of_all_as_json(ask_json, study):
    (row,) = ask_json("status")["studies"]
    assert row["trials"] == {"done": 7, "running": 0, "failed": 1}
    assert row["best_value"] == 0.3
    assert set(row["decisions"].values()) == {"accepted"}


def test_status_of_an_empty_store_says_what_to_type(ask, store):
    assert "headway run study.py" in ask("status").stdout


def test_status_of_one_study_ranks_its_candidates(ask, study):
    text = ask("status", "spirals").stdout
    assert "17 of 24 trials" in text
    assert text.index("baseline   ✓ complete") < text.index("#1         ● accepted") < text.index("#2         ! failed")
    assert "ZeroDivisionError" in text


def test_status_tells_whose_idea_a_queued_candidate_was(ask, store: Store, study: StudyRecord):
    store.studies.enqueue(study.id, {**BASELINE, "lr": 0.3}, proposer="anna")
    assert "1 candidate\n" in ask("status", "spirals").stdout
    store.studies.dequeue(study.id, 3, study.experiment)
    text = ask("status", "spirals").stdout
    assert "#3 by anna" in text
    assert "#1 by" not in text


def test_status_of_one_study_as_json(ask_json, study):
    data = ask_json("status", "spirals")
    assert data["state"] == "finished"
    assert data["engine_pid"] is None
    assert [row["number"] for row in data["candidates"]] == [0, 1, 2]
    assert data["candidates"][1]["decision"] == "accepted"


def test_running_is_not_believed_of_a_dead_engine(ask, ask_json, store: Store, study: StudyRecord):
    add_trial(store, study, {**BASELINE, "lr": 0.5}, number=3, state=TrialState.RUNNING)
    assert store.studies.take_lease(study.id, 2**22 + 1, 1.0, None)
    assert ask_json("status")["studies"][0]["state"] == "interrupted"
    assert ask_json("status")["studies"][0]["trials"]["running"] == 0
    text = ask("status", "spirals").stdout
    assert "! interrupted" in text
    assert "headway resume spirals" in text
    assert "interrupted" in ask("trials").stdout
    assert "interrupted" in ask("show", 8).stdout


def test_a_running_trial_shows_its_curve_and_step(ask, store: Store, own_lease: StudyRecord):
    trial = add_trial(store, own_lease, {**BASELINE, "lr": 0.5}, number=3, state=TrialState.RUNNING)
    log = RunLog(store.run_folder(trial) / "1" / "worker.runlog")
    log.mark("horizon", steps=100)
    for step in range(40):
        log.point("val_loss", step, 1.0 - step / 100)
    text = ask("status", "spirals").stdout
    log.close()
    assert "▶ running" in text
    assert f"▶ trial {trial}" in text
    assert "40/100" in text
    assert "█" in text
    assert "headway stop spirals" in text


def test_watch_ends_when_nothing_runs_and_refuses_json(ask, study):
    assert ask("status", "spirals", "--watch").exit_code == 0
    assert ask("status", "--watch", "--json").exit_code == 2


def test_an_unknown_study_suggests_the_nearest(ask, study):
    result = ask("status", "spiral")
    assert result.exit_code == 2
    assert "Did you mean 'spirals'?" in result.stderr


def test_trials_are_sorted_filtered_and_limited(ask, ask_json, study):
    assert [row["trial"] for row in ask_json("trials")["trials"]] == [1, 2, 3, 4, 5, 6, 7]
    assert [row["trial"] for row in ask_json("trials", "--sort", "value", "--limit", 2)["trials"]] == [4, 5]
    assert [row["trial"] for row in ask_json("trials", "--state", "failed")["trials"]] == [7]
    text = ask("trials", "--limit", 2).stdout
    assert "2 of 7 trials" in text
    assert "confirm #1" in text


def test_the_best_trials_are_complete_ones_the_best_first_in_either_direction(ask, ask_json, store, study):
    lowest = add_trial(store, study, {**BASELINE, "lr": 0.5}, number=3, value=0.1, state=TrialState.STOPPED)
    highest = add_trial(store, study, {**BASELINE, "lr": 0.6}, number=4, value=0.9, state=TrialState.STOPPED)
    data = ask_json("trials", "--best", 4)
    assert [row["trial"] for row in data["trials"]] == [4, 5, 6, 1]
    assert [row["value"] for row in data["trials"]] == [0.3, 0.31, 0.32, 0.5]
    assert data["count"] == 6  # complete ones
    assert [row["trial"] for row in ask_json("trials", "--best", 100)["trials"]] == [4, 5, 6, 1, 2, 3]
    store.database.run("UPDATE studies SET direction = 'maximize'")
    assert [row["trial"] for row in ask_json("trials", "--best", 2)["trials"]] == [3, 2]
    text = ask("trials", "--best", 2).stdout
    assert [line.split()[0] for line in text.splitlines() if "complete" in line] == ["3", "2"]
    assert "2 of 6 trials of spirals" in text
    assert not {str(lowest), str(highest)} & {line.split()[0] for line in text.splitlines() if line}


@pytest.mark.parametrize("number", ["0", "-1", "few"])
def test_a_number_of_best_trials_that_cannot_be_meant_is_refused(ask, study, number):
    assert ask("trials", "--best", number).exit_code == 2


def test_trials_of_an_empty_store_are_nothing_to_do(ask, store):
    assert ask("trials").exit_code == 7


def test_show_tells_all_of_a_trial(ask, study):
    text = ask("show", 4).stdout
    assert "trial 4  ✓ complete  val_loss 0.3" in text
    assert "spirals: search #1" in text
    assert "optimizer=adam" in text
    assert "study.py" in text
    assert "no: it uses polars" in text
    assert "⠀" in text or "⡀" in text, "the plot is missing"
    assert "headway reproduce 4" in text


def test_show_of_a_crash_ends_in_its_traceback(ask, ask_json, study):
    text = ask("show", "#7").stdout
    assert "exception: ZeroDivisionError: division by zero" in text
    assert "Traceback (most recent call last):" in text
    assert "headway logs 7" in text
    assert ask_json("show", 7)["traceback"].startswith("Traceback")


def test_show_names_the_checkpoints_that_the_disk_damaged(ask, ask_json, store: Store, study: StudyRecord):
    assert "damaged" not in ask("show", 4).stdout
    store.events.add("damaged checkpoint", trial=4, step=20, problem="its bytes are not those that were written")
    assert "checkpoint after 20 steps: its bytes are not those" in " ".join(ask("show", 4).stdout.split())
    assert [item["step"] for item in ask_json("show", 4)["damaged_checkpoints"]] == [20]


def test_show_as_json_has_curves_attempts_and_manifest(ask_json, study):
    data = ask_json("show", 4)
    assert len(data["curves"]["val_loss"]["values"]) == 10
    assert data["attempts"][0]["outcome"] == "complete"
    assert data["manifest"]["files"][0]["path"] == "study.py"
    assert data["studies"] == ["spirals"]


def test_show_of_a_study_is_its_detail(ask, ask_json, study):
    assert ask("show", "spirals").stdout == ask("status", "spirals").stdout
    assert ask_json("show", "spirals")["study"] == "spirals"


def test_show_of_no_trial_says_which_there_are(ask, study):
    result = ask("show", 99)
    assert result.exit_code == 2
    assert "The last one is 7" in result.stderr


def test_compare_shows_what_differs_and_the_verdict(ask, study):
    text = ask("compare", 1, 4).stdout
    assert ["momentum", "0.9", "–"] in [line.split() for line in text.splitlines()]
    assert "trial 4's" in text
    assert "● accepted" in text
    assert "batch" not in text


def test_compare_as_json_pairs_the_seeds(ask_json, study):
    data = ask_json("compare", 1, 4)
    assert data["config"]["lr"] == [0.01, 0.1]
    assert data["identical_curves"] is False
    (shared,) = data["studies"]
    assert [row["seed"] for row in shared["by_seed"]] == [0, 1, 2]
    assert shared["verdicts"][0]["decision"] == "accepted"


def test_compare_of_equal_runs_says_so(ask, ask_json, study):
    assert "equal, bit for bit" in ask("compare", 1, 1).stdout
    assert ask_json("compare", 1, 1)["difference"] == 0


def test_logs_are_what_the_trial_printed(ask, ask_json, study):
    assert ask("logs", 1).stdout == "first\nlast\n"
    assert ask("logs", 1, "--tail", 1).stdout == "last\n"
    assert ask("logs", 1, "--tail", 0).stdout == ""
    assert ask_json("logs", 1)["attempts"][0]["lines"] == ["first", "last"]
    assert "has printed nothing" in ask("logs", 4).stderr


def test_logs_of_all_attempts_come_in_order(ask, store: Store, study: StudyRecord):
    store.trials.begin(1, study.id, "runs/1/2", {})
    folder = store.folder / "runs" / "1" / "2"
    folder.mkdir()
    (folder / "output.log").write_text("again")
    assert ask("logs", 1).stdout == "first\nlast\nagain"
    assert ask("logs", 1, "--tail", 2).stdout == "last\nagain"


def test_followed_logs_go_on_until_the_trial_ends(ask, store: Store, own_lease: StudyRecord):
    trial = add_trial(store, own_lease, {**BASELINE, "lr": 0.5}, number=3, state=TrialState.RUNNING, output="one\n")

    def end() -> None:
        with (store.run_folder(trial) / "1" / "output.log").open("a") as file:
            file.write("two\n")
        store.trials.end(trial, TrialState.COMPLETE, value=1.0)

    timer = threading.Timer(0.5, end)
    timer.start()
    text = ask("logs", trial, "--follow").stdout
    timer.join()
    assert text == "one\ntwo\n"


def test_the_store_is_found_from_a_folder_below(ask, study, project, monkeypatch):
    (project / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(project / "deep" / "er")
    assert "spirals" in ask("status").stdout


def test_another_store_is_named_in_what_to_type_next(ask, study, project, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    folder = project / ".headway"
    assert f"--store {folder}" in ask("status", "--store", folder).stdout
    monkeypatch.setenv("HEADWAY_STORE", str(folder))
    assert "spirals" in ask("status").stdout


def test_asking_never_makes_a_store(ask, project):
    for words in (["status"], ["trials"], ["gc"], ["doctor"], ["show", "1"]):
        ask(*words)
    assert list(project.iterdir()) == []


def test_studies_are_listed_the_newest_change_first(ask_json, store, study):
    make_study(store, "other", state="paused")
    assert [row["study"] for row in ask_json("status")["studies"]] == ["other", "spirals"]


def test_status_stays_quick_with_thousands_of_trials(ask, store: Store, study: StudyRecord):
    with store.database.write():
        for number in range(2000):
            candidate = store.studies.add_candidate(study.experiment, {**BASELINE, "lr": 0.001 + number / 1e5})
            store.studies.propose(study.id, number + 10, candidate, "sobol")
            trial = store.trials.create(candidate, 0)
            store.places.add(study.id, trial, Role.SEARCH, number + 10, reused=False)
            store.trials.end(trial, TrialState.COMPLETE, value=1.0 + number)
    began = os.times()
    assert json.loads(ask("status", "--json").stdout)["studies"][0]["trials"]["done"] == 2007
    ended = os.times()
    assert ended.user + ended.system - began.user - began.system < 2.0
