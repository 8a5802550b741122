"""A scorer that shows what it reads, and reports its score through a pipe: nothing that it is made to show counts."""

from collections.abc import Generator

import pytest

from tests.attacks.arena import Arena, Told
from tests.attacks.attacks import Attacks
from tests.attacks.guarded import came_to_nothing
from tests.attacks.playing import chosen, play
from tests.attacks.tiny import GUARDED, error_of

ATTACKS = Attacks(path="train.py", source=GUARDED["train.py"])
SCORE = (
    "from headway_result import report\n"
    + GUARDED["score.py"].partition("print(")[0]
    + 'report({"val_error": error})\nprint("scored", model.get("name", "nobody"))\n'
)


@pytest.fixture(scope="module")
def reporting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, protected: None
) -> Generator[Arena]:
    arena = Arena.lay_out(tmp_path_factory.mktemp("reporting"), {**GUARDED, "score.py": SCORE})
    good = {"good": ({"train.py": GUARDED["train.py"].replace("STEPS = 10", "STEPS = 40")}, "good")}
    play(arena, {**chosen(request, ATTACKS), **good})
    yield arena


@pytest.fixture
def told(request: pytest.FixtureRequest, reporting: Arena) -> Told:
    return reporting.told(request.function.__name__)


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
    assert (told.decision, told.values) == ("failed", {}), told.sentence


def test_an_honest_improvement_is_accepted(reporting: Arena):
    good = reporting.told("good")
    assert good.decision == "accepted (guarded)"
    assert min(good.values.values()) > error_of({"weight": 3, "bias": -1})
