"""The model of `triage_study.py`, and how building and training it fails."""

import mmap
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

LIMIT_BYTES = 160 * 1024 * 1024


class TrainingError(Exception):
    """Wrap whatever went wrong in training."""


def build(cause: str | None, config: Mapping[str, Any]) -> None:
    """Check what cannot be built: one line raises for two causes."""
    problem = ""
    if cause == "deep_without_norm":
        problem = f"{config['layers']} layers without a norm are unstable, at most 9 are allowed"
    if cause == "no_kernel":
        problem = f"no kernel for {config['precision']} of width {config['width']} in {object()}"
    if problem:
        raise RuntimeError(problem)
    if cause == "indivisible_heads":
        attend(config["width"], config["heads"])
    if cause == "too_much_asked":
        cache(LIMIT_BYTES * (2 + config["batch"] % 3))
    if cause == "over_the_limit":
        spread(LIMIT_BYTES * 2)


def attend(width: int, heads: int) -> None:
    """Split a width among heads."""
    raise ValueError(f"width {width} does not divide by {heads} heads")


def cache(size: int) -> bytearray:
    """Ask the kernel for memory that it refuses: a MemoryError."""
    return bytearray(size)


def spread(size: int) -> None:
    """Fill shared memory, which no rlimit counts, until the engine sees it."""
    with mmap.mmap(-1, size) as shared:
        for start in range(0, size, 1024 * 1024):
            shared[start] = 1
            shared[start : start + 1024 * 1024] = b"1" * (1024 * 1024)
        time.sleep(20)


def project(data: np.ndarray[Any, Any], cause: str | None) -> np.ndarray[Any, Any]:
    """Solve for a projection, which may not exist."""
    return np.linalg.inv(np.ones((8, 8)) if cause == "singular_projection" else np.eye(8)) @ data


def visit(node: int, depth: int) -> int:
    """Go down a graph that has a circle: one function calls another, which calls the first."""
    return enter(node, depth + 1)


def enter(node: int, depth: int) -> int:
    """Go one deeper."""
    return visit(node + 1, depth) if node % 2 else visit(node + 3, len(str(depth)))


def step(cause: str | None, config: Mapping[str, Any]) -> None:
    """Take an optimizer's step."""
    if cause == "endless_graph":
        sys.setrecursionlimit(150 + 60 * config["layers"])
        visit(config["heads"], 0)
    if cause == "too_large_a_step":
        raise ValueError(f"the step's norm {config['lr'] * 1e4:.3f} is beyond {50 * config['layers']}")
    if cause == "hangs":
        time.sleep(60)
    if cause == "gives_up":
        sys.exit(3)


def evaluate(cause: str | None, config: Mapping[str, Any]) -> None:
    """Evaluate: two causes are wrapped alike, by the same line."""
    splits = {"validation": 0 if cause == "empty_split" else 8}
    try:
        measure(splits, "test" if cause == "unknown_split" else "validation")
    except Exception as error:
        raise TrainingError(f"evaluation of {config['width']} failed") from error


def measure(splits: Mapping[str, int], name: str) -> float:
    """Return a mean over a split."""
    return 1 / splits[name]
