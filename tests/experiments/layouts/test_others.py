"""What is particular to helix, pi and codex autoresearch, OpenEvolve and headway.toml; and which layout is found."""

import os
import shutil
from pathlib import Path

import pytest

from headway.core import Reason, UsageError
from headway.experiments.layouts import Finished, ScoredLayout, WholeFiles, find_layout
from headway.testing.layouts import copy_repository, run_steps

REPOSITORIES = Path(__file__).parent / "repositories"
EXAMPLE = Path(__file__).parents[3] / "examples" / "autoresearch"
NOWHERE = Path("nowhere")


def copied(name, tmp_path):
    return copy_repository(REPOSITORIES / name, tmp_path / "tree")


def ended(output, step="evaluate"):
    return [Finished(step=step, code=0, output=output)]


def test_a_declaration_comes_before_what_file_names_suggest(tmp_path):
    tree = copy_repository(EXAMPLE, tmp_path / "tree")
    shutil.copytree(REPOSITORIES / "helix", tree, dirs_exist_ok=True)
    assert find_layout(tree).name == "helix"
    assert find_layout(tree, "autoresearch").name == "autoresearch"
    shutil.copy(REPOSITORIES / "declared" / "headway.toml", tree)
    assert find_layout(tree).name == "headway.toml"
    with pytest.raises(UsageError, match="Did you mean 'autoresearch'"):
        find_layout(tree, "autoresarch")
    with pytest.raises(UsageError, match=r"looked for: evaluator\.py"):
        find_layout(tree, "openevolve")


def test_a_helix_yaml_of_another_program_is_none(tmp_path):
    (tmp_path / "helix.yaml").write_text("name: an app\nassistants: []\n")
    with pytest.raises(UsageError, match="no layout"):
        find_layout(tmp_path)


def test_helix_reads_by_its_patterns_with_the_exponent_that_they_cut_off(tmp_path):
    tree = copied("helix", tmp_path)
    path = tree / "helix.yaml"
    path.write_text(path.read_text().replace(r"^val_loss:\s+(\S+)", r"^val_loss:\s+([\d.]+)"))
    layout = find_layout(tree)
    output = "val_loss: 7\nval_loss: 1.5e-3\nslope_error: 0.25\n"
    assert layout.read(ended(output), tree, NOWHERE).value == 1.5e-3
    assert layout.read(ended("val_loss: 1\n"), tree, NOWHERE).problem is Reason.NO_METRIC
    assert layout.guard is not None
    assert [layout.guard.holds(0.2, value) for value in (0.1, 0.3, 0.31)] == [True, True, False]
    assert layout.notes == ("helix.yaml: these keys are ignored: owner.",)
    twice = layout.read(ended("val_loss: 1\nval_loss: 2\nslope_error: 1\n"), tree, NOWHERE)
    assert (twice.value, twice.notes) == (2.0, ("val_loss was printed 2 times; the last one counts.",))


def test_helix_ends_a_run_and_guards_a_metric_as_helix_does_where_its_file_does_not_say(tmp_path):
    tree = copied("helix", tmp_path)
    path = tree / "helix.yaml"
    path.write_text(path.read_text().replace("    max_degradation: 0.5\n", "").replace("    timeout_seconds: 20\n", ""))
    layout = find_layout(tree)
    assert layout.guard is not None
    assert (layout.guard.tolerance, layout.steps(tree, NOWHERE)[0].wall_seconds) == (0.01, 300.0)
    assert layout.branch_prefix == "helix/"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    - fit.py", "", "no scope.editable"),
        ("optimize: minimize\n  quality", "optimize: down\n  quality", "minimize or maximize"),
        ("command: uv run fit.py", "", "no metrics.evaluate.command"),
        ("command: uv run fit.py", "command: python fit.py && echo done", "needs a shell"),
        ("timeout_seconds: 20", "timeout_seconds: -1", "above 0"),
        (r"'^val_loss:\s+(\S+)'", "'val_loss'", "with a group"),
        ("metrics:\n", "metrics:\n  - [\n", "as YAML"),
    ],
)
def test_a_helix_yaml_that_does_not_hold_together_says_why(tmp_path, old, new, said):
    tree = copied("helix", tmp_path)
    text = (tree / "helix.yaml").read_text()
    assert old in text
    (tree / "helix.yaml").write_text(text.replace(old, new))
    with pytest.raises(UsageError, match=said):
        find_layout(tree)


def test_the_older_form_of_pi_autoresearch_is_read(tmp_path):
    auto = REPOSITORIES / "measured" / ".auto"
    shutil.copy(auto / "measure.sh", tmp_path / "autoresearch.sh")
    (tmp_path / "autoresearch.jsonl").write_text(
        '{"type":"config","name":"x","metricName":"ms","bestDirection":"lower"}\n{"type":"run","metric":3}\n'
        '{"type":"config","name":"x","metricName":"speed","bestDirection":"higher"}\n'
    )
    layout = find_layout(tmp_path)
    assert (layout.metric, layout.direction) == ("speed", "maximize")
    assert [step.name for step in layout.steps(tmp_path, NOWHERE)] == ["measure"]
    assert layout.files.allows("src/any.py")
    assert not layout.files.allows("autoresearch.sh")
    reading = layout.read(ended("METRIC speed=1\nMETRIC speed=2.5e3\nMETRIC µs=4\n", "measure"), tmp_path, NOWHERE)
    assert reading.metrics == {"speed": 2500.0, "µs": 4.0}
    (tmp_path / "autoresearch.jsonl").unlink()
    with pytest.raises(UsageError, match="which metric counts"):
        find_layout(tmp_path)


def test_the_folder_of_a_session_gets_its_logs_and_a_folder_elsewhere_is_told(tmp_path):
    tree = copied("measured", tmp_path)
    assert find_layout(tree).writes == (".auto",)
    (tree / ".auto" / "config.json").write_text('{"workingDir": "elsewhere", "maxIterations": 3}')
    assert find_layout(tree).notes == (".auto/config.json: workingDir is ignored: run Headway on that folder itself.",)


def test_an_evaluator_that_returns_an_error_gave_no_score(tmp_path):
    tree, results = copied("openevolve", tmp_path), tmp_path / "results"
    layout = find_layout(tree)
    layout.begin(tree, results)
    (results / "evaluate_stage1.json").write_text('{"combined_score": 0.0, "error": "Timeout after 5 s"}')
    reading = layout.read(ended("", "evaluate_stage1"), tree, results)
    assert (reading.value, reading.problem) == (None, Reason.EXCEPTION)
    assert reading.why == "The evaluator returned an error: Timeout after 5 s"


def test_an_evaluator_that_wrote_nothing_gave_no_score(tmp_path):
    tree, results = copied("shinka", tmp_path), tmp_path / "results"
    layout = find_layout(tree)
    layout.begin(tree, results)
    assert layout.read(ended(""), tree, results).problem is Reason.NO_METRIC
    (results / "metrics.json").write_text('{"combined_score": 1.0}')  # alone it does not say that it is correct
    assert layout.read(ended(""), tree, results).problem is Reason.EXCEPTION


def test_checks_that_fail_leave_no_score(tmp_path):
    tree = copied("measured", tmp_path)
    source = (tree / "integrate.py").read_text().replace("integrate(", "integral(")
    (tree / "integrate.py").write_text(source)
    reading = run_steps(find_layout(tree), tree, tmp_path / "results")
    assert (reading.value, reading.problem) == (None, Reason.EXCEPTION)
    assert "'checks'" in reading.why
    assert reading.metrics["error"] > 0


def test_a_cascade_stops_below_its_threshold(tmp_path):
    tree = copied("openevolve", tmp_path)
    layout = find_layout(tree)
    assert [step.name for step in layout.steps(tree, tree)] == ["evaluate_stage1", "evaluate_stage2"]
    assert layout.steps(tree, tree)[0].wall_seconds == 20
    whole = run_steps(layout, tree, tmp_path / "results")
    assert (whole.problem, whole.stage, whole.metrics["stages"]) == (None, 2, 2)
    config = tree / "config.yaml"
    config.write_text(config.read_text().replace("[0.2]", "[0.999999]"))
    reading = run_steps(find_layout(tree), tree, tmp_path / "results")
    assert (reading.value, reading.problem, reading.stage) == (whole.value, Reason.SCHEDULER, 1)
    assert "asks for 0.999999" in reading.why
    config.write_text(config.read_text().replace("cascade_evaluation: true", "cascade_evaluation: false"))
    assert [step.name for step in find_layout(tree).steps(tree, tree)] == ["evaluate"]


def test_settings_that_are_ignored_are_named_without_their_values():
    (note,) = find_layout(REPOSITORIES / "openevolve").notes
    assert "llm.api_key" in note
    assert "max_iterations" in note
    assert "timeout" not in note
    assert "not-to-be-shown" not in note


@pytest.mark.parametrize(
    ("config", "task"),
    [
        ("prompt:\n  system_message: Pack the circles.\n", "Pack the circles."),
        ("prompt:\n  system_message: my_template\n", "# Packing\n"),
        ("prompt: 3\n", "# Packing\n"),
        ("", "# Packing\n"),
    ],
)
def test_who_proposes_is_told_the_system_message_or_the_readme(tmp_path, config, task):
    tree = copied("openevolve", tmp_path)
    (tree / "README.md").write_text("# Packing\n")
    (tree / "config.yaml").write_text(f"max_iterations: 1\n{config}")
    layout = find_layout(tree)
    assert layout.task == task
    assert not any("system_message" in note for note in layout.notes)


def test_a_seed_reaches_the_command(tmp_path):
    tree = copied("declared", tmp_path)
    layout = find_layout(tree)
    assert layout.takes_seed
    assert layout.steps(tree, tree, seed=5)[1].words[1:] == ("train.py", "--seed", "5")
    values = [run_steps(layout, tree, tmp_path / "results", seed=seed).value for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]
    assert layout.read([], tree, tree).value is None


def test_a_check_that_fails_lets_nothing_begin(tmp_path):
    tree = copied("declared", tmp_path)
    (tree / "train.py").write_text("def f(:\n")
    reading = run_steps(find_layout(tree), tree, tmp_path / "results")
    assert "'check'" in reading.why
    assert "SyntaxError" in reading.why


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('metric = "val_loss"', 'metrik = "val_loss"', "Did you mean 'metric'"),
        ('metric = "val_loss"', "", "lacks metric"),
        ('"minimize"', '"down"', "Expected 'minimize' or 'maximize'"),
        ("wall_seconds = 20", "wall_seconds = true", "seconds above 0"),
        ('editable = ["train.py", "model/**"]', "editable = [1]", "list of paths"),
        ('memory_metric = "peak_mb"', "pattern = 'x'", "group around the number"),
        ('memory_metric = "peak_mb"', 'score = "python score.py"', "lacks checkpoint"),
        ("[repository]", "[repository", "as TOML"),
    ],
)
def test_a_headway_toml_that_does_not_hold_together_says_why(tmp_path, old, new, said):
    tree = copied("declared", tmp_path)
    text = (tree / "headway.toml").read_text()
    assert old in text
    (tree / "headway.toml").write_text(text.replace(old, new))
    with pytest.raises(UsageError, match=said):
        find_layout(tree)


def test_a_headway_toml_names_the_folders_that_get_new_files(tmp_path):
    for name in ("declared", "scored"):
        tree = copied(name, tmp_path / name)
        (tree / "headway.toml").write_text((tree / "headway.toml").read_text() + 'writes = ["outputs"]\n')
        assert find_layout(tree).writes == ("outputs",)


def test_what_the_candidate_prints_does_not_count_where_a_scorer_does(tmp_path):
    tree = copied("scored", tmp_path)
    layout = find_layout(tree)
    reading = run_steps(layout, tree, tmp_path / "results")
    assert reading.value is not None
    assert reading.value > 0.001  # train.py claims 0.000001
    assert reading.metrics["val_loss"] == reading.value
    assert len(reading.curve) == 4
    (tree / "train.py").write_text('print("val_loss: 0.1")\n')  # leaves no model, and the old one is removed
    assert run_steps(layout, tree, tmp_path / "results").problem is Reason.EXCEPTION


def test_a_scorer_makes_any_layout_guarded(tmp_path):
    tree = copy_repository(EXAMPLE, tmp_path / "tree")
    (tree / "headway.toml").write_text('[repository]\nscore = "python score.py"\ncheckpoint = "model.txt"\n')
    (tree / "score.py").write_text('print("val_bpb:", open("model.txt").read())\n')
    (tree / "train.py").write_text(
        'open("model.txt", "w").write("2.5")\nprint("---\\nval_bpb: 0.1\\npeak_vram_mb: 3.0")\n'
    )
    layout = find_layout(tree)
    assert isinstance(layout, ScoredLayout)
    assert (layout.inner.name, layout.trust, layout.ledger) == ("autoresearch", "guarded", "results.tsv")
    assert layout.leftovers == ("run.log", "model.txt")
    reading = run_steps(layout, tree, tmp_path / "results")
    assert (reading.value, reading.memory_mb) == (2.5, 3.0)
    assert not layout.files.allows("score.py")


@pytest.mark.parametrize(
    ("scorer", "doubt"),
    [
        ("import train\n", "imports train.py, which a proposal may change"),
        ("from helper import x\n", "imports train.py, which a proposal may change"),
        ("import pickle\npickle.load(open('m', 'rb'))\n", "calls pickle.load"),
        ("import torch\ntorch.load('m', weights_only=False)\n", "calls torch.load"),
        ("import numpy as np\nnp.load('m', allow_pickle=True)\n", "calls np.load"),
    ],
)
def test_a_scorer_within_the_candidates_reach_is_not_called_guarded(tmp_path, scorer, doubt):
    tree = copied("scored", tmp_path)
    (tree / "helper.py").write_text("from train import weights as x\n")
    (tree / "score.py").write_text(scorer)
    layout = find_layout(tree)
    assert layout.trust == "as printed"
    assert doubt in layout.notes[0]
    (tree / "score.py").write_text("import torch\ntorch.load('m', weights_only=True)\n")
    assert find_layout(tree).trust == "guarded"


def test_what_a_link_leads_to_is_neither_read_nor_removed(tmp_path):
    tree = copied("scored", tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    (tmp_path / "results").symlink_to(outside)
    (tree / "linked.py").symlink_to(outside / "kept")
    (tree / "model.json").symlink_to(outside / "kept")
    layout = find_layout(tree)
    layout.begin(tree, tmp_path / "results")
    assert os.listdir(outside) == ["kept"]
    assert not (tree / "model.json").exists()
    assert list(layout.sources()) == ["train.py"]


def test_a_patch_never_writes_through_a_link(tmp_path):
    tree = copied("declared", tmp_path)
    (tmp_path / "outside").mkdir()
    (tree / "model" / "far").symlink_to(tmp_path / "outside")
    (tree / "model" / "near.py").symlink_to(tmp_path / "outside" / "x.py")
    layout = find_layout(tree)
    for path in ("model/far/x.py", "model/near.py"):
        with pytest.raises(UsageError, match=f"{path}.*link leads elsewhere"):
            layout.apply(WholeFiles({path: "x = 1\n"}))
    assert layout.apply(WholeFiles({"model/new/x.py": "x = 1\n"})) == {"model/new/x.py": "x = 1\n"}
