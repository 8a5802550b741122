"""Look for the lowest place of a hilly landscape, with few looks at it."""

import math
import random

# EVOLVE-BLOCK-START
SPREAD = 1.0


def search(height, low, high, looks, draw):
    """Return the lowest (x, y) that was seen; `height(x, y)` may be asked `looks` times."""
    best, lowest = (0.0, 0.0), math.inf
    for _look in range(looks):
        x, y = draw.uniform(low, high), draw.uniform(low, high)
        found = height(x, y)
        if found < lowest:
            best, lowest = (x, y), found
    return best


# EVOLVE-BLOCK-END


def run_search(height, low, high, looks, seed):
    """Search with chance that a seed decides."""
    return search(height, low, high, looks, random.Random(seed))
