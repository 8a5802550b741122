"""Shinka's way to call the evaluator beside this file: evaluate.py --program_path P --results_dir D."""

import argparse
import json
from pathlib import Path

from evaluator import evaluate


def main(program_path: str, results_dir: Path) -> None:
    """Write metrics.json and correct.json, as Shinka reads them."""
    metrics: dict[str, float] = {}
    error = None
    try:
        metrics = evaluate(program_path)
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    results_dir.mkdir(parents=True, exist_ok=True)
    results_dir.joinpath("metrics.json").write_text(json.dumps(metrics))
    results_dir.joinpath("correct.json").write_text(json.dumps({"correct": error is None, "error": error}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program_path", default="initial.py")
    parser.add_argument("--results_dir", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    main(arguments.program_path, arguments.results_dir)
