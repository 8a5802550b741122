"""The scripted model of examples/evolve: its ideas fit, compile, have the right gradients, and do what they are for."""

import importlib.util
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.experiments.layouts import EditableFiles, find_layout, parse_patch
from headway.experiments.layouts.patches import apply_patch
from headway.experiments.repositories import RepositoryExperiment, base_of
from headway.propose.evolve import Context, Program, parse_answer, prompt_of
from headway.testing.layouts import copy_repository
from headway.testing.repositories import committed

EXAMPLES = Path(__file__).parents[2] / "examples"
TASK = EXAMPLES / "autoresearch"
BASE = (TASK / "train.py").read_text()
_BROKEN = {"slip", "forgotten", "shapes"}


def _loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


structures = _loaded(EXAMPLES / "evolve" / "structures.py")
NAMES = [idea.name for idea in structures.IDEAS]
SOUND = [name for name in NAMES if name not in _BROKEN]


def _with(*names, source=BASE):
    by_name = {idea.name: idea for idea in structures.IDEAS}
    for name in names:
        source = structures.applied(by_name[name], source)
        assert source is not None, name
    return source


def _first(name):
    """Return the first program with an idea, after what it builds on."""
    return _with(*(("bigram", name) if name == "bigram_counts" else (name,)))


def _asked(source, seed):
    program = Program(number=0, files={"train.py": source}, score="3.2")
    other = Program(number=1, files={"train.py": "raise SystemExit"}, score="4")
    context = Context(task="Learn.", metric="val_bpb", direction="minimize", parent=program, others=[other])
    return structures.complete(prompt_of(context, tokens=30_000), seed)


def _answered(source, seed):
    """Return the program that an answer makes of a parent, through the very code that reads a model's answers."""
    (patch,) = parse_answer(_asked(source, seed), ["train.py"]).patches
    ((_, text),) = _applied(parse_patch(*patch), source).items()
    return text


def _applied(patch, source):
    return apply_patch(patch, {"train.py": source}, EditableFiles(editable=("train.py",), read_only=()))


def _chain(seed, length, without=()):
    """Return a program with ideas put in one after the other in an order by chance, and their names."""
    source, found = BASE, []
    ideas = [idea for idea in structures.IDEAS if idea.name not in {*_BROKEN, *without}]
    for idea in random.Random(seed).sample(ideas, len(ideas)):
        child = structures.applied(idea, source)
        if child is not None and len(found) < length:
            source = child
            found.append(idea.name)
    return source, found


def _model_of(source, monkeypatch):
    """Return a small model of a program's code in double precision, and the names of its module."""
    monkeypatch.syspath_prepend(str(TASK))
    code = source.split("# Setup\n")[0]
    for name, value in {"CONTEXT": 6, "EMBED_DIM": 3, "HEAD_DIM": 4, "DEPTH": 3, "ACTIVATION: str": '"tanh"'}.items():
        code, times = re.subn(rf"^{name} = [^\s]+", f"{name} = {value}", code, flags=re.MULTILINE)
        assert times == 1
    names: dict[str, Any] = {"__name__": "train"}
    exec(compile(code, "train.py", "exec"), names)
    np.random.seed(0)
    model = names["MLP"](256)
    model.params = {key: value.astype(np.float64) for key, value in model.params.items()}
    for value in model.params.values():  # zeros would hide a gradient that is not passed on
        value += 0.1 * np.random.standard_normal(value.shape)
    return model


def _assert_gradients(source, monkeypatch):
    model = _model_of(source, monkeypatch)
    draw = np.random.default_rng(1)
    x = draw.integers(0, 256, (5, 6)).astype(np.uint8)
    y = draw.integers(0, 256, 5)

    def loss():
        np.random.seed(3)
        return model.loss_and_grads(x, y)

    _, grads = loss()
    assert set(grads) == set(model.params)
    for name, value in model.params.items():
        way = np.where(np.abs(grads[name]) > 0, draw.standard_normal(value.shape), 0)
        hidden = draw.random(value.shape) < 50 / value.size
        way += np.where(grads[name] == 0, hidden * draw.standard_normal(value.shape), 0)
        keep, step = value.copy(), 1e-5
        value += step * way
        above, _ = loss()
        value[...] = keep - step * way
        below, _ = loss()
        value[...] = keep
        assert (above - below) / (2 * step) == pytest.approx(float((grads[name] * way).sum()), rel=2e-3, abs=1e-8), name


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Return the task as an experiment, as studies of it have it."""
    place = tmp_path_factory.mktemp("task")
    root = committed(copy_repository(TASK, place / "repository"))
    layout = find_layout(root)
    base = base_of(layout.root, place / "store")
    return RepositoryExperiment.of(layout, base, base.sources(layout.files))


def _run(folder, source, seed=42, *, flops):
    """Run a program in a copy of the task with a smaller budget."""
    tree = copy_repository(TASK, folder)
    (tree / "train.py").write_text(source.replace("np.random.seed(42)", f"np.random.seed({seed})"))
    prepare = tree / "prepare.py"
    prepare.write_text(prepare.read_text().replace("FLOP_BUDGET = 60e9", f"FLOP_BUDGET = {flops}"))
    return subprocess.run([sys.executable, "train.py"], cwd=tree, capture_output=True, text=True, check=False)


def _score(ended):
    assert ended.returncode == 0, ended.stderr
    found = re.search(r"^val_bpb: +(\S+)", ended.stdout, re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_a_third_of_the_ideas_each_helps_does_nothing_or_harms():
    truths = [idea.truth for idea in structures.IDEAS]
    for few, kinds in ((9, {"helps"}), (9, {"neutral"}), (9, {"harms", "breaks"})):
        assert sum(truth in kinds for truth in truths) >= few
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_idea_fits_the_first_program_compiles_and_does_not_come_twice(name):
    source = _first(name)
    assert structures.applied(next(idea for idea in structures.IDEAS if idea.name == name), source) is None
    if name == "slip":
        with pytest.raises(SyntaxError):
            compile(source, "train.py", "exec")
    else:
        compile(source, "train.py", "exec")


@pytest.mark.parametrize("name", NAMES)
def test_an_idea_leaves_measurement_seed_and_constants_alone(name):
    source = _first(name)
    for text in (
        "np.random.seed(42)\n",
        "val_bpb = evaluate_bpb(model, CONTEXT, TOTAL_BATCH_SIZE)\n",
        "flops_per_step = num_flops_per_token * TOTAL_BATCH_SIZE\n",
        BASE[BASE.index("# Final summary") :],
    ):
        assert source.count(text) == BASE.count(text) == 1
    constants = re.findall(r"^[A-Z_]+(?:: str)? = .*$", BASE, re.MULTILINE)
    assert len(constants) == 15
    assert not set(constants) - set(source.splitlines())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "slip"])
def test_nothing_speaks_against_the_code_of_an_idea(name, experiment):
    assert not experiment.doubts({}, {"train.py": _first(name)})


@pytest.mark.parametrize("name", SOUND)
def test_the_gradients_of_an_idea_are_right(name, monkeypatch):
    _assert_gradients(_first(name), monkeypatch)


@pytest.mark.parametrize("seed", range(30))
def test_gradients_stay_right_in_whatever_order_ideas_come(seed, monkeypatch):
    source, names = _chain(seed, 8)
    assert len(names) == 8
    _assert_gradients(source, monkeypatch)


def test_all_ideas_that_exclude_no_other_stand_in_one_program(monkeypatch):
    source, names = _chain(7, 99)
    assert len(names) >= 26
    _assert_gradients(source, monkeypatch)


@pytest.mark.parametrize("seed", range(40))
def test_an_answer_in_blocks_makes_the_same_program_as_the_idea_itself(seed):
    parent, _ = _chain(seed, seed % 6)
    children = {structures.applied(idea, parent) for idea in structures.IDEAS} - {None}
    assert _answered(parent, seed) in children
    assert _asked(parent, seed) == _asked(parent, seed)


def test_an_answer_says_its_idea_and_seeds_bring_all_of_them():
    said = {parse_answer(_asked(BASE, seed), ["train.py"]).note for seed in range(400)}
    assert said == {idea.says for idea in structures.IDEAS if not idea.needs}


def test_a_program_that_was_written_otherwise_gets_the_ideas_that_fit_or_none():
    program = Program(number=0, files={"train.py": "print(1)\n"}, score="3.2")
    context = Context(task="", metric="val_bpb", direction="minimize", parent=program)
    assert "SEARCH" not in structures.complete(prompt_of(context, tokens=30_000), 0)
    with pytest.raises(ValueError, match=r"No train\.py"):
        structures.complete("nothing", 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"slip"}])
def test_a_sound_idea_runs_to_a_score_and_a_broken_one_crashes(name, tmp_path):
    ended = _run(tmp_path / "run", _first(name), flops="2e9")
    if name in _BROKEN:
        assert ended.returncode != 0
        assert "Error" in ended.stderr
    else:
        assert 2.0 < _score(ended) < 6.5


@pytest.fixture(scope="module")
def first_scores(tmp_path_factory):
    """Return what the first program scores with two seeds."""
    place = tmp_path_factory.mktemp("base")
    return [_score(_run(place / str(seed), BASE, seed, flops="30e9")) for seed in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["bigram", "trigram", "counts", "sharp_counts", "skipped", "place_scale", "pairs", "triples"]
)
def test_a_helpful_idea_lowers_the_metric_on_half_of_the_budget(name, tmp_path, first_scores):
    assert max(_score(_run(tmp_path / str(s), _first(name), s, flops="30e9")) for s in range(2)) < min(first_scores)
