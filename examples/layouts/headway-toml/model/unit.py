"""One logistic unit."""

import math

CLIP = 30.0


def probability(weight, bias, x):
    return 1 / (1 + math.exp(-max(-CLIP, min(CLIP, weight * x + bias))))
