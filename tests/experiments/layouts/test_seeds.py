"""Seeds that are written in the code."""

from typing import Any

import pytest

from headway.core import UsageError
from headway.experiments.layouts import rewrite_seed, rewrite_seeds, written_seed


def test_the_seeds_of_autoresearch_are_rewritten_and_shown():
    source = "import torch\n\ntorch.manual_seed(42)  # é\ntorch.cuda.manual_seed(42)\nLR = 42\n"
    found = rewrite_seed(source, 7)
    assert found is not None
    assert found[0] == source.replace("seed(42)", "seed(7)")
    assert found[1] == ("line 3: torch.manual_seed(...) 42 -> 7", "line 4: torch.cuda.manual_seed(...) 42 -> 7")
    again = rewrite_seed(found[0], 42)
    assert again is not None
    assert again[0] == source


@pytest.mark.parametrize(
    "line",
    [
        "SEED = 42", "seed: int = 42", "RANDOM_SEED = 42", "random.seed(42)", "np.random.seed(42)",
        "mx.random.seed(42)",
        "rng = np.random.default_rng(42)", "r = random.Random(42)", "g = torch.Generator().manual_seed(42)",
        "set_seed(42)",
        "key = jax.random.PRNGKey(42)", "key = jax.random.key(42)", "split(x, random_state=42)",
        "np.random.RandomState(42)",
        "def main(steps, seed=42): pass", "def main(*, seed=42): pass",
        "p.add_argument('--seed', type=int, default=42)",
        "p.add_argument('--random-seed', default=42)", "torch.cuda.manual_seed_all(42)", "run(seed=42)",
    ],
)  # fmt: skip
def test_a_seed_is_found_where_people_write_it(line):
    found = rewrite_seed(line, 7)
    assert found is not None
    assert found[0] == line.replace("42", "7")
    assert written_seed(line) == 42


@pytest.mark.parametrize(
    "line", ["x = 42", "random.seed(n)", "seeds = [42]", "SEED = None", "f.seed()", "add(42)", "EXCEED = 42", "x = ="]
)
def test_without_a_seed_in_the_code_there_is_none_to_give(line):
    assert rewrite_seed(line, 7) is None
    assert written_seed(line) is None


def test_several_seeds_keep_their_distances_over_all_files():
    seeded = rewrite_seeds({"a.py": "SEED = 42\nDATA_SEED = 50\n", "b.py": "random.seed(42)\n", "c.py": "x = 1\n"}, 1)
    assert seeded is not None
    assert seeded.files == {"a.py": "SEED = 1\nDATA_SEED = 9\n", "b.py": "random.seed(1)\n"}
    assert seeded.rewritten[2] == "b.py:1: random.seed(...) 42 -> 1"


@pytest.mark.parametrize("seed", [-1, 2**31, 1.0, True])
def test_a_seed_that_cannot_be_written_is_refused(seed: Any):
    with pytest.raises(UsageError, match="whole number"):
        rewrite_seed("SEED = 1", seed)
