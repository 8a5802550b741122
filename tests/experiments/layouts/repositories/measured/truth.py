"""The exact value. Off limits."""

import math

EXACT = math.pi / 4


def function(x: float) -> float:
    return 1 / (1 + x * x)
