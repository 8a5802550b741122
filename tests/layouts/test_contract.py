"""Every layout fulfils its contract, described and through the engine, each on the example that shows it to people."""

from pathlib import Path
from typing import ClassVar

import pytest

from headway.testing.layouts import Changes, LayoutConformance
from headway.testing.repositories import RepositoryConformance

EXAMPLES = Path(__file__).parents[2] / "examples"
LAYOUTS = EXAMPLES / "layouts"


class TestAutoresearch(LayoutConformance):
    name = "autoresearch"
    example = EXAMPLES / "autoresearch"
    editable, read_only = "train.py", "prepare.py"
    changes = Changes(
        better=("MATRIX_LR = 0.001", "MATRIX_LR = 0.004"),
        crash=("num_params = sum(p.size for p in model.params.values())", "num_params = model.size"),
        silent=('print(f"val_bpb:          {val_bpb:.6f}")', ""),
        not_a_number=('print(f"val_bpb:          {val_bpb:.6f}")', 'print("val_bpb:          nan")'),
    )

    def shorten(self, tree: Path) -> None:
        path = tree / "prepare.py"
        text = path.read_text()
        assert "FLOP_BUDGET = 60e9" in text
        path.write_text(text.replace("FLOP_BUDGET = 60e9", "FLOP_BUDGET = 2e9").replace("16_384", "2_048"))


@pytest.mark.slow
class TestAutoresearchInAStudy(TestAutoresearch, RepositoryConformance):
    start = "tokenizer = Tokenizer.from_directory()"
    harmful = ("UNEMBEDDING_LR = 0.002", "UNEMBEDDING_LR = 0.0000001")
    no_numbers = (
        ('print(f"val_bpb:          {val_bpb:.6f}")', 'print("val_bpb:          -inf")'),
        ('print(f"val_bpb:          {val_bpb:.6f}")', 'print("val_bpb:          low")'),
    )
    stale: ClassVar = {"run.log": "---\nval_bpb:          0.100000\npeak_vram_mb:     1.0\n"}
    curve = "loss"
    seconds = 8.0


class TestHelix(RepositoryConformance):
    name = "helix"
    example = LAYOUTS / "helix"
    editable, read_only = "fit.py", "curve.py"
    changes = Changes(
        better=("LEARNING_RATE = 0.02", "LEARNING_RATE = 0.1"),
        crash=("error = value(weights, x) - y", "error = value(weights, x) - z"),
        silent=('print(f"val_loss:    {val_loss:.6f}")', ""),
        not_a_number=("val_loss = loss(weights)", "val_loss = loss([float('nan')])"),
    )
    start = "train = points(256, 0)"
    harmful = ("STEPS = 256", "STEPS = 2")
    no_numbers = (
        ("val_loss = loss(weights)", "val_loss = loss([float('inf')])"),
        ('print(f"val_loss:    {val_loss:.6f}")', 'print("val_loss:    low")'),
    )
    curve = "loss"


class TestMeasured(RepositoryConformance):
    name = "measured"
    example = LAYOUTS / "pi-codex"
    editable, read_only = "sorting.py", "bench.py"
    changes = Changes(
        better=(
            "    drawn = by_insertion(",
            "    half, merged = len(items) // 2, []\n"
            "    left, right = sort(items[:half]), sort(items[half:])\n"
            "    while left and right:\n"
            "        merged.append(right.pop(0) if right[0] < left[0] else left.pop(0))\n"
            "    return [*merged, *left, *right]\n"
            "    drawn = by_insertion(",
        ),
        crash=("pivot = drawn[len(drawn) // 2]", "pivot = drawn[len(drawn)]"),
        silent=("random.seed(42)", "random.seed(42)\nimport os\n\nos._exit(0)"),
        not_a_number=("random.seed(42)", "random.seed(42)\nprint('METRIC comparisons=nan')\nraise SystemExit"),
    )
    start = "    drawn = by_insertion("
    harmful = ("SMALL = 1  # so short", "SMALL = 400  # so short")
    no_numbers = (
        ("random.seed(42)", "random.seed(42)\nprint('METRIC comparisons=-inf')\nraise SystemExit"),
        ("random.seed(42)", "random.seed(42)\nprint('METRIC comparisons=few')\nraise SystemExit"),
    )
    refused: ClassVar = {
        "lose a value": (
            ("    return [*sort(below), pivot, *sort(above)]", "    return [*sort(below), *sort(above)]"),
            "failed",
            "The step 'checks' ended with exit code 1: AssertionError",
        )
    }


class TestOpenEvolve(LayoutConformance):
    name = "openevolve"
    example = LAYOUTS / "openevolve"
    editable, read_only = "initial_program.py", "evaluator.py"
    changes = Changes(
        better=("ROUNDS = 40", "ROUNDS = 250"),
        crash=("return points", "return points.x"),
        silent=("return points", "import os; os._exit(0)"),
        not_a_number=("return points", "math.dist = lambda a, b: math.nan\n    return points"),
    )


@pytest.mark.slow
class TestOpenEvolveInAStudy(TestOpenEvolve, RepositoryConformance):
    start = "    draw = random.Random(42)"
    harmful = ("STEP = 0.5", "STEP = 0.001")
    no_numbers = (
        ("return points", "math.dist = lambda a, b: math.inf\n    return points"),
        ("return points", "math.dist = lambda a, b: 'far'\n    return points"),
    )
    refused: ClassVar = {
        "all in one place": (
            ("return points", "return [(0.5, 0.5)] * count"),
            "failed",
            "evaluate_stage1 gave combined_score 0; the next stage asks for 0.2",
        )
    }


class TestShinka(LayoutConformance):
    name = "shinka"
    example = LAYOUTS / "shinka"
    editable, read_only = "initial.py", "evaluate.py"
    changes = Changes(
        better=("STEP = 0.1", "STEP = 1.0"),
        crash=("return shops", "return shops.x"),
        silent=("return shops", "import os; os._exit(0)"),
        not_a_number=("return shops", "return [(math.nan, math.nan)] * count"),
    )


@pytest.mark.slow
class TestShinkaInAStudy(TestShinka, RepositoryConformance):
    start = "    draw = random.Random(42)"
    harmful = ("shops = draw.sample(customers, count)", "shops = [customers[0]] * count")
    no_numbers = (
        ("return shops", "return [(math.inf, math.inf)] * count"),
        ("return shops", "return [('far', 'away')] * count"),
    )
    refused: ClassVar = {
        "one shop is missing": (("return shops", "return shops[1:]"), "failed", "not correct: ValueError: 39 shops")
    }
    stale: ClassVar = {
        "results/metrics.json": '{"combined_score": 1.0}',
        "results/correct.json": '{"correct": true, "error": null}',
    }


class TestDeclared(LayoutConformance):
    name = "headway.toml"
    example = LAYOUTS / "headway-toml"
    editable, read_only = "train.py", "model/data.py"
    changes = Changes(
        better=(
            'parser.add_argument("--lr", type=float, default=0.01, help="step size")',
            'parser.add_argument("--lr", type=float, default=0.1, help="step size")',
        ),
        crash=("lr = args.lr * (1 - step / args.steps", "lr = args.rate * (1 - step / args.steps"),
        silent=('print(f"val_loss: {val_loss:.6f}")', ""),
        not_a_number=('print(f"val_loss: {val_loss:.6f}")', 'print("val_loss: nan")'),
    )


@pytest.mark.slow
class TestDeclaredInAStudy(TestDeclared, RepositoryConformance):
    start = "train = draws(256, 0)"
    harmful = ('"--steps", type=int, default=128', '"--steps", type=int, default=1')
    no_numbers = (
        ('print(f"val_loss: {val_loss:.6f}")', 'print("val_loss: -inf")'),
        ('print(f"val_loss: {val_loss:.6f}")', 'print("val_loss: low")'),
    )
    refused: ClassVar = {"no Python": (("for step in", "for step on"), "failed", "The step 'check'")}
    curve = "loss"


class TestScored(RepositoryConformance):
    name = "scored"
    example = LAYOUTS / "headway-toml-scored"
    editable, read_only = "train.py", "score.py"
    trust = "guarded"
    seeds = 4
    changes = Changes(
        better=("STEPS = 200", "STEPS = 4000"),
        crash=("random.seed(42)", "random.sow(42)"),
        silent=('json.dump({"weights": weights}, file)', 'json.dump({"weights": []}, file)'),
        not_a_number=('json.dump({"weights": weights}, file)', 'json.dump({"weights": [float("nan")]}, file)'),
    )
    start = "smooth = 0.0"
    harmful = ("STEPS = 200", "STEPS = 5")
    no_numbers = (
        ('json.dump({"weights": weights}, file)', 'json.dump({"weights": [float("inf")]}, file)'),
        ('json.dump({"weights": weights}, file)', 'json.dump({"weights": ["none"]}, file)'),
    )
    stale: ClassVar = {"model.json": '{"weights": [0.0, 2.0, 0.0, -1.1]}'}
    curve = "loss"
