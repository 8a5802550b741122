"""Proposals that are refused at the door, in words, before anything of them is run; the study beside them goes on."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from headway.studies import Study
from tests.attacks.arena import Arena, git
from tests.attacks.guarded import HONEST
from tests.attacks.tiny import GUARDED

GOOD, _ = HONEST["good"]
MOST_MIB = 600
WAITS_SECONDS = 30  # many times what it takes where nothing stalls
_CLAIM = """
import json, resource, sys
from pathlib import Path
from headway.core import HeadwayError
from headway.interfaces.agents.proposing import Sent, claim
from headway.store import Store
resource.setrlimit(resource.RLIMIT_DATA, (2**31, 2**31))
with Store.open(Path(sys.argv[1])) as store:
    try:
        sent = Sent(**json.load(sys.stdin))
        print("claimed", claim(store, store.studies.all()[0], sent, proposer="attacker")[0].candidate)
    except HeadwayError as error:
        print("refused", error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


class Door:
    """A study whose queue is open."""

    def __init__(self, arena: Arena, study: Study) -> None:
        self.arena = arena
        self.study = study

    def refuses(self, files: dict[str, str], *words: str) -> None:
        said = self.arena.refusal(self.study, "refused", files=files)
        assert all(word in said for word in words), said

    def answers(self, **sent: Any) -> str:
        """Propose in a process of its own, which must answer in time, and with little memory."""
        self.arena.propose(self.study, "good", files=GOOD)  # and so the study is in the record
        done = subprocess.run(
            [sys.executable, "-c", _CLAIM, str(self.arena.store)],
            input=json.dumps(sent),
            capture_output=True,
            text=True,
            timeout=WAITS_SECONDS,
        )
        assert done.returncode == 0, done.stderr[-1000:]
        said, _, peak = done.stdout.strip().rpartition("\n")
        assert int(peak) < MOST_MIB, (said, peak)
        return said


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, protected: None) -> Door:
    arena = Arena.lay_out(tmp_path_factory.mktemp("door"), GUARDED)
    os.symlink(arena.folder / "elsewhere", arena.repository / "linked")
    os.symlink("score.py", arena.repository / "alias.py")
    git(arena.repository, "add", "-A")
    git(arena.repository, "commit", "-q", "-m", "Links")
    return Door(arena, arena.study())


@pytest.mark.parametrize(
    "path",
    [
        "../x.py",
        "/etc/x",
        "sub/../../x",
        "sub/../../../elsewhere/x",
        "",
        ".",
        "..",
        "a\0b",
        "sub\\..\\x",
        "~/x/../../y",
    ],
)
def test_a_path_that_leaves_the_repository_is_refused(door: Door, path: str):
    door.refuses({path: "x"}, "The patch")


@pytest.mark.parametrize(
    "path",
    ["score.py", "./score.py", "prepare.py", "labels.json", "model.json", "data/words.txt", "data/new.txt",
     "headway.toml", ".headway/x", ".git/hooks/post-checkout", ".git/config", ".git"],
)  # fmt: skip
def test_a_read_only_file_is_refused(door: Door, path: str):
    door.refuses({path: "[]"}, "read-only")


@pytest.mark.parametrize(
    "path",
    ["sub/.git/config", "sub/.git/hooks/x", ".GIT/config", ".gitattributes", "sub/.gitattributes", ".gitmodules",
     "sub/.lfsconfig"],
)  # fmt: skip
def test_what_git_on_the_host_would_obey_is_refused(door: Door, path: str):
    door.refuses({path: "* filter=evil\n"}, "git")


@pytest.mark.parametrize("path", ["linked/x.py", "alias.py"])
def test_a_path_over_a_link_is_refused(door: Door, path: str):
    door.refuses({path: "x = 1\n"}, "link")
    assert list((door.arena.folder / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("path", ["train.py/x.py", "sub/__init__.py/x", "sub"])
def test_a_file_where_a_folder_is_and_a_folder_where_a_file_is_are_refused(door: Door, path: str):
    door.refuses({path: "x = 1\n"}, path)


def test_a_unified_diff_that_renames_its_way_out_is_refused(door: Door):
    diff = "--- a/train.py\n+++ b/../../elsewhere/x.py\n@@ -1,1 +1,1 @@\n-x\n+y\n"
    assert "The patch" in door.arena.refusal(door.study, "diff", patch=diff)
    diff = "--- /dev/null\n+++ b/.git/hooks/post-checkout\n@@ -0,0 +1,1 @@\n+touch x\n"
    assert "read-only" in door.arena.refusal(door.study, "diff", patch=diff)


def test_a_text_that_is_no_utf8_is_refused(door: Door):
    door.refuses({"train.py": "x = '\udcff'\n"}, "train.py")


def test_a_file_of_five_megabytes_is_refused(door: Door):
    door.refuses({"train.py": GUARDED["train.py"] + "#" + "x" * 5 * 2**20 + "\n"}, "train.py")


@pytest.mark.parametrize(
    "value", ["10; import os", "__import__('os')", float("nan"), float("inf"), 10**400, -1, True, [1], {}]
)
def test_a_knob_takes_no_other_value_than_its_range_has(door: Door, value: object):
    assert "STEPS" in door.arena.refusal(door.study, "knob", config={"STEPS": value})


def test_a_note_without_end_and_a_proposer_with_escapes_are_refused(door: Door):
    assert "shorten" in door.arena.refusal(door.study, "note", files=GOOD, note="x" * 3000)


PATHOLOGICAL = {
    "a power tower": "BIG = ((((2**128)**128)**128)**128)**128\n",
    "a long sum": f"LONG = {'1+' * 3000}1\n",
    "a long tuple": f"MANY = ({'1,' * 60_000})\n",
    "many constants": "".join(f"A{number} = {number}\n" for number in range(2_000)),
    "a dotted import": f"import a{'.a' * 400}\n",
    "deep brackets": f"DEEP = {'(' * 5000}1{')' * 5000}\n",
    "many minus signs": f"MINUS = {'-' * 50_000}1\n",
    "many strings": "S = " + "'a'" * 50_000 + "\n",
    "a nul byte": "x = '\0'\n",
    "another coding": "# -*- coding: utf-7 -*-\nx = 1\n",
}


@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_a_source_made_to_stall_the_host_is_answered_in_time(door: Door, name: str):
    said = door.answers(files={"sub/made.py": PATHOLOGICAL[name]})
    assert said.startswith(("claimed", "refused")), said


def test_a_name_that_would_take_all_memory_to_read_is_refused_before_it_is_read(door: Door):
    """Python's parser keeps each beginning of a dotted name: 24 GB for half a megabyte."""
    endless = {"sub/made.py": f"import a{'.a' * 240_000}\n"}
    assert "parts" in door.answers(files=endless)
    assert "parts" in door.answers(files=endless, config={"STEPS": 12})
    continued = {"sub/made.py": "import a·" + "\\\n.a·" * 80_000}
    assert "parts" in door.answers(files=continued)


def test_the_study_beside_them_runs_and_nothing_was_written_elsewhere(door: Door):
    """Last in this file: the queue holds what was claimed above, and the honest change."""
    door.arena.propose(door.study, "good", files=GOOD)
    words = ["run", str(door.arena.repository), "--study", "arena", "--store", str(door.arena.store), "--plain"]
    done = subprocess.run(  # ends it where it stands still, and leaves no process behind for the tests that come after
        [sys.executable, "-m", "headway", *words, "--workers", "2", "--close-after", "0"],
        env={**os.environ, "TMPDIR": str(door.arena.folder / "tmp"), "HOME": str(door.arena.folder / "home")},
        capture_output=True,
        text=True,
        timeout=WAITS_SECONDS * 3,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    assert door.arena.told("good").decision == "accepted (guarded)"
    assert list((door.arena.folder / "elsewhere").iterdir()) == []
    assert git(door.arena.repository, "status", "--porcelain") == ""
