import json
import re
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import headway
from headway.core import ExperimentError, Space
from headway.experiments import BadMetric, CommandExperiment, CommandFailed, Run, trace
from headway.store import Mark, Point, RunLog, RunLogReader


def make(folder, template, **more):
    space = more.pop("space", {"lr": headway.Float(0, 1)})
    return CommandExperiment(
        template=template, metric="loss", space=Space.of(space), source=folder / "study.py", **more
    )


def points_of(items):
    return [(item.metric, item.step, item.value) for item in items if isinstance(item, Point)]


def points_in(path):
    with RunLogReader(path) as reader:
        return points_of(reader.read())


class Outcome:
    def __init__(self, experiment, folder, config, seed):
        self.folder = folder / "attempt"
        self.folder.mkdir()
        (self.folder / "spec.json").write_text(json.dumps({"checkpoints": str(folder / "ckpt"), "rungs": []}))
        log = RunLog(self.folder / "worker.runlog")
        run = Run(log, config=config, seed=seed, folder=self.folder, checkpoint_folder=None)
        self.error = None
        try:
            experiment.run(run)
        except CommandFailed as error:
            self.error = error
        log.close()
        with RunLogReader(self.folder / "worker.runlog") as reader:
            self.items = reader.read()

    @property
    def points(self):
        return points_of(self.items)

    @property
    def trace(self):
        return trace.read(str(self.folder / "trace"))


def launch(folder, template, config=None, seed=0, **more):
    return Outcome(make(folder, template, **more), folder, config or {"lr": 0.5}, seed)


@pytest.mark.parametrize(
    ("template", "config", "words"),
    [
        (
            "python train.py --lr {lr} --seed {seed}",
            {"lr": 1e-5},
            ["python", "train.py", "--lr", "1e-05", "--seed", "3"],
        ),
        (
            "t --flag={lr} -m {momentum} --lr {lr}",
            {"lr": 1, "momentum": 0.9},
            ["t", "--flag=1", "-m", "0.9", "--lr", "1"],
        ),
        ("t --m {momentum} --lr {lr}", {"lr": 1}, ["t", "--lr", "1"]),
        ("t --m={momentum} --lr {lr}", {"lr": 1}, ["t", "--lr", "1"]),
        ("t x {momentum} --lr {lr}", {"lr": 1}, ["t", "x", "--lr", "1"]),
        ("t --a {lr},{momentum} b", {"lr": 1}, ["t", "b"]),
        ("t '{lr} and more' {{literal}}", {"lr": 2}, ["t", "2 and more", "{literal}"]),
        ("t {lr}", {"lr": "two words; rm -rf"}, ["t", "two words; rm -rf"]),
        ("t {lr} {momentum}", {"lr": True, "momentum": None}, ["t", "true", "null"]),
        ("t {lr:.2e} {lr:08.3f} {lr}", {"lr": 0.000123}, ["t", "1.23e-04", "0000.000", "0.000123"]),
        ('t --o "{lr}"', {"lr": 'say "hi"'}, ["t", "--o", 'say "hi"']),
    ],
)
def test_a_command_line_is_filled_in_word_by_word(tmp_path, template, config, words):
    experiment = make(tmp_path, template, space={"lr": headway.Float(0, 1), "momentum": headway.Float(0, 1)})
    assert experiment.words(config, 3) == words


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "is empty"),
        ("t --lr {rate}", r"uses {rate}; its space has lr, seed"),
        ("t {", "unpaired braces"),
        ("t '{lr}", "cannot be split into words"),
        ("t {}", "uses {}"),
        ("t {sed}", "Did you mean 'seed'?"),
        (["t", "{lr}"], "is no text"),
    ],
)
def test_a_template_that_cannot_work_is_refused(tmp_path, template, why):
    with pytest.raises(ExperimentError, match=why):
        make(tmp_path, template)


def test_a_command_survives_its_json_form(tmp_path):
    experiment = make(tmp_path, "t {lr}", patterns={"loss": r"(\d)"}, inputs=("data",))
    again = CommandExperiment.from_json(json.loads(json.dumps(experiment.to_json())))
    assert (again.identity, again.patterns, again.inputs) == (experiment.identity, {"loss": r"(\d)"}, ("data",))
    assert again.opaque
    assert again.source == experiment.source


@pytest.mark.parametrize(
    ("template", "files", "expected"),
    [
        ("python train.py --seed {seed}", {"train.py": ""}, True),
        ("python train.py", {"train.py": "print(1)"}, False),
        ("python train.py", {"train.py": "os.environ['HEADWAY_SEED']"}, True),
        ("python train.py", {"train.py": "import headway\n"}, True),
        ("bash run.sh", {"run.sh": "python t.py $HEADWAY_SEED"}, True),
        ("python -m package.train", {"package/train.py": "current_run().seed"}, True),
        ("python -m package", {"package/__main__.py": "HEADWAY_SEED"}, True),
        ("python -c 'import os; print(os.environ[\"HEADWAY_SEED\"])'", {}, True),
        ("python -c '" + "print(1);" * 100 + "'", {}, False),
    ],
)
def test_a_seed_channel_is_seen_in_the_template_or_in_its_files(tmp_path, template, files, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert make(tmp_path, template).has_seed_channel is expected


def test_metrics_are_read_from_what_is_printed(tmp_path):
    code = r"import sys; sys.stdout.write('10%: loss: 3\r20%: loss: 2\rstep 7 loss: 1\nloss: 0.5')"
    outcome = launch(tmp_path, f"python -c {shlex.quote(code)}")
    assert outcome.points == [("loss", 0, 3.0), ("loss", 1, 2.0), ("loss", 7, 1.0), ("loss", 7, 0.5)]


def test_a_script_gets_seed_and_configuration(tmp_path):
    (tmp_path / "train.py").write_text(
        "import json, os, sys\n"
        "config = json.loads(os.environ['HEADWAY_CONFIG'])\n"
        "print('seed:', os.environ['HEADWAY_SEED'], 'lr:', config['lr'], 'arg:', sys.argv[1])\n"
        "import headway\n"
        "headway.log(5, own=headway.current_run().seed)\n"
    )
    outcome = launch(tmp_path, "python train.py {lr}", {"lr": 0.25}, seed=9)
    assert outcome.points == [("seed", 0, 9.0), ("lr", 0, 0.25), ("arg", 0, 0.25)]
    assert points_in(outcome.folder / "script.runlog") == [("own", 5, 9.0)]


LOOP = """
import headway, time
for step in range(3):
    {before}
    time.sleep({pause})
    {after}
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("print('loss:', step, flush=True)", "headway.log(step * 10, loss=step)"),
        ("headway.log(step * 10, loss=step)", "print('loss:', step, 'acc:', step, flush=True)"),
        ("print('epoch', step, 'loss:', step); print('acc: 1', flush=True)", "headway.log(step * 10, loss=step)"),
    ],
)
def test_what_a_script_logs_and_prints_is_one_curve(tmp_path, before, after):
    (tmp_path / "train.py").write_text(LOOP.format(before=before, after=after, pause=0.05))
    outcome = launch(tmp_path, "python train.py")
    assert [point for point in outcome.points if point[0] == "loss"] == []
    assert [point[0] for point in outcome.points] == ["acc"] * (3 * ("acc" in before + after))
    assert points_in(outcome.folder / "script.runlog") == [("loss", step * 10, float(step)) for step in range(3)]


def test_a_curve_that_a_script_first_prints_and_later_logs_goes_on(tmp_path):
    (tmp_path / "train.py").write_text(
        "import headway, time\nfor i in range(3): print('loss:', i)\ntime.sleep(0.5)\nheadway.log(9, loss=9)\n"
    )
    assert launch(tmp_path, "python train.py").points == [("loss", 0, 0.0), ("loss", 1, 1.0)]


def test_what_is_printed_is_there_soon_though_no_other_line_follows(tmp_path):
    folder = tmp_path / "attempt"
    experiment, seen = make(tmp_path, "python -c \"import time; print('loss: 1'); time.sleep(2)\""), []
    folder.mkdir()
    log = RunLog(folder / "worker.runlog")
    run = Run(log, config={"lr": 0.5}, seed=0, folder=folder, checkpoint_folder=None)
    thread = threading.Thread(target=experiment.run, args=(run,))
    thread.start()
    began = time.monotonic()
    while not seen and time.monotonic() < began + 10:
        seen = points_in(folder / "worker.runlog")
        time.sleep(0.05)
    assert thread.is_alive()
    thread.join()
    log.close()
    assert seen == [("loss", 0, 1.0)]


@pytest.mark.parametrize(
    ("line", "seen"),
    [("loss: low", "low"), ('{"loss": "0.5"}', '"0.5"'), ('{"loss": null}', "null"), ("loss=None, acc=1", "None")],
)
def test_a_metric_that_is_printed_as_text_is_a_bad_metric(tmp_path, line, seen):
    (tmp_path / "train.py").write_text(f"print({line!r})")
    with pytest.raises(BadMetric, match=re.escape(f"printed {seen!r} as its 'loss'. Expected a number")):
        launch(tmp_path, "python train.py")


def test_a_pattern_that_finds_text_is_a_bad_metric_unless_the_script_tells_the_value(tmp_path):
    (tmp_path / "train.py").write_text("print('loss = N/A')")
    with pytest.raises(BadMetric, match="printed 'N/A'"):
        launch(tmp_path, "python train.py", patterns={"loss": r"loss = (\S+)"})
    (tmp_path / "attempt").rename(tmp_path / "first")
    (tmp_path / "train.py").write_text("import headway; print('loss = N/A'); headway.report(0.5)")
    assert launch(tmp_path, "python train.py", patterns={"loss": r"loss = (\S+)"}).points == []


def test_a_command_that_fails_says_how_and_what_it_printed_last(tmp_path):
    outcome = launch(tmp_path, "python -c \"print('loss: 1'); raise SystemExit('no data')\"")
    assert outcome.error is not None
    assert outcome.error.code == 1
    assert str(outcome.error) == "no data (the command ended with exit code 1)"
    assert outcome.points == [("loss", 0, 1.0)]


def test_a_command_that_a_signal_ends_says_which(tmp_path):
    outcome = launch(tmp_path, 'sh -c "kill -SEGV $$"')
    assert outcome.error is not None
    assert outcome.error.code == -11
    assert "SIGSEGV" in str(outcome.error)


def test_a_program_that_is_missing_is_named(tmp_path):
    with pytest.raises(ExperimentError, match="'no-such-program' is not on the PATH"):
        launch(tmp_path, "no-such-program --lr {lr}")


def test_a_program_of_the_project_is_found_beside_the_study(tmp_path):
    (tmp_path / "run.sh").write_text("#!/bin/sh\necho loss: $1\n")
    (tmp_path / "run.sh").chmod(0o755)
    assert launch(tmp_path, "./run.sh {lr}").points == [("loss", 0, 0.5)]


def test_python_is_the_interpreter_that_runs_headway(tmp_path):
    outcome = launch(tmp_path, "python -c \"import sys; print('same:', int(sys.executable == sys.argv[1]))\" {lr}",
                     {"lr": sys.executable})  # fmt: skip
    assert outcome.points == [("same", 0, 1.0)]


def test_a_child_that_holds_the_output_does_not_hold_the_trial(tmp_path):
    began = time.monotonic()
    outcome = launch(tmp_path, "sh -c 'sleep 30 & echo pid: $!; echo loss: 1'")
    assert time.monotonic() - began < 10
    subprocess.run(["kill", str(int(outcome.points[0][2]))], check=True)
    assert outcome.points[1][0] == "loss"


def test_what_a_python_command_reads_is_traced_its_children_included(tmp_path):
    (tmp_path / "data.txt").write_text("1")
    (tmp_path / "helper.py").write_text("value = open('data.txt').read()")
    (tmp_path / "child.py").write_text("open('child.txt').read()")
    (tmp_path / "child.txt").write_text("")
    (tmp_path / "train.py").write_text(
        "import helper, subprocess, sys\nsubprocess.run([sys.executable, 'child.py'], check=True)\nprint('loss: 1')\n"
    )
    seen = launch(tmp_path, "python train.py").trace
    for kind, name in [("f", "train.py"), ("m", "helper.py"), ("f", "data.txt"), ("f", "child.py"), ("f", "child.txt")]:
        assert (kind, str(tmp_path / name)) in seen
    assert ("x", "subprocess") in seen
    assert ("h", "") in seen


def test_a_program_that_no_hook_looks_into_is_noted(tmp_path):
    (tmp_path / "run.sh").write_text("python -c 'print(1)'; echo loss: 1")
    seen = launch(tmp_path, "sh run.sh").trace
    assert ("x", "sh") in seen


def test_inputs_are_declared_for_the_trial(tmp_path):
    (tmp_path / "data").touch()
    outcome = launch(tmp_path, "python -c 'print(1)'", inputs=("data",))
    (mark,) = (item for item in outcome.items if isinstance(item, Mark))
    assert (mark.kind, mark.data) == ("input", {"path": str(tmp_path / "data")})


def test_command_is_relative_to_the_file_that_calls_it():
    assert headway.command("python train.py", metric="loss").folder == Path(__file__).parent
