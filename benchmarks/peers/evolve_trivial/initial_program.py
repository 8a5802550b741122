"""Give a point: the evaluator says how near it lies to one that is not told."""

# EVOLVE-BLOCK-START
X = 0.0
Y = 0.0
# EVOLVE-BLOCK-END


def point() -> tuple[float, float]:
    """Return the point."""
    return X, Y
