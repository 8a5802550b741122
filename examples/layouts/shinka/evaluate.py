"""Score a program: evaluate.py --program_path P --results_dir D. Writes metrics.json and correct.json."""

import argparse
import importlib.util
import json
import math
import os
import random
import traceback

SHOPS, CUSTOMERS = 40, 400


def load(program_path):
    spec = importlib.util.spec_from_file_location("program", program_path)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def score(program):
    """Return how near the shops lie to those who shop there: 1 less the mean way."""
    draw = random.Random(0)
    customers = [(draw.random(), draw.random()) for _ in range(CUSTOMERS)]
    shops = program.place(customers, SHOPS)
    if len(shops) != SHOPS:
        raise ValueError(f"{len(shops)} shops were placed, and {SHOPS} were asked for")
    ways = [min(math.dist(customer, shop) for shop in shops) for customer in customers]
    return {"combined_score": 1 - sum(ways) / CUSTOMERS, "longest_way": max(ways)}


def main(program_path, results_dir):
    metrics, error = {}, None
    try:
        metrics = score(load(program_path))
    except Exception as problem:
        traceback.print_exc()
        error = f"{type(problem).__name__}: {problem}"
    os.makedirs(results_dir, exist_ok=True)
    with open(os.path.join(results_dir, "metrics.json"), "w") as file:
        json.dump(metrics, file)
    with open(os.path.join(results_dir, "correct.json"), "w") as file:
        json.dump({"correct": error is None, "error": error}, file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program_path", default="initial.py")
    parser.add_argument("--results_dir", default="results")
    arguments = parser.parse_args()
    main(arguments.program_path, arguments.results_dir)
