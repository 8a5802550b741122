"""Pack intervals of fixed lengths into few bins."""

import random

# EVOLVE-BLOCK-START
ORDER: str = "given"
TRIES = 1


def pack(lengths, room):
    bins = []
    items = sorted(lengths) if ORDER == "rising" else list(lengths)
    random.seed(42)
    for _ in range(TRIES):
        random.shuffle(items)
    for item in items:
        place = next((b for b in bins if sum(b) + item <= room), None)
        if place is None:
            bins.append([item])
        else:
            place.append(item)
    return bins


def fullness(items, room):
    return sum(items) / room


# EVOLVE-BLOCK-END
