"""karpathy/autoresearch: what the original prints is read as the original reads it, on this machine and with uv."""

import signal
import sys
from pathlib import Path

import pytest

from headway.core import Reason
from headway.experiments.layouts import Finished, find_layout
from headway.experiments.metrics import LineSplitter
from headway.testing.layouts import copy_repository, run_steps

EXAMPLE = Path(__file__).parents[3] / "examples" / "autoresearch"
PROGRESS = "".join(
    f"\rstep {step:05d} ({step / 953:.1%}) | loss: {9 - step / 150:.6f} | lrm: 1.00 | dt: 312ms | tok/sec: 1,680,123"
    f" | mfu: 39.8% | epoch: 1 | remaining: {300 - step // 4}s    "
    for step in range(0, 951, 50)
)
SUMMARY = """
---
val_bpb:          0.997900
training_seconds: 300.1
total_seconds:    325.9
peak_vram_mb:     45060.2
mfu_percent:      39.80
total_tokens_M:   499.6
num_steps:        953
num_params_M:     50.3
depth:            8
"""
OUTPUT = "Vocab size: 8,192\nwarning: a word on the other stream\n" + PROGRESS + SUMMARY


@pytest.fixture
def layout():
    return find_layout(EXAMPLE)


def read(layout, output, code=0, timed_out=False):
    ended = Finished(step="train", code=code, output=output, timed_out=timed_out)
    return layout.read([ended], Path("tree"), Path("results"))


def test_all_that_the_original_prints_is_read(layout):
    reading = read(layout, OUTPUT)
    assert (reading.value, reading.problem, reading.notes) == (0.9979, None, ())
    assert reading.memory_mb == 45060.2
    assert reading.metrics == {
        "val_bpb": 0.9979, "training_seconds": 300.1, "total_seconds": 325.9, "peak_vram_mb": 45060.2,
        "mfu_percent": 39.8, "total_tokens_M": 499.6, "num_steps": 953.0, "num_params_M": 50.3, "depth": 8.0,
    }  # fmt: skip
    assert [point.step for point in reading.curve] == list(range(0, 951, 50))
    assert reading.curve[-1].values["loss"] == pytest.approx(9 - 950 / 150, abs=1e-6)
    assert reading.curve[-1].values["tok/sec"] == 1_680_123


def test_the_curve_is_followed_while_it_is_printed(layout):
    splitter, points = LineSplitter(), []
    data = OUTPUT.encode()
    for start in range(0, len(data), 17):  # chunks that end anywhere
        points += [p for line in splitter.feed(data[start : start + 17]) if (p := layout.progress(line)) is not None]
    assert [point.step for point in points] == list(range(0, 951, 50))


@pytest.mark.parametrize(
    ("output", "code", "problem", "said"),
    [
        (OUTPUT, 1, Reason.EXCEPTION, "exit code 1"),
        (OUTPUT, -9, Reason.SIGNAL, "signal 9"),
        ("FAIL\n", 1, Reason.EXCEPTION, "FAIL"),
        ("", 0, Reason.NO_METRIC, "val_bpb was not printed after ---"),
        (OUTPUT.replace("---\n", ""), 0, Reason.NO_METRIC, "after ---"),
        (OUTPUT.replace("val_bpb: ", "val_bpc: "), 0, Reason.NO_METRIC, "val_bpb"),
        (OUTPUT.replace("val_bpb: ", "  val_bpb: "), 0, Reason.NO_METRIC, "val_bpb"),
        (OUTPUT.replace("0.997900", "nan"), 0, Reason.NOT_FINITE, "nan"),
        (OUTPUT.replace("0.997900", "-inf"), 0, Reason.NOT_FINITE, "-inf"),
        (OUTPUT.replace("0.997900", "1e999"), 0, Reason.NOT_FINITE, "inf"),
        (OUTPUT.replace("0.997900", "great"), 0, Reason.BAD_METRIC, "'great'"),
        (OUTPUT.replace("0.997900", "-0.5"), 0, Reason.BAD_METRIC, "impossible"),
        (OUTPUT.replace("0.997900", "0.0"), 0, Reason.BAD_METRIC, "impossible"),
    ],
)
def test_success_is_exit_0_and_the_key_after_the_dashes(layout, output, code, problem, said):
    reading = read(layout, output, code)
    assert (reading.value, reading.problem) == (None, problem)
    assert said in reading.why


def test_a_memory_that_is_no_number_is_unknown(layout):
    reading = read(layout, OUTPUT.replace("45060.2", "n/a (unified memory)"))
    assert (reading.value, reading.memory_mb) == (0.9979, None)


def test_a_summary_that_is_printed_twice_is_told(layout):
    reading = read(layout, OUTPUT + SUMMARY.replace("0.997900", "0.5"))
    assert reading.value == 0.5
    assert "2 times" in reading.notes[0]
    assert "--- was printed 2 times" in reading.notes[1]


def test_a_killed_run_keeps_its_curve_and_has_no_value(layout):
    reading = read(layout, PROGRESS, -signal.SIGKILL, timed_out=True)
    assert (reading.value, reading.problem) == (None, Reason.WALL_TIME)
    assert len(reading.curve) == 20


def test_the_files_and_the_limits_are_those_of_the_original(layout, tmp_path):
    (step,) = layout.steps(tmp_path, tmp_path)
    assert (step.wall_seconds, step.log, layout.wall_seconds) == (600, "run.log", 600)
    assert (layout.metric, layout.direction, layout.memory_metric) == ("val_bpb", "minimize", "peak_vram_mb")
    assert (layout.ledger, layout.branch_prefix, layout.trust) == ("results.tsv", "autoresearch/", "as printed")
    files = layout.files
    assert files.allows("train.py")
    for name in ("prepare.py", "pyproject.toml", "uv.lock", "program.md", "results.tsv", "new.py", "sub/train.py"):
        assert not files.allows(name)


def test_both_streams_go_into_run_log_and_an_old_one_is_removed(tmp_path):
    tree = copy_repository(EXAMPLE, tmp_path / "tree")
    (tree / "run.log").write_text(OUTPUT)
    script = 'import sys\nprint("---\\nval_bpb: 0.5", flush=True)\nsys.stderr.write("peak_vram_mb: 12.0\\n")\n'
    (tree / "train.py").write_text(script)
    layout = find_layout(tree)
    reading = run_steps(layout, tree, tmp_path / "results")
    assert (reading.value, reading.memory_mb) == (0.5, 12.0)
    assert (tree / "run.log").read_text() == "---\nval_bpb: 0.5\npeak_vram_mb: 12.0\n"
    layout.begin(tree, tmp_path / "results")
    assert not (tree / "run.log").exists()


def test_uv_runs_it_where_uv_is_and_else_its_own_python(tmp_path, monkeypatch):
    tree = copy_repository(EXAMPLE, tmp_path / "tree")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    layout = find_layout(tree)
    assert layout.steps(tree, tree)[0].words == (sys.executable, "train.py")
    own = tree / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.symlink_to(sys.executable)
    assert layout.steps(tree, tree)[0].words == (str(own), "train.py")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "uv").chmod(0o755)
    (step,) = layout.steps(tree, tree)
    assert step.words == ("uv", "run", "train.py")
    assert step.environment["UV_PROJECT_ENVIRONMENT"] == str(tree / ".venv")
    assert step.environment["UV_NO_SYNC"] == "1"


def test_the_example_prints_every_line_of_the_original(tmp_path):
    tree = copy_repository(EXAMPLE, tmp_path / "tree")
    prepare = tree / "prepare.py"
    prepare.write_text(prepare.read_text().replace("FLOP_BUDGET = 60e9", "FLOP_BUDGET = 2e9"))
    layout = find_layout(tree)
    reading = run_steps(layout, tree, tmp_path / "results")
    assert list(reading.metrics) == [line.split(":")[0] for line in SUMMARY.splitlines()[2:]]
    assert list(reading.curve[0].values) == ["loss", "lrm", "dt", "tok/sec", "mfu", "remaining"]
    assert len(reading.curve) == reading.metrics["num_steps"]
    assert b"\rstep 00000 (0.0%) | loss: " in (tree / "run.log").read_bytes()
