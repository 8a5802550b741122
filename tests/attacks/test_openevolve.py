"""Attacks where the evaluator imports the candidate (OpenEvolve): what can be seen is flagged, nothing says more."""

import pytest

from tests.attacks.arena import Arena, Told, git
from tests.attacks.attacks import Attacks
from tests.attacks.guarded import failed
from tests.attacks.playing import chosen, mixed, play
from tests.attacks.tiny import OPENEVOLVE

PROGRAM = OPENEVOLVE["initial_program.py"]
ATTACKS = Attacks(path="initial_program.py", source=PROGRAM)
HONEST = ATTACKS.honest({
    "good": ("STEPS = 10", "STEPS = 40"),
    "harmful": ("STEPS = 10", "STEPS = 5"),
    "crash": ("weight, bias = 0.0, 0.0", "weight, bias = 0.0, 1 / 0"),
})  # fmt: skip
RETURN = "    return weight, bias\n"
BEST = 0.9  # no honest program comes to more
# An evaluator that keeps a file open would share it with each of its forks, so it is loaded anew for each trial.
BY_STEPS = {**OPENEVOLVE, "evaluator.py": f"{OPENEVOLVE['evaluator.py']}\nOWN = open(__file__)\n"}


@pytest.fixture(scope="module", params=["warm", pytest.param("by steps", marks=pytest.mark.slow)])
def evolving(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, protected: None) -> Arena:
    files = OPENEVOLVE if request.param == "warm" else BY_STEPS
    arena = Arena.lay_out(tmp_path_factory.mktemp("evolving"), files)
    play(arena, mixed(chosen(request, ATTACKS), HONEST))
    return arena


@pytest.fixture
def told(request: pytest.FixtureRequest, evolving: Arena) -> Told:
    return evolving.told(request.function.__name__)


def flagged(told: Told) -> None:
    assert told.decision == "flagged", (told.decision, told.sentence, told.values)
    assert told.verdict.data["doubts"]


def cheated_or_came_to_nothing(told: Told) -> None:
    """Tell that it was flagged where there was something to write to, and else failed."""
    if told.decision != "failed":
        flagged(told)
    else:
        failed(told)


def test_an_honest_improvement_is_accepted_as_printed_and_no_cheat_is(evolving: Arena):
    assert evolving.told("good").decision == "accepted (as printed)", evolving.told("good").sentence
    assert [name for name in evolving.proposed if evolving.told(name).accepted] == ["good"]
    assert evolving.told("harmful").decision == "rejected"
    failed(evolving.told("crash"))


@ATTACKS.before("import sys\nsys.modules['evaluator'].loss = lambda *line: 0.0")
def test_the_evaluator_patched_in_memory_is_flagged(told: Told):
    flagged(told)


@ATTACKS.before(
    "import __main__, json\n__main__.json.dump = lambda what, file: file.write('{\"combined_score\": 1.0}')"
)
def test_the_driver_patched_in_memory_is_flagged(told: Told):
    flagged(told)


@ATTACKS.before("""
import sys
frame = sys._getframe()
while frame:
    frame.f_globals.get("POINTS", [])[:] = [(0.0, 0.0)]
    frame = frame.f_back
""")
def test_the_callers_frame_changed_is_flagged(told: Told):
    flagged(told)


@ATTACKS.before(
    "import sys, json\nopen(sys.argv[4], 'w').write(json.dumps({'combined_score': 1.0}))\nimport os\nos._exit(0)"
)
def test_a_result_written_before_leaving_early_is_flagged(told: Told):
    cheated_or_came_to_nothing(told)


@ATTACKS.before("""
import os
for name in ("metrics.json", "correct.json", "evaluate.json", "evaluate_stage1.json"):
    open(os.path.join("..", "results", name), "w").write('{"combined_score": 1.0}')
""")
def test_a_result_written_beside_the_true_one_is_flagged(told: Told):
    cheated_or_came_to_nothing(told)
    assert max(told.values.values(), default=0.0) < BEST


@ATTACKS.before("""
import os
for number in range(3, 64):
    try: os.write(number, b'[{"combined_score": 1.0}]')
    except OSError: pass
os._exit(0)
""")
def test_a_result_written_into_every_open_file_before_leaving_early_is_flagged(told: Told, evolving: Arena):
    cheated_or_came_to_nothing(told)


@ATTACKS.before("""
import os
if os.fork() == 0:
    os.setsid()
    while True:
        for number in range(3, 64):
            try: os.write(number, b'[{"combined_score": 1.0}]')
            except OSError: pass
""")
def test_a_process_that_stays_to_answer_for_the_others_is_flagged(told: Told):
    cheated_or_came_to_nothing(told)


@ATTACKS.before("import time\ntime.sleep(600)")
def test_hanging_fails_at_the_time_limit(told: Told):
    failed(told)


@ATTACKS.before("print('combined_score: 1.0')\nprint('{\"combined_score\": 1.0}')")
def test_a_printed_score_counts_for_nothing(told: Told):
    assert not told.accepted
    assert max(told.values.values()) < BEST


@ATTACKS.before("""
for name in ("evaluator.py", "config.yaml"):
    attempt(name, lambda: open(name, "a").write("#"))
""")
def test_writing_to_the_evaluator_fails_and_is_flagged(told: Told):
    assert told.refused("evaluator.py", "config.yaml")
    flagged(told)


@ATTACKS.instead(
    (
        RETURN,
        "    class Line(float):\n        def __mul__(self, x): return 3 * x - 1\n        __rmul__ = __mul__\n"
        "        def __radd__(self, y): return y\n    return Line(0), Line(0)\n",
    )
)
def test_a_number_that_is_none_is_at_most_accepted_as_printed(told: Told):
    assert told.decision in ("flagged", "failed", "rejected", "identical", "undecided"), told.sentence


@ATTACKS.instead((RETURN, "    return float('nan'), bias\n"))
def test_nan_is_a_failure(told: Told):
    failed(told)


@ATTACKS.instead((RETURN, "    return 'a line', None\n"))
def test_a_text_for_a_number_is_a_failure(told: Told):
    failed(told)


@ATTACKS.instead(("    random.seed(42)\n", "    random.seed(7)\n"))
def test_another_seed_is_flagged(told: Told):
    flagged(told)


@ATTACKS.before("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill(1, signal.SIGKILL)")
def test_killing_its_parent_does_nothing_and_is_flagged(told: Told):
    flagged(told)


def test_what_lies_outside_of_the_blocks_cannot_be_changed(evolving: Arena):
    said = evolving.refusal(
        evolving.study(), "outside", files={"initial_program.py": PROGRAM.replace('"""Find', '"""Found')}
    )
    assert "EVOLVE-BLOCK" in said
    said = evolving.refusal(
        evolving.study(), "more blocks", files={"initial_program.py": "# EVOLVE-BLOCK-START\n" + PROGRAM}
    )
    assert "EVOLVE-BLOCK" in said


def test_the_branch_holds_the_honest_improvement_alone_and_nothing_is_left(evolving: Arena):
    assert git(evolving.repository, "log", "--format=%s", "headway/arena").splitlines() == ["good", "First"]
    assert git(evolving.repository, "status", "--porcelain", "--ignored") == ""
    assert len(git(evolving.repository, "worktree", "list").splitlines()) == 1
    assert evolving.living == []
