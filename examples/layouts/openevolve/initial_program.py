"""Place points in the unit square, far from each other."""

import math
import random

# EVOLVE-BLOCK-START
ROUNDS = 40
STEP = 0.5


def place(count):
    draw = random.Random(42)
    points = [(draw.random(), draw.random()) for _ in range(count)]
    for done in range(ROUNDS):
        move = STEP * (1 - done / ROUNDS)
        for index in range(count):
            near = (points[index][0] + draw.gauss(0, move), points[index][1] + draw.gauss(0, move))
            if room(near, index, points) > room(points[index], index, points):
                points[index] = near
    return points


# EVOLVE-BLOCK-END


def room(point, index, points):
    """Return how far a point lies from all others; nothing outside of the square counts."""
    if not (0 <= point[0] <= 1 and 0 <= point[1] <= 1):
        return -1.0
    return min(math.dist(point, other) for place, other in enumerate(points) if place != index)
