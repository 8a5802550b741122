"""Score a program: evaluate.py --program_path P --results_dir D. Writes metrics.json and correct.json."""

import argparse
import importlib.util
import json
import os
import random

ROOM = 1.0


def main(program_path, results_dir):
    spec = importlib.util.spec_from_file_location("program", program_path)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    draw = random.Random(0)
    lengths = [draw.uniform(0.1, 0.7) for _ in range(60)]
    bins = program.pack(lengths, ROOM)
    os.makedirs(results_dir, exist_ok=True)
    metrics: dict[str, float] = {"bins": len(bins) if bins is not None else 0}
    correct = bins is not None and sorted(x for b in bins for x in b) == sorted(lengths)
    if bins is not None:
        fills = [program.fullness(b, ROOM) for b in bins]
        # Full bins count most, so that two packings with the same number of bins differ.
        metrics["combined_score"] = sum(fill * fill for fill in fills) / len(fills)
    with open(os.path.join(results_dir, "metrics.json"), "w") as file:
        json.dump(metrics, file)
    with open(os.path.join(results_dir, "correct.json"), "w") as file:
        json.dump({"correct": correct or bins is None, "error": None if correct else "an item is lost"}, file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program_path", default="initial.py")
    parser.add_argument("--results_dir", default="results")
    arguments = parser.parse_args()
    main(arguments.program_path, arguments.results_dir)
