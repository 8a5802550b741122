"""How a chance that must last for an unknown number of turns is divided among them. `fdr` and `noise` call it."""

import math

__all__ = ["FEW", "MANY", "left_after", "share"]

FEW, MANY = 3, 50


def share(turn: int, first: int = MANY) -> float:
    """Return the part of turn 1, 2, ...; all parts together are exactly 1.

    The `first` turns get parts of about 1 / `first` and a few times less; then they fall as 1 / (t log^2 t), about as
    slowly as a sum that ends can. It is the difference of two logarithmic tails, so no constant must be summed up.
    """
    return left_after(turn - 1, first) - left_after(turn, first)


def left_after(turns: int, first: int = MANY) -> float:
    """Return what is left for the turns after the first `turns`."""
    return 1 / (1 + math.log1p(turns / first))
