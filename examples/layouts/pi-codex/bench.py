"""Count the comparisons of sorting.py, or check what it gives back (--check). Off limits."""

import random
import sys
from functools import total_ordering

from sorting import sort

SIZE, LISTS = 400, 16
COMPARED = [0]


@total_ordering
class Counted:
    def __init__(self, value: float) -> None:
        self.value = value

    def __lt__(self, other: "Counted") -> bool:
        COMPARED[0] += 1
        return self.value < other.value

    def __eq__(self, other: object) -> bool:
        COMPARED[0] += 1
        return isinstance(other, Counted) and self.value == other.value

    def __hash__(self) -> int:
        raise TypeError("what is counted has no hash: compare it")


def given(seed: int) -> list[float]:
    draw = random.Random(seed)
    return [draw.random() for _ in range(SIZE)]


def check() -> None:
    for values in ([], [1.0], [2.0, 1.0, 2.0], given(7)):
        found = [item.value for item in sort([Counted(value) for value in values])]
        assert found == sorted(values), f"{len(values)} values come back as {len(found)} others"


def measure() -> None:
    for step in range(LISTS):
        before = COMPARED[0]
        sort([Counted(value) for value in given(step)])
        print(f"step {step} | comparisons of a list: {COMPARED[0] - before}")
    print(f"METRIC comparisons={COMPARED[0] / LISTS:.3f}")


if __name__ == "__main__":
    check() if sys.argv[1:] == ["--check"] else measure()
