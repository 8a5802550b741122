"""What a layout says beside its metric reaches the verdict: a second metric that must hold, a seed that is missing."""

from pathlib import Path

import pytest

from headway.core import Role
from headway.testing.layouts import copy_repository
from headway.testing.repositories import committed, edited, studied

LAYOUTS = Path(__file__).parents[2] / "examples" / "layouts"


@pytest.fixture
def tree(tmp_path):
    return copy_repository(LAYOUTS / "helix", tmp_path / "repository")


def changed(tree, *edits):
    source = (tree / "fit.py").read_text()
    for edit in edits:
        source = edited(source, edit)
    return {"fit.py": source}


def test_a_better_score_is_rejected_where_the_quality_guard_falls(tree, tmp_path):
    committed(tree)
    larger = changed(tree, ("LEARNING_RATE = 0.02", "LEARNING_RATE = 0.1"), ("DEGREE = 1", "DEGREE = 3"))
    with studied(tree, tmp_path / "store", {"larger": larger}, seeds=6) as outcome:
        found = outcome.verdict("larger")
        assert found.decision == "rejected", found.sentence
        assert "parameters may not get worse, and went from 2 to 4" in found.sentence
        assert "helix/contract" not in outcome.after()


@pytest.fixture
def unseeded(tree):
    """Return a repository whose runs are all the same, since nothing in it is left to chance."""
    edits = [("random.seed(42)\n", ""), ("random.shuffle(train)\n", ""), ("random.gauss(0, 0.1)", "0.0")]
    (tree / "fit.py").write_text(changed(tree, *edits)["fit.py"])
    return committed(tree)


def test_without_a_seed_nothing_is_accepted_since_the_noise_is_unknown(unseeded, tmp_path, capsys):
    ideas = {
        "null": changed(unseeded, ("import random\n", "")),
        "harmful": changed(unseeded, ("STEPS = 256", "STEPS = 2")),
        "better": changed(unseeded, ("LEARNING_RATE = 0.02", "LEARNING_RATE = 0.1")),
    }
    with studied(unseeded, tmp_path / "store", ideas, seeds=6) as outcome:
        found = outcome.verdict("better")
        assert found.decision == "undecided"
        assert "its noise is unknown. One run each gave 0.040753 against 0.059257" in found.sentence
        assert outcome.verdict("null").decision == "identical"
        assert outcome.verdict("harmful").decision == "rejected"
        trials = outcome.store.places.of_study(outcome.record.id)
        assert not [place for place in trials if place.role == Role.CONFIRM]
    assert "No seed is written" in capsys.readouterr().err


def test_a_script_that_reads_its_seed_from_the_environment_has_one(tmp_path):
    tree = copy_repository(LAYOUTS / "headway-toml", tmp_path / "repository")
    train = tree / "train.py"
    train.write_text(
        edited(train.read_text(), ('parser.add_argument("--seed", type=int, default=42)\n', "import os\n")).replace(
            "random.Random(args.seed)", 'random.Random(int(os.environ["HEADWAY_SEED"]))'
        )
    )
    settings = tree / "headway.toml"
    settings.write_text(settings.read_text().replace(" --seed {seed}", ""))
    with studied(committed(tree), tmp_path / "store", {}) as outcome:
        values = {trial.value for trial in outcome.trials(outcome.baseline)}
    assert len(values) == 3
