"""Half a cosine down to a tenth (Loshchilov and Hutter, 2016), as GPT-3 was trained."""

import math

FLOOR = 0.1


def scale(progress: float) -> float:
    return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * progress)) / 2
