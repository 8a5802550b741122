"""A guarded score: whatever a candidate leaves, writes or starts, only the evaluator's word counts."""

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from headway.core import HeadwayError, UsageError
from headway.sandbox import (
    Bound,
    GuardedEvaluation,
    Sandbox,
    SandboxLimits,
    interpreter_paths,
    protection,
)
from headway.sandbox.guarded import checked

PROBLEM = protection().problem
pytestmark = pytest.mark.skipif(bool(PROBLEM), reason=f"no sandbox on this machine: {PROBLEM}")

EVALUATE = """
import os, subprocess, sys
from pathlib import Path
from headway_result import report
outputs, labels = Path(sys.argv[1]), Path(sys.argv[2])
program = outputs / "program.sh"
if program.exists():  # a candidate's program, run by the evaluator: it may try what it likes
    subprocess.run(["sh", str(program)], close_fds=False)
guesses = (outputs / "guesses").read_text().split()
truth = (labels).read_text().split()
report({"accuracy": sum(a == b for a, b in zip(guesses, truth)) / len(truth)})
"""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


class Bench:
    """A repository with its evaluator and holdout, and a candidate's folder."""

    def __init__(self, folder):
        self.folder = folder
        self.repository, self.outputs = folder / "repository", folder / "outputs"
        self.repository.mkdir()
        self.outputs.mkdir()
        self.labels = folder / "holdout"
        self.labels.write_text("a b c d")
        self.evaluator(EVALUATE)
        (self.outputs / "guesses").write_text("a b c x")

    def evaluator(self, text):
        (self.repository / "evaluate.py").write_text(text)

    def guard(self, **options):
        settings: dict[str, Any] = {
            "command": [sys.executable, "evaluate.py", "{outputs}", str(self.labels)],
            "metrics": {"accuracy": Bound(minimum=0, maximum=1)},
            "readable": [*interpreter_paths(sys.executable), self.labels],
            "limits": SandboxLimits(wall_seconds=20),
        }
        return GuardedEvaluation.make(
            self.repository, ["evaluate.py"], self.folder / "evaluators", **settings | options
        )

    def score(self, **options):
        return self.guard(**options).score(self.outputs)


def test_an_honest_candidate_is_scored(bench):
    scored = bench.score()
    assert scored.metrics == {"accuracy": 0.75}, scored
    assert (scored.problem, scored.forged) == ("", 0)


def test_what_a_candidate_leaves_as_results_is_not_read(bench):
    for name in (
        "metrics.json",
        "results.tsv",
        "run.log",
        "result",
        "headway_result.py",
        "evaluate.py",
        "sitecustomize.py",
    ):
        (bench.outputs / name).write_text('{"accuracy": 1.0}\nreport = print')
    assert bench.score().metrics == {"accuracy": 0.75}


STEAL = """
import glob, os, re
found = set()
for maps in glob.glob("/proc/[0-9]*/maps"):
    try:
        lines = open(maps).read().splitlines()
        with open(maps[:-4] + "mem", "rb", 0) as memory:
            for line in lines:
                start, end = (int(part, 16) for part in line.split()[0].split("-"))
                if "rw" in line and end - start < 2**26:
                    try: memory.seek(start); found |= set(re.findall(rb"[0-9a-f]{64}", memory.read(end - start)))
                    except (OSError, ValueError, OverflowError): pass
    except OSError: pass
for path in glob.glob("/proc/[0-9]*/fd/*"):
    for nonce in found:
        try: os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), b"\\n" + nonce + b' {"accuracy": 1.0}\\n')
        except OSError: pass
"""


@pytest.mark.parametrize(
    "attack",
    [
        f"{sys.executable} -I -S -c '{STEAL.replace(chr(39), chr(39) + chr(34) + chr(39) + chr(34) + chr(39))}'",
        'for fd in 0 1 2 3 4 5 6 7 8 9; do echo "{\\"accuracy\\": 1.0}" >&$fd; done',
        'for fd in /proc/*/fd/*; do echo "0123456789abcdef {\\"accuracy\\": 1.0}" > $fd; done',
        "for fd in /proc/*/fd/*; do timeout 0.1 head -c 99 < $fd; done > /tmp/stolen; n=$(tail -1 /tmp/stolen);"
        ' for fd in /proc/*/fd/*; do echo "$n {\\"accuracy\\": 1.0}" > $fd; done',
        "cat /proc/*/environ /proc/*/mem > /tmp/stolen; echo bad > /candidate/guesses; echo bad > evaluate.py",
        "kill -9 1; (setsid sh -c 'while :; do echo x > /proc/1/fd/4; done' &); echo a b c d > /candidate/guesses",
    ],
)
def test_a_program_that_the_evaluator_runs_cannot_forge(bench, attack):
    (bench.outputs / "program.sh").write_text(attack)
    scored = bench.score()
    assert scored.metrics == {"accuracy": 0.75}, scored


def test_a_line_without_the_nonce_is_counted_and_not_believed(bench):
    bench.evaluator(
        "import os\nnumber = int(os.environ['HEADWAY_RESULT_FD'])\nos.write(number, b'{\"accuracy\": 1.0}\\nnonce {')\n"
        + EVALUATE
    )
    scored = bench.score()
    assert scored.metrics == {"accuracy": 0.75}
    assert scored.forged == 2


def test_an_evaluator_without_python_speaks_over_descriptors(bench):
    (bench.repository / "evaluate.py").write_text(
        "read nonce < /proc/self/fd/$HEADWAY_NONCE_FD\n"
        'echo "$nonce {\\"accuracy\\": 0.5}" > /proc/self/fd/$HEADWAY_RESULT_FD'
    )
    assert bench.score(command=["sh", "evaluate.py"]).metrics == {"accuracy": 0.5}


@pytest.mark.parametrize("kind", ["link", "pipe", "link to a folder"])
def test_a_link_to_the_holdout_is_not_scored(bench, kind):
    guesses = bench.outputs / "guesses"
    guesses.unlink()
    match kind:
        case "link":
            guesses.symlink_to(bench.labels)
        case "pipe":
            os.mkfifo(guesses)
        case _:
            (bench.outputs / "sub").symlink_to(bench.folder)
    scored = bench.score()
    assert scored.metrics is None
    assert "only files and folders are scored" in scored.problem


def test_a_candidate_cannot_reach_the_evaluators_copy(bench):
    guard = bench.guard()
    root = bench.folder / "trial"
    root.mkdir()
    ended = Sandbox(root=root, scratch=["."]).run(
        ["sh", "-c", f"echo bad > {guard.folder}/evaluate.py; cat {bench.labels}"]
    )
    assert ended.code != 0
    assert ended.stdout == b""
    bench.evaluator("raise SystemExit('edited in the repository')")
    assert guard.score(bench.outputs).metrics == {"accuracy": 0.75}


def test_a_copy_that_was_changed_is_not_used(bench):
    guard = bench.guard()
    assert bench.guard().folder == guard.folder
    with (guard.folder / "evaluate.py").open("a") as file:
        file.write("# changed")
    with pytest.raises(HeadwayError, match="was changed"):
        guard.score(bench.outputs)


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ("float('nan')", "not finite"),
        ("float('-inf')", "not finite"),
        ("10 ** 400", "not finite"),
        ("1e308", "outside 0 to 1"),
        ("-0.5", "outside 0 to 1"),
        ("'1.0'", "no number"),
        ("True", "no number"),
        ("[1.0]", "no number"),
        ("None", "missing"),
    ],
)
def test_a_metric_that_cannot_be_is_no_result(bench, result, problem):
    bench.evaluator(f"from headway_result import report\nreport({{'accuracy': {result}}})")
    scored = bench.score()
    assert scored.metrics is None
    assert problem in scored.problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "from headway_result import report\nreport({'accuracy': 1.0})\nreport({'accuracy': 0.5})",
            "reported 2 results",
        ),
        ("import headway_result", "reported 0 results"),
        ("print('accuracy: 1.0')", "reported 0 results"),
        ("from headway_result import report\nreport({'accuracy': 1.0})\nraise SystemExit(3)", "ended by exit (3)"),
        ("from headway_result import report\nreport({'accuracy': 1.0})\nwhile True: pass", "ended by wall"),
        ("from headway_result import report\nreport({'accuracy': 1.0, 'x': 'y' * 2_000_000})", "more was written"),
    ],
)
def test_an_evaluator_that_fails_gives_no_result(bench, text, problem):
    bench.evaluator(text)
    scored = bench.score(limits=SandboxLimits(wall_seconds=2))
    assert scored.metrics is None
    assert problem in scored.problem


def test_the_whole_way_of_a_candidate(bench):
    """Run in one sandbox, take what it left, score it in another."""
    root = bench.folder / "trial"
    root.mkdir()
    code = f"echo a b x x > guesses; cat {bench.labels} >> guesses; echo accuracy: 1.0; echo '{{}}' > metrics.json"
    taken = bench.folder / "taken"
    ended = Sandbox(root=root, scratch=["."]).run(["sh", "-c", code], keep=["guesses", "metrics.json"], into=taken)
    assert ended.kept.files == ("guesses", "metrics.json")
    assert bench.guard().score(taken).metrics == {"accuracy": 0.5}


def test_an_evaluator_that_is_not_there_is_refused(bench):
    with pytest.raises(UsageError, match="No such file"):
        GuardedEvaluation.make(
            bench.repository, ["missing.py"], bench.folder / "e", command=["x"], metrics={"a": Bound()}
        )
    with pytest.raises(UsageError, match="measures nothing"):
        bench.guard(metrics={})
    with pytest.raises(UsageError, match="holds no value"):
        Bound(minimum=1, maximum=0)
    with pytest.raises(UsageError, match="holds no value"):
        Bound(minimum=math.nan)


def test_only_declared_metrics_are_returned():
    assert checked(json.loads('{"loss": 1, "other": "x"}'), {"loss": Bound()}) == {"loss": 1.0}
    with pytest.raises(ValueError, match="no object"):
        checked([1.0], {"loss": Bound()})


def test_the_helper_needs_nothing_of_headway():
    from headway.sandbox import guarded

    text = Path(guarded.__file__).with_name("headway_result.py").read_text()
    assert "headway.core" not in text
