"""Score a recipe of ideas: the sum of their true effects, and noise of the run whose spread is 1.

Each idea is a whole number, and its effect is fixed by that number and `TASK_SEED`: of all ideas 15 % help, by 1 on
average, 35 % change nothing, and 50 % harm, by 1 on average; sizes are exponential. So one run of one change says
little, as in training: the noise is as large as the typical gain.

A run's noise is new each time, also for a program that was run before. Where the variable HEADWAY_SEED is set, it is
drawn from that seed and the program, so that the same run can be had again; two programs share no noise.
"""

import ast
import hashlib
import importlib.util
import os
import random
from collections.abc import Iterable
from pathlib import Path

TASK_SEED = 0
HELPFUL, NEUTRAL = 0.15, 0.35
NOISE = 1.0
MOST = 60


def effect(idea: int) -> float:
    """Return what an idea adds, in units of the noise's spread."""
    draw = random.Random(f"{TASK_SEED}:{idea}")
    kind, size = draw.random(), draw.expovariate(1)
    if kind < HELPFUL:
        return size
    return 0.0 if kind < HELPFUL + NEUTRAL else -size


def value_of(ideas: Iterable[int]) -> float:
    """Return what a recipe is worth without noise. Raises `ValueError` for what is no recipe."""
    listed = list(ideas)
    if not all(type(idea) is int for idea in listed):
        raise ValueError(f"The recipe holds {listed}. Expected whole numbers.")
    if len(set(listed)) != len(listed) or len(listed) > MOST:
        raise ValueError(f"The recipe holds {len(listed)} ideas. Expected at most {MOST}, none twice.")
    return sum(effect(idea) for idea in listed)


def true_value(program_text: str) -> float:
    """Return the worth of a program's recipe, read from its text and never run."""
    for node in ast.parse(program_text).body:
        match node:
            case ast.Assign(targets=[ast.Name("IDEAS")], value=value):
                return value_of(ast.literal_eval(value))
            case _:
                pass
    raise ValueError("The program has no line 'IDEAS = [...]'.")


def noise_of(program_text: str, seed: str | None) -> float:
    """Return the noise of one run: new without a seed, else that of this program with this seed."""
    if seed is None:
        return random.SystemRandom().gauss(0, NOISE)
    digest = hashlib.sha256(program_text.encode()).hexdigest()
    return random.Random(f"{TASK_SEED}:{seed}:{digest}").gauss(0, NOISE)


def evaluate(program_path: str) -> dict[str, float]:
    """Run a program and return the score of this run."""
    spec = importlib.util.spec_from_file_location("program", program_path)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    text = Path(program_path).read_text(encoding="utf-8")
    return {"combined_score": value_of(program.ideas()) + noise_of(text, os.environ.get("HEADWAY_SEED"))}
