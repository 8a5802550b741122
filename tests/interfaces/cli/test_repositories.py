"""`headway propose --from FOLDER` and `headway run FOLDER`: what the command line adds for repositories."""

import json
import shutil

import pytest

from headway.store import FOLDER, Store
from headway.studies.from_folder import repository_study
from headway.studies.session import record_of
from headway.testing.repositories import committed

DECLARED = """\
[repository]
command = "python train.py"
metric = "loss"
direction = "minimize"
editable = ["train.py", "model.py"]
"""
FILES = {"headway.toml": DECLARED, "train.py": "import model\nprint('loss:', model.loss())\n"}
MODEL = "def loss():\n    return 2 - 1\n"


@pytest.fixture
def edited(project):
    """A study that is in the record and has not begun, and a copy of its repository to edit."""
    for name, text in {**FILES, "model.py": MODEL, ".gitignore": "copy\n"}.items():
        (project / name).write_text(text)
    committed(project)
    with Store.open(project / FOLDER) as store:
        record_of(store, repository_study(project, project / FOLDER, tag="t1", name="net", unsafe=True))
    copy = project / "copy"
    copy.mkdir()
    for name in ("train.py", "model.py"):
        shutil.copy(project / name, copy / name)
    return copy


def patch_of(project, candidate):
    with Store.open(project / FOLDER, create=False) as store:
        return json.loads(store.studies.candidate(candidate).patch or "null")


def test_an_edited_copy_is_proposed_before_the_study_has_begun(project, edited, ask, ask_json):
    assert "changes nothing" in ask("propose", "net", "--from", edited).output
    (edited / "model.py").write_text(MODEL.replace("2 - 1", "2 - 2"))
    answer = ask_json("propose", "net", "--from", edited)
    assert answer["files"] == ["model.py"]
    assert patch_of(project, answer["candidate"]) == {"model.py": MODEL.replace("2 - 1", "2 - 2")}


def test_a_copy_that_changes_a_parent_is_taken_as_it_is(project, edited, ask, ask_json):
    (edited / "model.py").write_text(MODEL.replace("2 - 1", "2 - 2"))
    parent = ask_json("propose", "net", "--from", edited)["candidate"]
    (edited / "model.py").write_text(MODEL)  # as it is officially, and not as the parent has it
    (edited / "train.py").write_text(FILES["train.py"] + "print('done')\n")
    child = ask_json("propose", "net", "--from", edited, "--parent", parent)["candidate"]
    assert patch_of(project, child) == {"train.py": FILES["train.py"] + "print('done')\n"}
    (edited / "train.py").write_text(FILES["train.py"])
    (edited / "model.py").write_text(MODEL.replace("2 - 1", "2 - 2"))
    assert "Edit one first" in ask("propose", "net", "--from", edited, "--parent", parent).output


def test_a_folder_without_a_layout_names_the_study_file_that_may_be_meant(refused, project):
    (project / "sub").mkdir()
    (project / "sub" / "study.py").write_text("")
    refused("run", "sub", says=["no layout that Headway knows", "headway run sub/study.py"])
