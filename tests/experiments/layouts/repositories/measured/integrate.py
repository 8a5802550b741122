"""Integrate 1 / (1 + x^2) from 0 to 1 by drawing points. Edit this file."""

import random

from truth import EXACT, function

POINTS = 200
STRATA = 4


def integrate(seed: int = 42) -> float:
    draw = random.Random(seed)
    total = 0.0
    for index in range(POINTS):
        total += function((index % STRATA + draw.random()) / STRATA)
    return total / POINTS


error = abs(integrate() - EXACT)
print(f"METRIC error={error}")
print(f"METRIC evaluations={POINTS}")
