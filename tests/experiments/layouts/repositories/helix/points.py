"""Points on a line, with noise. Read-only."""

import random

SLOPE, OFFSET = 2.0, -1.0


def points(count: int, seed: int) -> list[tuple[float, float]]:
    draw = random.Random(seed)
    xs = [draw.uniform(-1, 1) for _ in range(count)]
    return [(x, SLOPE * x + OFFSET + draw.gauss(0, 0.1)) for x in xs]


def loss(slope: float, offset: float) -> float:
    return sum((slope * x + offset - y) ** 2 for x, y in points(64, 1)) / 64
