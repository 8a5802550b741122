"""What only the scorer may read: `private` in headway.toml names files, in git or outside, that no candidate sees."""

import json
from collections.abc import Generator

import pytest

from tests.attacks.arena import Arena, Told
from tests.attacks.attacks import Attacks
from tests.attacks.guarded import came_to_nothing, worth
from tests.attacks.playing import chosen, play
from tests.attacks.tiny import GUARDED

ATTACKS = Attacks(path="train.py", source=GUARDED["train.py"])
SCORE = GUARDED["score.py"].replace('open("labels.json")', 'open("private/labels.json")').replace(
    "print(", 'json.load(open("OUTSIDE"))\nprint('
)  # fmt: skip


@pytest.fixture(scope="module")
def private(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, protected: None
) -> Generator[Arena]:
    folder = tmp_path_factory.mktemp("private")
    told = GUARDED["headway.toml"] + f'private = ["private", {json.dumps(str(folder / "holdout.json"))}]\n'
    files = {name: text for name, text in GUARDED.items() if name != "labels.json"}
    files |= {"private/labels.json": GUARDED["labels.json"], "headway.toml": told}
    arena = Arena.lay_out(folder, {**files, "score.py": SCORE.replace("OUTSIDE", str(folder / "holdout.json"))})
    good = {"good": ({"train.py": GUARDED["train.py"].replace("STEPS = 10", "STEPS = 40")}, "good")}
    play(arena, {**chosen(request, ATTACKS), **good})
    yield arena


@pytest.fixture
def told(request: pytest.FixtureRequest, private: Arena) -> Told:
    return private.told(request.function.__name__)


@ATTACKS.before("""
attempt("labels", lambda: open("private/labels.json").read())
attempt("listed", lambda: os.listdir("private")[0])
attempt("outside", lambda: open(holdout).read())
attempt("by root", lambda: open("/proc/1/root" + os.path.abspath("private/labels.json")).read())
attempt("beside", lambda: open("../score/tree/private/labels.json").read())
os.symlink("private/labels.json", "seen")
attempt("linked", lambda: open("seen").read())
""")
def test_private_labels_and_a_private_holdout_are_not_there_for_the_candidate(told: Told):
    assert told.refused("labels", "listed", "outside", "by root", "beside", "linked")
    came_to_nothing(told)


@ATTACKS.after("""
os.remove("model.json")
os.symlink("private/labels.json", "model.json")
""")
def test_a_link_to_private_labels_is_no_model(told: Told):
    assert told.decision == "failed"
    assert told.values == {}


def test_the_scorer_reads_them(private: Arena):
    good = private.told("good")
    assert good.decision == "accepted (guarded)", good.sentence
    assert all(value == worth(seed, 40) for seed, value in good.values.items())


def test_private_files_are_read_only_for_proposals(private: Arena):
    assert "read-only" in private.refusal(private.study(), "labels", files={"private/labels.json": "[]"})
