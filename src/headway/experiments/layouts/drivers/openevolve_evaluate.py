"""Call a function of an OpenEvolve evaluator and write its metrics as JSON: EVALUATOR FUNCTION PROGRAM RESULT.

This file runs by itself in the repository's own Python, which may not have Headway.
"""

import asyncio
import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Awaitable
from typing import Any, cast


def main(evaluator: str, function: str, program: str, result: str) -> None:
    """Evaluate `program`; the file `result` appears when all of it is written."""
    sys.path.insert(0, os.path.dirname(evaluator))
    spec = importlib.util.spec_from_file_location("evaluator", evaluator)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["evaluator"] = module
    spec.loader.exec_module(module)
    found: Any = getattr(module, function)(program)
    if inspect.isawaitable(found):
        found = asyncio.run(_awaited(found))
    metrics: Any = getattr(found, "metrics", found)  # OpenEvolve's EvaluationResult, or a plain dict
    if not isinstance(metrics, dict):
        raise SystemExit(f"{function} returned {type(metrics).__name__}. Expected a dict of metrics.")
    with open(result + ".part", "w") as file:
        json.dump({str(key): _plain(value) for key, value in cast("dict[object, Any]", metrics).items()}, file)
    os.replace(result + ".part", result)


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
