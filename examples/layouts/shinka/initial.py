"""Place shops so that customers have short ways."""

import math
import random

# EVOLVE-BLOCK-START
ROUNDS = 4
STEP = 0.1


def place(customers, count):
    draw = random.Random(42)
    shops = draw.sample(customers, count)
    for _ in range(ROUNDS):
        near = [[] for _ in shops]
        for customer in customers:
            near[nearest(customer, shops)].append(customer)
        shops = [towards(middle(group, shop), shop) for group, shop in zip(near, shops, strict=True)]
    return shops


def towards(goal, start):
    return start[0] + STEP * (goal[0] - start[0]), start[1] + STEP * (goal[1] - start[1])


# EVOLVE-BLOCK-END


def nearest(customer, shops):
    return min(range(len(shops)), key=lambda index: math.dist(customer, shops[index]))


def middle(group, otherwise):
    """Return the middle of a group of points, or another point where there is none."""
    if not group:
        return otherwise
    return sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)
