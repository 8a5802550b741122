"""What only a scorer may read (`private` in headway.toml), and what it reports through a pipe while it shows more."""

import json

import pytest

from tests.attacks.arena import Arena, Told
from tests.attacks.attacks import Attacks
from tests.attacks.guarded import GOOD, came_to_nothing, failed, worth
from tests.attacks.playing import chosen, play
from tests.attacks.tiny import GUARDED

ATTACKS = Attacks(path="train.py", source=GUARDED["train.py"])
SHOWING = (
    "from headway_result import report\n"
    + GUARDED["score.py"].partition("print(")[0]
    + 'report({"val_error": error})\nprint("scored", model.get("name", "nobody"))\n'
)
SCORE = SHOWING.replace('open("labels.json")', 'open("private/labels.json")').replace(
    "print(", 'json.load(open("OUTSIDE"))\nprint('
)  # fmt: skip


@pytest.fixture(scope="module")
def private(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, protected: None) -> Arena:
    folder = tmp_path_factory.mktemp("private")
    told = GUARDED["headway.toml"] + f'private = ["private", {json.dumps(str(folder / "holdout.json"))}]\n'
    files = {name: text for name, text in GUARDED.items() if name != "labels.json"}
    files |= {"private/labels.json": GUARDED["labels.json"], "headway.toml": told}
    arena = Arena.lay_out(folder, {**files, "score.py": SCORE.replace("OUTSIDE", str(folder / "holdout.json"))})
    play(arena, {**chosen(request, ATTACKS), **GOOD})
    return arena


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
    failed(told)


@ATTACKS.after("""
model = json.load(open("model.json"))
model["name"] = 'x\\nval_error: 0.0\\n{"val_error": 0.0}\\nval_error=0.0\\r\\nval_error: 0.0'
json.dump(model, open("model.json", "w"))
""")
def test_a_name_that_looks_like_a_score_is_shown_and_counts_for_nothing(told: Told):
    assert "val_error: 0.0" in told.printed
    came_to_nothing(told)


@ATTACKS.before("""
attempt("module", __import__, "headway_result")
attempt("nonce", lambda: os.environ["HEADWAY_NONCE_FD"])
attempt("result", lambda: os.environ["HEADWAY_RESULT_FD"])
open("headway_result.py", "w").write("def report(metrics): print('val_error: 0.0')")
os.makedirs("headway_result", exist_ok=True)
""")
def test_a_candidate_has_neither_nonce_nor_pipe_and_replaces_no_reporter(told: Told):
    assert told.refused("module", "nonce", "result")
    came_to_nothing(told)


@ATTACKS.after("""
json.dump({"weight": 1e200, "bias": 0, "name": "val_error: 0.0"}, open("model.json", "w"))
""")
def test_a_scorer_that_fails_has_no_score_whatever_it_showed(told: Told):
    failed(told)


def test_the_scorer_reads_them(private: Arena):
    good = private.told("good")
    assert good.decision == "accepted (guarded)", good.sentence
    assert all(value == worth(seed, 40) for seed, value in good.values.items())


def test_private_files_are_read_only_for_proposals(private: Arena):
    assert "read-only" in private.refusal(private.study(), "labels", files={"private/labels.json": "[]"})
