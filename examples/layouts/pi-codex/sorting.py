"""Quicksort with a pivot drawn by chance. Edit this file."""

import random

PIVOTS = 1  # how many are drawn; the middle one is taken
SMALL = 1  # so short a part is sorted by insertion

random.seed(42)


def sort(items: list) -> list:
    if len(items) <= max(1, SMALL):
        return by_insertion(items)
    drawn = by_insertion(random.sample(items, PIVOTS if len(items) > 5 * PIVOTS else 1))
    pivot = drawn[len(drawn) // 2]
    rest = [item for item in items if item is not pivot]
    below = [item for item in rest if item < pivot]
    known = set(map(id, below))
    above = [item for item in rest if id(item) not in known]
    return [*sort(below), pivot, *sort(above)]


def by_insertion(items: list) -> list:
    done: list = []
    for item in items:
        place = len(done)
        while place > 0 and item < done[place - 1]:
            place -= 1
        done.insert(place, item)
    return done
