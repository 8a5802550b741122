"""Draws from two bells. Read-only."""

import random


def draws(count, seed):
    draw = random.Random(seed)
    labels = [draw.random() < 0.5 for _ in range(count)]
    return [(draw.gauss(1.0 if label else -1.0, 1.0), float(label)) for label in labels]
