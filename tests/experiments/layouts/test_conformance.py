"""Every layout passes the suite, each on an example of its own."""

from pathlib import Path

from headway.testing.layouts import Changes, LayoutConformance

ROOT = Path(__file__).parents[3]
REPOSITORIES = Path(__file__).parent / "repositories"


class TestAutoresearch(LayoutConformance):
    name = "autoresearch"
    example = ROOT / "examples" / "autoresearch"
    editable, read_only = "train.py", "prepare.py"
    changes = Changes(
        better=("MATRIX_LR = 0.001  # learning rate for the hidden layers (Adam)", "MATRIX_LR = 0.004"),
        crash=("num_params = sum(p.size for p in model.params.values())", "num_params = model.size"),
        silent=('print(f"val_bpb:          {val_bpb:.6f}")', ""),
        not_a_number=('print(f"val_bpb:          {val_bpb:.6f}")', 'print("val_bpb:          nan")'),
    )

    def shorten(self, tree: Path) -> None:
        path = tree / "prepare.py"
        text = path.read_text()
        assert "FLOP_BUDGET = 60e9" in text
        path.write_text(text.replace("FLOP_BUDGET = 60e9", "FLOP_BUDGET = 2e9").replace("16_384", "2_048"))


class TestHelix(LayoutConformance):
    name = "helix"
    example = REPOSITORIES / "helix"
    editable, read_only = "fit.py", "points.py"
    changes = Changes(
        better=("LEARNING_RATE = 0.05  # of plain SGD", "LEARNING_RATE = 0.5"),
        crash=("error = slope * x + offset - y", "error = slope * x + offset - z"),
        silent=('print(f"val_loss:    {val_loss:.6f}")', ""),
        not_a_number=("val_loss = loss(slope, offset)", "val_loss = loss(slope, float('nan'))"),
    )


class TestMeasured(LayoutConformance):
    name = "measured"
    example = REPOSITORIES / "measured"
    editable, read_only = "integrate.py", "truth.py"
    changes = Changes(
        better=("STRATA = 4", "STRATA = 100"),
        crash=("return total / POINTS", "return total / 0"),
        silent=('print(f"METRIC error={error}")', ""),
        not_a_number=("return total / POINTS", 'return float("nan")'),
    )


class TestOpenEvolve(LayoutConformance):
    name = "openevolve"
    example = REPOSITORIES / "openevolve"
    editable, read_only = "initial_program.py", "evaluator.py"
    changes = Changes(
        better=("ROUNDS = 60", "ROUNDS = 2000"),
        crash=("return best", "return best.x"),
        silent=("return best", "return None"),
        not_a_number=("return best", 'return best[0], float("nan")'),
    )


class TestShinka(LayoutConformance):
    name = "shinka"
    example = REPOSITORIES / "shinka"
    editable, read_only = "initial.py", "evaluate.py"
    changes = Changes(
        better=("for item in items:", "for item in sorted(items, reverse=True):"),
        crash=("bins = []", "bins = [1]"),
        silent=("return bins", "return None"),
        not_a_number=("return sum(items) / room", 'return float("nan")'),
    )


class TestDeclared(LayoutConformance):
    name = "headway.toml"
    example = REPOSITORIES / "declared"
    editable, read_only = "train.py", "model/data.py"
    changes = Changes(
        better=(
            'parser.add_argument("--lr", type=float, default=0.02, help="step size")',
            'parser.add_argument("--lr", type=float, default=0.2, help="step size")',
        ),
        crash=("lr = args.lr * (1 - step / args.steps", "lr = args.rate * (1 - step / args.steps"),
        silent=('print(f"val_loss: {val_loss:.6f}")', ""),
        not_a_number=('print(f"val_loss: {val_loss:.6f}")', 'print("val_loss: nan")'),
    )


class TestScored(LayoutConformance):
    name = "scored"
    example = REPOSITORIES / "scored"
    editable, read_only = "train.py", "score.py"
    trust = "guarded"
    changes = Changes(
        better=("STEPS = 200", "STEPS = 4000"),
        crash=("random.seed(42)", "random.sow(42)"),
        silent=('json.dump({"weights": weights}, file)', 'json.dump({"weights": []}, file)'),
        not_a_number=('json.dump({"weights": weights}, file)', 'json.dump({"weights": [float("nan")]}, file)'),
    )
