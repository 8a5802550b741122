"""Put circles into the unit square, without overlap, so that their radii add up to much."""

import math
import random

# EVOLVE-BLOCK-START
ROUNDS = 0
STEP = 0.1
SWEEPS = 1


def centers(count, draw):
    """Return where the circles begin: on rings around the middle."""
    points = [(0.5, 0.5)]
    for ring in range(1, 4):
        for place in range(8 * ring):
            angle = 2 * math.pi * place / (8 * ring)
            points.append((0.5 + 0.16 * ring * math.cos(angle), 0.5 + 0.16 * ring * math.sin(angle)))
    return points[:count]


def radii(points):
    """Return a radius for each point: two that would overlap share what lies between them."""
    sizes = [min(x, 1 - x, y, 1 - y) for x, y in points]
    for _sweep in range(SWEEPS):
        for i, first in enumerate(points):
            for j in range(i):
                room = math.dist(first, points[j])
                if sizes[i] + sizes[j] > room:
                    share = room / (sizes[i] + sizes[j])
                    sizes[i], sizes[j] = sizes[i] * share, sizes[j] * share
    return sizes


def pack(count, draw):
    """Return (x, y, radius) of each circle."""
    points = centers(count, draw)
    sizes = radii(points)
    for _round in range(ROUNDS):
        place = draw.randrange(count)
        x, y = points[place]
        step = STEP * (1 - _round / ROUNDS)
        near = [*points]
        near[place] = (x + draw.gauss(0, step), y + draw.gauss(0, step))
        found = radii(near)
        if min(found) > 0 and sum(found) > sum(sizes):
            points, sizes = near, found
    return [(x, y, size) for (x, y), size in zip(points, sizes, strict=True)]


# EVOLVE-BLOCK-END


def run_packing(count, seed):
    """Pack with chance that a seed decides."""
    return pack(count, random.Random(seed))
