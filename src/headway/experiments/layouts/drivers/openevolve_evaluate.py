"""Call a function of an OpenEvolve evaluator and write its metrics as JSON: EVALUATOR FUNCTION PROGRAM RESULT SEED.

This file runs by itself in the repository's own Python, which may not have Headway. `prepare` is for who keeps the
evaluator loaded.
"""

import importlib
import importlib.util
import inspect
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast


def main(evaluator: str, function: str, program: str, result: str, seed: str) -> None:
    """Evaluate `program`; the file `result` appears when all of it is written."""
    _seed(int(seed))
    module = _load(evaluator)
    _seed(int(seed))  # what the evaluator imported may have a generator of its own
    metrics = _metrics(module, function, program)
    with open(result + ".part", "w") as file:
        json.dump(metrics, file)
    os.replace(result + ".part", result)


def prepare(evaluator: str, functions: str, thresholds: str) -> Callable[[dict[str, Any]], Iterator[object]]:
    """Load the evaluator; return what calls the functions in turn while the score reaches the thresholds.

    It yields the metrics of each, so that those of a stage are known when the next one fails.
    """
    module, names = _load(evaluator), functions.split(",")
    if any(map(inspect.iscoroutinefunction, cast("dict[str, object]", vars(module)).values())):
        importlib.import_module("asyncio")  # not for all: what it loads adds a quarter to a small candidate's CPU time
    limits = [float(text) for text in thresholds.split(",") if text]

    def evaluate(request: dict[str, Any]) -> Iterator[object]:
        so_far: dict[str, object] = {}
        for index, name in enumerate(names):
            if 0 < index <= len(limits) and not _passes(so_far, limits[index - 1]):
                break
            if index:  # each stage begins as where it is a process of its own
                _seed(int(request["seed"]))
            found = _metrics(module, name, request["program"])
            so_far |= found
            yield found

    return evaluate


def _load(evaluator: str) -> Any:
    sys.path.insert(0, os.path.dirname(evaluator))
    spec = importlib.util.spec_from_file_location("evaluator", evaluator)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["evaluator"] = module
    spec.loader.exec_module(module)
    return module


def _metrics(module: Any, function: str, program: str) -> dict[str, object]:
    metrics: Any = getattr(module, function)(program)
    if not isinstance(metrics, dict):  # to ask a dict whether it is awaitable takes 8 % of a small candidate's time
        metrics = _unpacked(metrics)
    if not isinstance(metrics, dict):
        raise SystemExit(f"{function} returned {type(metrics).__name__}. Expected a dict of metrics.")
    return {str(key): _plain(value) for key, value in cast("dict[object, Any]", metrics).items()}


def _unpacked(found: Any) -> Any:
    """Wait for what is awaitable, and take the metrics out of OpenEvolve's EvaluationResult."""
    if inspect.isawaitable(found):
        import asyncio

        found = asyncio.run(_awaited(found))
    return getattr(found, "metrics", found)


def _passes(metrics: dict[str, object], threshold: float) -> bool:
    """Tell whether combined_score, or without one the mean of all numbers, reaches a threshold."""
    score = metrics.get("combined_score")
    if isinstance(score, int | float):
        return score >= threshold
    numbers = [value for key, value in metrics.items() if key != "error" and isinstance(value, int | float)]
    return bool(numbers) and sum(numbers) / len(numbers) >= threshold


def _seed(seed: int) -> None:
    os.environ["HEADWAY_SEED"] = str(seed)
    random.seed(seed)
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


async def _awaited(found: Awaitable[Any]) -> Any:
    return await found


def _plain(value: Any) -> object:
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    try:
        return float(value)  # a number of numpy's or torch's
    except (TypeError, ValueError):
        return str(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
