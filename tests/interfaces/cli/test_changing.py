import os
import threading
import time

import pytest

from headway.core import TrialState
from headway.sandbox import processes
from headway.store import Store, StudyRecord
from tests.interfaces.cli.conftest import BASELINE, add_trial, make_study
from tests.interfaces.folders import until


def test_propose_fills_in_the_baseline(ask_json, store: Store, study: StudyRecord):
    data = ask_json("propose", "spirals", "lr=0.05", "--priority", 3, "--note", "why not")
    assert data["config"] == {**BASELINE, "lr": 0.05}
    taken = store.studies.dequeue(study.id, 9, study.experiment)
    assert taken is not None
    assert (taken[0].priority, taken[0].note, taken[0].proposer) == (3, "why not", "person")


def test_propose_leaves_out_what_does_not_exist_under_the_conditions(ask_json, study):
    config = ask_json("propose", "spirals", "optimizer=adam")["config"]
    assert "momentum" not in config
    assert config["optimizer"] == "adam"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lr=7"], "'lr' is 7.0: expected a number in [0.0001, 1.0]"),
        (["lr=fast"], "'lr' is 'fast'"),
        (["width=16.5"], "'width' is '16.5': expected a whole number"),
        (["optimiser=adam"], "did you mean 'optimizer'?"),
        (["optimizer=adam", "momentum=0.5"], "exists only when optimizer is 'sgd'"),
        (["batch=64"], "constant 32"),
        (["lr"], "no assignment"),
        (["lr=0.1", "lr=0.2"], "given twice"),
    ],
)
def test_propose_says_what_is_wrong(ask, store, study, words, message):
    result = ask("propose", "spirals", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert store.studies.waiting(study.id) == 0


def test_propose_of_a_known_candidate_says_so(ask, ask_json, study):
    words = ("lr=0.1", "width=32", "optimizer=adam")
    assert "candidate #1 already" in ask("propose", "spirals", *words).stdout
    assert ask_json("propose", "spirals", *words)["proposed_before"] == 1


def test_propose_to_a_study_that_spent_its_budget_names_a_larger_one(ask, store, study):
    store.studies.set_settings(study.id, {"budget": {"trials": 7, "seconds": None}}, "study.py")
    assert "--budget '10 trials'" in ask("propose", "spirals", "lr=0.02").stdout


def test_stop_says_when_nothing_runs(ask, study):
    assert ask("stop").exit_code == 7
    result = ask("stop", "spirals")
    assert result.exit_code == 7
    assert "does not run" in result.stderr


def test_stop_asks_and_waits_until_the_engine_lets_go(ask, store: Store, own_lease: StudyRecord):
    def engine() -> None:
        until(lambda: (store.studies.get("spirals").request or "") == "pause")
        store.studies.release_lease(own_lease.id, os.getpid(), "paused")

    thread = threading.Thread(target=engine)
    thread.start()
    result = ask("stop")
    thread.join()
    assert result.exit_code == 0
    assert "spirals is paused. Go on with: headway resume spirals" in result.stdout


def test_stop_now_is_another_request(ask_json, store: Store, own_lease: StudyRecord):
    assert ask_json("stop", "spirals", "--now", "--no-wait")["request"] == "now"
    assert store.studies.asked(own_lease.id) == "now"


def test_stop_of_one_trial(ask, ask_json, store: Store, own_lease: StudyRecord):
    trial = add_trial(store, own_lease, {**BASELINE, "lr": 0.5}, number=3, state=TrialState.RUNNING)
    assert ask_json("stop", "--trial", trial, "--no-wait")["request"] == f"stop {trial}"
    assert store.studies.asked(own_lease.id) == f"stop {trial}"
    result = ask("stop", "--trial", 1)
    assert result.exit_code == 7
    assert f"(running: {trial})" in result.stderr
    assert ask("stop", "--trial", trial, "--now").exit_code == 2


def test_resume_without_anything_to_resume(ask, study):
    result = ask("resume")
    assert result.exit_code == 7
    assert "every study is finished" in result.stderr
    assert ask("resume", "spirals").exit_code == 7


def test_resume_of_a_study_that_runs_is_refused(ask, own_lease):
    assert ask("resume", "spirals").exit_code == 4


def test_resume_says_where_the_study_file_was(ask, store, project):
    make_study(store, "gone", state="paused", source="sub/gone.py")
    result = ask("resume")
    assert result.exit_code == 2
    assert str(project / "sub" / "gone.py") in result.stderr
    make_study(store, "notebook", state="paused", source="")
    assert "notebook or a shell" in ask("resume", "notebook").stderr


def _old(store: Store, trial: int) -> None:
    store.database.run("UPDATE trials SET ended = ended - 20 * 86400 WHERE id = ?", (trial,))


@pytest.fixture
def rubbish(store: Store, study: StudyRecord) -> dict[str, str]:
    """Leave one thing of each kind that can go, and one of each that must stay."""
    for trial in (1, 2):
        store.checkpoint_folder(trial).mkdir(parents=True)
        (store.checkpoint_folder(trial) / "1.ckpt").write_bytes(b"x" * 1000)
    paused = add_trial(store, study, {**BASELINE, "lr": 0.7}, number=5, state=TrialState.PAUSED)
    store.checkpoint_folder(paused).mkdir(parents=True)
    (store.checkpoint_folder(paused) / "1.ckpt").write_bytes(b"x")
    _old(store, 1)
    loose, kept = store.artifacts.put_bytes(b"nobody wants me"), store.artifacts.put_bytes(b"trial 1 wants me")
    store.trials.add_artifact(1, "model.bin", kept, 16)
    young = store.artifacts.put_bytes(b"just written")
    for digest in (loose, kept):
        hours_ago = time.time() - 2 * 3600
        os.utime(store.artifacts.path(digest), (hours_ago, hours_ago))
    for pid in (os.getpid(), 2**22 + 1):
        (store.folder / "templates" / str(pid)).mkdir(parents=True)
    return {"loose": loose, "kept": kept, "young": young, "paused": str(paused)}


def test_gc_previews_and_deletes_nothing(ask, ask_json, store: Store, rubbish):
    before = sorted(store.folder.rglob("*"))
    data = ask_json("gc")
    assert data["deleted"] is False
    counts = {item["kind"]: item["count"] for item in data["items"]}
    assert counts == {"checkpoints": 2, "output": 1, "artifacts": 1, "templates": 1}
    assert "headway gc --yes" in ask("gc").stdout
    assert sorted(store.folder.rglob("*")) == before


def test_gc_deletes_what_it_showed_and_nothing_else(ask, ask_json, store: Store, rubbish):
    assert ask_json("gc", "--yes")["deleted"] is True
    assert not store.checkpoint_folder(1).exists()
    assert store.checkpoint_folder(int(rubbish["paused"])).exists()
    assert not store.run_folder(1).exists()
    assert store.run_folder(2).exists()
    assert not store.artifacts.path(rubbish["loose"]).exists()
    assert store.artifacts.path(rubbish["kept"]).exists()
    assert store.artifacts.path(rubbish["young"]).exists()
    assert [path.name for path in (store.folder / "templates").iterdir()] == [str(os.getpid())]
    assert len(store.curves.read(1)) == 1
    assert "nothing to delete" in ask("gc").stdout


def test_gc_of_one_study_leaves_the_others_alone(ask_json, store: Store, rubbish):
    other = make_study(store, "other")
    trial = add_trial(store, other, {**BASELINE, "width": 9}, value=1.0)
    store.checkpoint_folder(trial).mkdir(parents=True)
    data = ask_json("gc", "other")
    assert [(item["kind"], item["count"]) for item in data["items"]] == [("checkpoints", 1), ("output", 0)]


def test_doctor_finds_this_machine_fit(ask, ask_json, study):
    data = ask_json("doctor")
    assert data["ok"] is True
    names = {check["name"]: check for check in data["checks"]}
    assert {"python", "store", "disk", "fork", "cores", "gpu", "optuna", "pyarrow", "torch", "bubblewrap"} <= set(names)
    assert "1 study" in names["store"]["found"]
    assert "Headway can run here." in ask("doctor").stdout


def test_doctor_names_what_to_type(ask, monkeypatch, project):
    from importlib import metadata

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    text = ask("doctor").stdout
    assert "pip install 'headway[optuna]'" in text
    assert "pip install 'headway[parquet]'" in text


def test_doctor_fails_where_no_store_can_be(ask, project):
    (project / "file").write_text("")
    result = ask("doctor", "--store", project / "file" / "store")
    assert result.exit_code == 9
    assert "✕ missing  store" in result.stdout


def test_report_writes_and_prints_its_path(ask, ask_json, store, study):
    path = store.folder / "reports" / "spirals.html"
    assert ask("report").stdout == f"{path}\n"
    assert path.stat().st_size > 0
    assert ask_json("report", "spirals") == {"study": "spirals", "path": str(path)}


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ([], "spirals.csv"),
        (["--to", "x.parquet"], "x.parquet"),
        (["--curves"], "spirals-curves.csv"),
        (["--format", "json"], "spirals.json"),
    ],
)
def test_export_chooses_format_and_file(ask_json, project, study, words, file):
    data = ask_json("export", "spirals", *words)
    assert data["path"] == file
    assert (project / file).stat().st_size == data["size_bytes"] > 0


def test_export_of_an_unknown_ending_says_which_there_are(ask, study):
    result = ask("export", "--to", "x.xls")
    assert result.exit_code == 2
    assert ".csv, .parquet or .json" in result.stderr


def test_a_recycled_pid_is_no_engine(ask_json, store: Store, study: StudyRecord):
    started = processes.start_time(os.getpid())
    assert started is not None
    assert store.studies.take_lease(study.id, os.getpid(), started + 1, None)
    assert ask_json("status")["studies"][0]["state"] == "interrupted"
