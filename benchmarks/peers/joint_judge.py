"""Run programs with the same fresh seeds: `joint_judge.py REPOSITORY PROGRAMS FIRST_SEED SEEDS WORKERS`.

PROGRAMS is a JSON file: the editable files of each program, by its name. The last line is JSON: the metric of each
program by seed. Seeds reach a program as they do in a study, through the repository's layout.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from headway.experiments.layouts import Layout, find_layout
from headway.testing.layouts import run_steps


def main(repository: Path, programs: Path, first: int, seeds: int, workers: int) -> None:
    """Run each program with each seed, a few at a time, the programs in turns."""
    sources: dict[str, dict[str, str]] = json.loads(programs.read_text())
    runs = [(name, seed) for seed in range(first, first + seeds) for name in sources]
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(workers) as pool:
        scores = list(pool.map(partial(_scored, find_layout(repository), sources, Path(place)), runs))
    found: dict[str, dict[int, float]] = {name: {} for name in sources}
    for (name, seed), score in zip(runs, scores, strict=True):
        found[name][seed] = score
    print(json.dumps(found))


def _scored(layout: Layout, sources: Mapping[str, Mapping[str, str]], place: Path, run: tuple[str, int]) -> float:
    name, seed = run
    seeded = layout.with_seed({**layout.sources(), **sources[name]}, seed)
    if seeded is None:
        raise SystemExit(f"No seed reaches the program of {name}.")
    tree, results = place / f"{name}-{seed}", place / f"{name}-{seed}-results"
    shutil.copytree(layout.root, tree, ignore=shutil.ignore_patterns(".git", "__pycache__"))
    results.mkdir()
    for path, text in {**sources[name], **seeded.files}.items():
        (tree / path).write_text(text)
    reading = run_steps(find_layout(tree), tree, results)
    if reading.value is None:
        raise SystemExit(f"The program of {name} came to no score with seed {seed}. {reading.problem}: {reading.why}")
    return reading.value


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
