"""Noisy points of a curve, and how well a polynomial fits others of them. Read-only."""

import math
import random


def points(count: int, seed: int) -> list[tuple[float, float]]:
    draw = random.Random(seed)
    xs = [draw.uniform(-1, 1) for _ in range(count)]
    return [(x, math.sin(2 * x) + draw.gauss(0, 0.1)) for x in xs]


def value(weights: list[float], x: float) -> float:
    return sum(weight * x**power for power, weight in enumerate(weights))


def loss(weights: list[float]) -> float:
    return sum((value(weights, x) - y) ** 2 for x, y in points(256, 1)) / 256
