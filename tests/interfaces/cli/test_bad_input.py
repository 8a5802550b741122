"""What people get wrong around a study: its file, the command line, a candidate, a name, the store, a second engine.

`refused` (conftest) checks the exit code, the message, its JSON form, and that nothing was written.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest

from headway.sandbox import processes
from headway.store import FOLDER, Store
from tests.interfaces.cli.conftest import FIRST
from tests.interfaces.folders import until


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import no_such_package", ["line 1", "ModuleNotFoundError", "pip install no_such_package"]),
        ("import neighbor", ["line 1", "No module named 'neighbor'", "Did you mean 'neighbour'?"]),
        ("x = = 1", ["line 1", "SyntaxError", "Mend that line"]),
        ("value = 1\nprint(vallue)", ["line 2", "NameError", "Did you mean 'value'?"]),
        ("\nraise ValueError('no data')", ["line 2", "ValueError: no data", "--debug shows the whole traceback"]),
        ("import sys; sys.exit(3)", ["line 1", "SystemExit: 3"]),
        ("value = 1", ["declares no study", "headway.Study(train"]),
        ("\0", ["SyntaxError", "null bytes"]),
    ],
)
def test_a_file_that_does_not_import_says_where_and_what_to_do(refused, write, text, says):
    write("", "neighbour.py")
    write(text)
    refused("run", "study.py", says=["study.py", *says])
    assert "Traceback" not in refused("run", "study.py", "--dry-run", says=says)


@pytest.mark.parametrize("backend", ["local", "inline"])
@pytest.mark.parametrize(
    ("failing", "says"),
    [
        (
            "raise FileNotFoundError('no data here.')",
            "study.py, line 5: FileNotFoundError: no data here. Mend it there; ",
        ),
        ("headway.Float(1, 0)", "Float(1, 0) has low above high. Swap them: Float(0, 1)."),
    ],
)
def test_a_setup_that_fails_says_where_and_keeps_its_traceback_for_debug(ask, write, backend, failing, says):
    load = f"def load():\n    {failing}\n\n@headway.experiment(setup=load, "
    write(FIRST.replace("@headway.experiment(", load))
    words = ["run", "study.py", "--backend", backend]
    plain, debug = ask(*words), ask(*words, "--debug")
    assert plain.exit_code == debug.exit_code == 2
    assert f"Error: The experiment cannot be loaded: {says}" in plain.stderr
    assert "Traceback" not in plain.output
    assert plain.output.count("--debug shows the whole traceback.") == ("Mend it" in says)
    assert ", line 5, in load" in debug.stderr
    assert "Traceback (most recent call last):" in debug.stderr


def test_a_file_that_is_none_is_answered_with_those_that_are(refused, write, project):
    write(FIRST)
    refused("run", "studdy.py", says=["studdy.py does not exist", "There are: study.py"])
    refused(
        "run",
        project,
        says=["no layout that Headway knows", "program.md, train.py and prepare.py", "headway run study.py"],
    )
    write("", "notes.txt")
    refused("run", "notes.txt", says=["notes.txt is no Python file", "ends in .py"])
    refused("run", "study.py", "--study", "frist", says=["no study 'frist'", "Did you mean 'first'?"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "study.py", "--bugdet", "8 trials"], ["No such option '--bugdet'", "'--budget'"]),
        (["run", "study.py", "--budget", "0 trials"], ["'0 trials' runs nothing"]),
        (["run", "study.py", "--budget", "2 trials"], ["A budget of 2 trials cannot reach a verdict", "'6 trials'"]),
        (["run", "study.py", "--workers", "two"], ["--workers", "'two'", "integer"]),
        (["run", "study.py", "--workers", "0"], ["--workers", "0", "x>=1"]),
        (["run", "study.py", "--backend", "lokal"], ["'lokal'", "Did you mean 'local'?", "'spawn', 'inline'"]),
        (["run"], ["Missing argument 'FILE|FOLDER'"]),
        (["trials", "--state", "complet"], ["'complet'", "Did you mean 'complete'?"]),
        (["export", "--format", "cvs"], ["'cvs'", "Did you mean 'csv'?", "'parquet'"]),
    ],
)
def test_a_command_line_that_cannot_be_meant_is_refused_in_json_too(refused, write, words, says):
    write(FIRST)
    refused(*words, says=says)


def test_an_unknown_command_is_refused_in_json_too(ask):
    for words in (["runn"], ["runn", "--json"]):
        result = ask(*words)
        assert result.exit_code == 2
        assert "There is no command 'runn'. Did you mean 'run'?" in result.stderr
        assert ('"kind": "UsageError"' in result.stdout) == ("--json" in words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["lrr=0.3"], ["'lrr' is unknown (did you mean 'lr'?)"]),
        (["epochs=3"], ["'epochs' is unknown (known: "]),
        (["lr=3"], ["'lr' is 3.0: expected a number in [0.0001, 1.0]"]),
        (["lr=fast"], ["'lr' is 'fast': expected a finite number"]),
        (["lr=nan"], ["'lr' is nan: expected a finite number"]),
        (["lr=inf"], ["'lr' is inf: expected a number in [0.0001, 1.0]"]),
        (["lr="], ["'lr' is '': expected a finite number"]),
        (["width=true"], ["'width' is 'true': expected a whole number in [8, 64]"]),
        (["optimizer=adamw"], ["'optimizer' is 'adamw': expected one of ['sgd', 'adam']"]),
        (["lr=0.3", "--proposer", "sobol"], ["The proposer 'sobol' is the study's own", "--proposer WHO"]),
        (["lr=0.3", "--priority", "high"], ["--priority", "'high'", "integer"]),
    ],
)
def test_a_candidate_outside_of_the_space_never_reaches_the_queue(refused, store: Store, study, words, says):
    refused("propose", "spirals", *words, says=says)
    assert store.studies.waiting(study.id) == 0


@pytest.mark.parametrize("command", ["propose", "status", "trials", "report", "export", "gc", "stop", "resume", "show"])
def test_an_unknown_study_is_answered_with_the_nearest(refused, study, command):
    refused(command, "spiral", says=["no study 'spiral'", "Did you mean 'spirals'?"])


def test_a_name_in_use_by_another_definition_shows_the_difference(refused, ask, write, project):
    write(FIRST)
    assert ask("run", "study.py", "--backend", "inline").exit_code == 0
    write(FIRST.replace("seeds=2", "seeds=3").replace('{"lr": 0.5}', '{"lr": 0.25}'))
    says = ["'first' is in the record with another definition", "baseline.lr: 0.5 -> 0.25", "seeds: 2 -> 3"]
    refused("run", "study.py", code=3, says=[*says, 'name="first-2"'])
    refused("run", "study.py", "--dry-run", code=3, says=says)
    assert (project / FOLDER / "reports" / "first.html").exists()


def test_a_second_engine_is_refused_and_changes_nothing(refused, ask, write, project):
    write(FIRST)
    assert ask("run", "study.py", "--backend", "inline").exit_code == 0
    with Store.open(project / FOLDER) as store:
        study = store.studies.get("first")
        assert store.studies.take_lease(study.id, os.getpid(), processes.start_time(os.getpid()) or 0.0, None)
    says = ["'first' is running already", f"process {os.getpid()}", "headway status first", "headway stop first"]
    refused("run", "study.py", "--budget", "30 trials", code=4, says=says)
    refused("resume", "first", code=4, says=says)


WAITING = FIRST.replace(
    "    run.log(",
    "    import pathlib, time\n    while not pathlib.Path('go').exists(): time.sleep(0.02)\n    run.log(",
)


def test_an_engine_is_not_disturbed_by_a_second_one(project, ask, write):
    write(WAITING)
    words = [sys.executable, "-m", "headway", "run", "study.py", "--workers", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as first:
        until(lambda: '"running": 1' in ask("status", "--json").stdout)
        second = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert second.returncode == 4
        assert f"running already, in process {first.pid}" in second.stderr
        assert json.loads(ask("status", "first", "--json").stdout)["state"] == "running"
        (project / "go").touch()
        output, _ = first.communicate(timeout=60)
    assert first.returncode == 0, output
    (row,) = json.loads(ask("status", "--json").stdout)["studies"]
    assert (row["state"], row["trials"]["done"]) == ("finished", 8)


@pytest.mark.parametrize(
    "words",
    [["run", "study.py"], ["resume"], ["status"], ["trials"], ["show", "1"], ["propose", "spirals", "lr=0.1"], ["gc"],
     ["stop"], ["report"], ["export"], ["compare", "1", "2"], ["logs", "1"], ["reproduce", "1"], ["init", "new.py"]],
)  # fmt: skip
def test_a_newer_schema_is_left_alone_and_says_what_to_install(refused, write, store: Store, study, words):
    write(FIRST)
    store.database.run("UPDATE schema_version SET version = 9999")
    store.close()
    file = store.folder / "store.sqlite"
    before = file.read_bytes()
    says = ["has schema 9999; this Headway knows up to ", "pip install --upgrade headway", "--store"]
    refused(*words, code=5, status=5, says=says)
    assert file.read_bytes() == before
    assert not (store.folder.parent / "new.py").exists()


def test_doctor_names_a_newer_schema(ask, store: Store, study):
    store.database.run("UPDATE schema_version SET version = 9999")
    answer = ask("doctor")
    assert answer.exit_code == 9
    assert "has schema 9999" in answer.stdout


def test_a_damaged_store_is_left_alone(ask, write, project):
    write(FIRST)
    (project / FOLDER).mkdir()
    (project / FOLDER / "store.sqlite").write_bytes(letter := b"this is a letter to a friend " * 200)
    for words in (["run", "study.py"], ["status"]):
        result = ask(*words)
        assert result.exit_code == 5
        assert "is damaged. Restore it from a copy, or start a new one with --store" in result.stderr
    assert (project / FOLDER / "store.sqlite").read_bytes() == letter


def test_a_damaged_store_is_not_taken_for_one_without_the_study(ask, project):
    with Store.open(project / FOLDER) as store:
        for number in range(400):
            store.studies.add_candidate("train", {"lr": number})
    file = project / FOLDER / "store.sqlite"
    bytes_before = file.read_bytes()
    file.write_bytes(bytes_before[: 40 * 4096] + bytes(4096) + bytes_before[41 * 4096 :])
    for words in (["resume", "first"], ["show", "first"], ["status", "first"]):
        result = ask(*words)
        assert result.exit_code == 5, words
        assert "is damaged: SQLite's quick_check finds broken pages" in result.stderr


@pytest.mark.parametrize("words", [["run", "study.py"], ["init", "new.py"]])
def test_a_network_disk_is_refused_with_a_way_out(refused, write, project, monkeypatch, words):
    write(FIRST)
    monkeypatch.setattr("headway.store.database._file_system", lambda path: "nfs4")
    refused(*words, code=5, says=[str(project), "lies on a network disk (nfs4)", "local disk: --store"])
    assert [path.name for path in project.iterdir() if path.name != "__pycache__"] == ["study.py"]


MOUNT = """
mount -t tmpfs server:/export "$1" && cp study.py "$1" &&
sed 's#^server:/export \\([^ ]*\\) tmpfs#server:/export \\1 nfs4#' /proc/self/mounts > mounts &&
mount --bind mounts /proc/$$/mounts && cd "$1" || exit 99
shift
exec "$@"
"""


@pytest.fixture
def namespace() -> list[str]:
    """Return the command that gives a process mounts of its own."""
    for words in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
        ):
            return words
    pytest.skip("this system lets nobody here have mounts of their own")


def test_a_mounted_network_disk_is_seen_as_one(project, write, namespace):
    write(FIRST)
    (project / "far").mkdir()
    headway = [sys.executable, "-m", "headway", "run", "study.py"]
    done = subprocess.run(
        [*namespace, "sh", "-c", MOUNT, "sh", project / "far", *headway], capture_output=True, text=True, check=False
    )
    assert done.returncode == 5, done.stderr
    assert f"{project}/far/{FOLDER}/store.sqlite lies on a network disk (nfs4)" in done.stderr
    assert "Traceback" not in done.stderr
