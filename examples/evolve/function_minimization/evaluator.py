"""Score a search: how low it comes in a landscape of 82 valleys, on average over many short runs.

A run has 150 looks. Who looks more often, or gives a place outside of the square, has no score. The chance in the runs
comes from the variable HEADWAY_SEED where it is set, else it is new each time.
"""

import importlib.util
import math
import os
import secrets

LOW, HIGH = -6.0, 6.0
LOOKS, RUNS = 150, 60
LOWEST = -1.5662820678213074  # at (3.61821, -2.98315): found on a grid of 1,200 by 1,200, then by halved steps


class TooManyLooks(Exception):
    """Say that a search asked more often than it may."""


def height(x, y):
    """Return how high the landscape is."""
    return (
        ((x - 2.6) ** 2 + (y + 3.1) ** 2) / 60 + math.sin(3 * x + y) * math.cos(2 * y - x) + 0.6 * math.sin(1.3 * x * y)
    )


class Counted:
    """Ask for the height and count."""

    def __init__(self):
        self.left = LOOKS

    def __call__(self, x, y):
        if self.left == 0:
            raise TooManyLooks(f"The search asked more than {LOOKS} times.")
        self.left -= 1
        return height(x, y)


def gap(program, seed):
    """Return how far above the lowest place one run ends."""
    x, y = (float(number) for number in program.run_search(Counted(), LOW, HIGH, LOOKS, seed))
    if not (LOW <= x <= HIGH and LOW <= y <= HIGH):
        raise ValueError(f"({x}, {y}) lies outside of the square from {LOW} to {HIGH}.")
    return height(x, y) - LOWEST


def evaluate(program_path):
    """Return the score, 1 where every run finds the lowest place, and the mean gap."""
    spec = importlib.util.spec_from_file_location("program", program_path)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    seed = os.environ.get("HEADWAY_SEED") or secrets.token_hex(8)
    gaps = [gap(program, f"{seed}:{run}") for run in range(RUNS)]
    return {"combined_score": sum(1 / (1 + 5 * gap) for gap in gaps) / RUNS, "mean_gap": sum(gaps) / RUNS}
