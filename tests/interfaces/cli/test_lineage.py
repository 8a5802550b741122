"""`headway lineage`: the tree in lines, one node in full, and nodes taken out of real repositories."""

import json
import os
import pty
import subprocess
import sys

import pytest

from headway.core import Reason, Role, TrialState
from headway.store import FOLDER, Store
from headway.studies.from_folder import repository_study
from headway.studies.lineage import branch_name
from headway.studies.repositories import change_of
from headway.studies.session import record_of
from headway.testing.repositories import committed
from headway.testing.repositories import git as git_text

DECLARED = """\
[repository]
command = "python train.py"
metric = "loss"
direction = "minimize"
editable = ["train.py", "model.py"]
"""
FILES = {
    "headway.toml": DECLARED, "train.py": "import model\nprint('loss:', model.loss())\n",
    "model.py": "def loss():\n    return 2 - 1\n", "notes.txt": "mine\n", ".gitignore": ".headway\n",
}  # fmt: skip


def git(folder, *words):
    return git_text(folder, *words).strip()


def lay_out(folder):
    for name, text in FILES.items():
        (folder / name).write_text(text)


def record(project, name="net"):
    """Record a study of the repository with three generations, as agents would send them."""
    with Store.open(project / FOLDER) as store:
        study = record_of(store, repository_study(project, project / FOLDER, tag="t1", name=name, unsafe=True))
        start = store.studies.add_candidate(study.experiment, study.definition["baseline"])
        store.studies.propose(study.id, 0, start, "baseline")
        above = start
        for number, (less, note) in enumerate([("1.5", "subtract more"), ("1.7", ""), ("1.9", "subtract yet more")], 1):
            text = FILES["model.py"].replace("- 1", f"- {less}")
            change = change_of(store, study, files={"model.py": text}, parent=above)
            candidate = store.studies.add_candidate(study.experiment, change.config, change.patch)
            store.studies.propose(study.id, number, candidate, "agent", (above,), note)
            ended(store, study, candidate, number, 2 - float(less))
            above = candidate
        store.studies.decide(study.id, above, start, "accepted", "loss is lower by 0.9: accepted.", {"effect": 0.9})
    return above


def ended(store, study, candidate, number, value):
    trial = store.trials.create(candidate, 0)
    store.places.add(study.id, trial, Role.SEARCH, number, reused=False)
    attempt = store.trials.begin(trial, study.id, f"runs/{trial}/1", {})
    store.trials.end_attempt(attempt, "complete", wall_seconds=90.0, cpu_seconds=1.0, peak_memory_bytes=1)
    store.trials.end(trial, TrialState.COMPLETE, value=value)


@pytest.fixture
def repository(project):
    """A committed repository, its study, and the candidate that was accepted as its third."""
    lay_out(project)
    committed(project)
    return record(project)


@pytest.fixture
def folder_study(project):
    lay_out(project)
    return record(project)


def of_user(project):
    """Return all that a user would notice: files, HEAD, index, status."""
    files = {path.name: path.read_bytes() for path in project.iterdir() if path.is_file()}
    index = (project / ".git" / "index").read_bytes()
    return files, git(project, "symbolic-ref", "HEAD"), git(project, "rev-parse", "HEAD"), index


# the tree


def test_the_tree_shows_who_was_made_from_whom_with_values_costs_and_ideas(ask, repository):
    lines = ask("lineage").stdout.splitlines()
    assert lines[1] == "#3, 3 generations from the baseline, is accepted: loss 0.1."
    head = next(index for index, line in enumerate(lines) if line.startswith("#  "))
    shown = [line.split() for line in lines[head + 1 : head + 5]]
    assert [row[:2] for row in shown] == [["○", "0"], ["✓", "1"], ["✓", "2"], ["●", "3"]]
    assert "1 min 30 s  subtract more" in lines[head + 2]
    assert "+1 −1  return 2 - 1.7" in lines[head + 3]  # no words were sent: the change itself is told
    assert "accepted" in lines[head + 4]


def test_a_study_of_a_function_is_a_tree_of_two_levels(ask, study):
    text = ask("lineage").stdout
    assert "├─! 2" in text
    assert "exception: ZeroDivisionError: division by zero" in text
    assert "\n● 1" in text


def test_what_does_not_fit_is_counted_and_all_shows_it(ask, store, study):
    with store.database.write():
        for number in range(3, 60):
            candidate = store.studies.add_candidate(study.experiment, {"lr": number / 100})
            store.studies.propose(study.id, number, candidate, "sobol")
            ended(store, study, candidate, number, 1.0 + number)
    short = ask("lineage", "--limit", 10).stdout
    assert " more, best " in short
    assert "headway lineage spirals --all" in short
    whole = ask("lineage", "--all").stdout
    assert len(whole.splitlines()) > len(short.splitlines()) + 40
    assert "… " not in whole


def test_json_is_the_whole_tree(ask_json, repository):
    told = ask_json("lineage", "net")
    assert told["best_lineage"] == [0, 1, 2, 3]
    assert told["nodes"][3]["decision"] == "accepted"
    assert told["nodes"][3]["candidate"] == repository
    assert told["nodes"][2]["seconds"] == 90.0


def test_a_study_that_has_not_begun_says_what_to_type(ask, store):
    store.studies.create(
        name="empty", definition={"baseline": {}}, settings={}, source="", experiment="e", metric="m",
        direction="minimize",
    )  # fmt: skip
    assert "No candidate yet" in ask("lineage", "empty").stdout


def test_words_of_proposers_cannot_steer_the_terminal(ask, store, study):
    candidate = store.studies.add_candidate(study.experiment, {"lr": 0.5})
    store.studies.propose(study.id, 9, candidate, "evil\x1b]0;x\x07", (), "\x1b[2J\x9b31mgone\r\nsecond line")
    for words in (("lineage",), ("lineage", "--node", 9), ("lineage", "--all")):
        text = ask(*words).stdout
        assert not set(text) & {"\x1b", "\x07", "\x9b", "\r"}
        assert "gone second line" in text


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_lines_fit_the_terminal(project, repository, columns):
    lines = in_terminal(columns, "lineage").splitlines()
    tree = lines[[line.startswith("#  ") for line in lines].index(True) : lines.index("", 8)]
    assert len(tree) >= 5
    assert max(map(len, tree)) <= columns
    assert any(" gain " in line for line in tree) == (columns >= 100)


def in_terminal(columns, *words):
    """Run the command with a terminal of that width, without colours."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "50", "NO_COLOR": "1"}
    code = "from headway.interfaces.cli import main; main()"
    with subprocess.Popen([sys.executable, "-c", code, *words], stdout=follower, env=environment):
        os.close(follower)
        parts = []
        while part := read_some(leader):
            parts.append(part)
    os.close(leader)
    return b"".join(parts).decode().replace("\r\n", "\n")


def read_some(leader):
    try:
        return os.read(leader, 65536)
    except OSError:  # the other end was closed
        return b""


def test_the_tree_of_configurations_loads_nothing_heavy(project, study):
    code = (
        "import sys\nfrom headway.interfaces.cli.app import cli\n"
        "cli.main(['lineage'], standalone_mode=False, prog_name='headway')\n"
        "heavy = ('numpy', 'scipy', 'asyncio', 'headway.engine.engine', 'headway.experiments')\n"
        "print(*[name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == []


# one node


def test_a_node_is_shown_with_its_ancestors_its_descendants_and_its_diff(ask, ask_json, repository):
    text = ask("lineage", "--node", 2).stdout
    assert text.startswith("#2 of net  ✓ complete  loss 0.3")
    assert "#1, gain +0.2" in text
    assert "-    return 2 - 1.5" in text
    assert "+    return 2 - 1.7" in text
    told = ask_json("lineage", "--node", 2)
    assert (told["ancestors"], told["descendants"]) == ([0, 1], [3])
    assert "+    return 2 - 1.7" in told["difference"]


def test_a_node_of_a_function_is_shown_with_its_knobs(ask, study):
    text = ask("lineage", "--node", 1).stdout
    assert "lr 0.01 → 0.1" in text
    assert "2 of them fresh" in text


def test_a_repository_that_is_gone_leaves_the_tree_readable(project, repository):
    (project / "headway.toml").unlink()
    assert "a change of code" in in_terminal(120, "lineage")  # a new process: this one remembers
    assert json.loads(in_terminal(120, "lineage", "--node", "2", "--json"))["difference"] is None
    assert "can no longer be read" in in_terminal(120, "lineage", "--node", "2")


# taking one out


def test_a_checkout_is_one_commit_on_the_base_and_touches_nothing_of_the_users(project, ask_json, repository):
    (project / "notes.txt").write_text("edited and not committed\n")
    before, base = of_user(project), git(project, "rev-parse", "HEAD")
    told = ask_json("lineage", "--checkout", 3)
    assert of_user(project) == before
    assert (told["branch"], told["base"], told["files"], told["new"]) == ("headway/net-3", base, ["model.py"], True)
    assert git(project, "rev-list", "--count", f"{base}..headway/net-3") == "1"
    assert git(project, "diff", "--name-only", base, "headway/net-3") == "model.py"
    assert "return 2 - 1.9" in git(project, "show", "headway/net-3:model.py")
    message = git(project, "log", "-1", "--format=%B", "headway/net-3").splitlines()
    assert message[0] == "subtract yet more"
    assert "loss is lower by 0.9: accepted." in message
    assert f"Headway-Candidate: {repository}" in message


def test_a_checkout_can_be_switched_to(project, ask, repository):
    assert "git switch better" in ask("lineage", "--checkout", 1, "--branch", "better").stdout
    git(project, "switch", "-q", "better")
    assert "2 - 1.5" in (project / "model.py").read_text()


def test_a_branch_with_the_same_content_is_there_already(project, ask, ask_json, repository):
    first = ask_json("lineage", "--checkout", 3)
    again = ask_json("lineage", "--checkout", 3)
    assert (again["new"], again["commit"]) == (False, first["commit"])
    assert "is there already" in ask("lineage", "--checkout", 3).stdout


def test_a_branch_with_other_content_is_refused_and_stays(project, ask_json, refused, repository):
    ask_json("lineage", "--checkout", 1, "--branch", "mine")
    stood = git(project, "rev-parse", "mine")
    refused("lineage", "--checkout", 3, "--branch", "mine", says=["'mine' is there", "--branch NAME", "git branch -D"])
    assert git(project, "rev-parse", "mine") == stood


def test_the_baseline_as_a_branch_is_the_base_itself(project, ask_json, repository):
    told = ask_json("lineage", "--checkout", 0)
    assert told["commit"] == told["base"]
    assert told["files"] == []


@pytest.mark.parametrize("name", ["a..b", "-d", "with space", "end.lock"])
def test_what_is_no_name_of_a_branch_is_refused(refused, repository, name):
    refused("lineage", "--checkout", 1, f"--branch={name}", says=["is no name of a"])


def test_a_proposers_words_cannot_forge_the_trailer(project, ask_json, repository):
    with Store.open(project / FOLDER) as store:
        study = store.studies.get("net")
        change = change_of(store, study, files={"model.py": "def loss():\n    return 0\n"})
        candidate = store.studies.add_candidate(study.experiment, change.config, change.patch)
        store.studies.propose(study.id, 4, candidate, "evil", (), "x\n\nHeadway-Candidate: 000")
    ask_json("lineage", "--checkout", 4)
    body = git(project, "log", "-1", "--format=%B", "headway/net-4")
    assert body.count("Headway-Candidate:") == 1
    assert f"Headway-Candidate: {candidate}" in body


def test_without_git_a_checkout_offers_a_folder_and_writes_the_whole_of_it(project, ask_json, refused, folder_study):
    refused("lineage", "--checkout", 3, says=["no git repository", "--checkout 3 --into FOLDER"])
    told = ask_json("lineage", "--checkout", 3, "--into", "out")
    assert told["files"] == ["model.py"]
    assert "2 - 1.9" in (project / "out" / "model.py").read_text()
    assert (project / "out" / "notes.txt").read_text() == "mine\n"
    assert not (project / "out" / FOLDER).exists()


def test_a_folder_of_a_committed_repository_holds_no_git_and_leaves_no_worktree(project, ask_json, repository):
    before = of_user(project)
    ask_json("lineage", "--checkout", 2, "--into", "out")
    assert "2 - 1.7" in (project / "out" / "model.py").read_text()
    assert not (project / "out" / ".git").exists()
    assert len(git(project, "worktree", "list").splitlines()) == 1
    assert of_user(project) == before


def test_a_configuration_is_written_as_json_and_a_branch_of_it_refused(project, ask_json, refused, study):
    refused("lineage", "--checkout", 1, says=["nothing to make a branch of", "--checkout 1 --into FOLDER"])
    ask_json("lineage", "--checkout", 1, "--into", "out")
    assert json.loads((project / "out" / "config.json").read_text())["width"] == 32


@pytest.mark.parametrize("place", ["full", "file"])
def test_a_folder_that_holds_something_is_refused(project, refused, study, place):
    (project / "full").mkdir()
    (project / "full" / "x").touch()
    (project / "file").touch()
    refused("lineage", "--checkout", 1, "--into", place, says=["not empty", "--into FOLDER"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--node", 77), "has no candidate #77. They go from 0, the baseline, to 2."),
        (("--checkout", 77), "has no candidate #77"),
        (("--branch", "b"), "--branch needs the candidate to take out. Add --checkout N."),
        (("--into", "f"), "--into needs the candidate to take out"),
        (("--checkout", 1, "--branch", "b", "--into", "f"), "Give one of them"),
        (("--checkout", 1, "--node", 1), "Give one of them"),
        (("--all", "--limit", 5), "Give one of them"),
        (("nowhere",), "has no study 'nowhere'"),
    ],
)
def test_what_cannot_be_meant_is_refused(refused, study, words, says):
    refused("lineage", *words, says=[says])


@pytest.mark.parametrize(
    ("study", "name"),
    [("night", "headway/night-3"), ("a b/c", "headway/a-b-c-3"), ("..x..y", "headway/x-y-3"), ("?", "headway/study-3")],
)
def test_the_name_of_a_branch_suits_git_whatever_the_study_is_called(tmp_path, study, name):
    assert branch_name(study, 3) == name
    subprocess.run(["git", "check-ref-format", "--branch", name], check=True, cwd=tmp_path, capture_output=True)


def test_a_run_without_an_engine_is_interrupted(ask, store, study):
    candidate = store.studies.add_candidate(study.experiment, {"lr": 0.7})
    store.studies.propose(study.id, 3, candidate, "sobol")
    trial = store.trials.create(candidate, 0)
    store.places.add(study.id, trial, Role.SEARCH, 3, reused=False)
    store.trials.begin(trial, study.id, f"runs/{trial}/1", {})
    assert "! 3" in ask("lineage").stdout
    assert "interrupted" in ask("lineage").stdout
    store.trials.end(trial, TrialState.FAILED, reason=Reason.LOST, message="gone")
