"""A training that takes some hundredths of a second: three points of a curve, and a value that noise lies on."""

import random
import sys

WIDTH = 8
random.seed(int(sys.argv[1]))


def loss() -> float:
    """Return the value; ideas change its last line."""
    noise = random.gauss(0, 0.01)
    base = 1.0 + 1 / WIDTH + noise
    return base + 0.0


for step in range(3):
    print(f"step {step} | loss: {loss() + 1 / (step + 1):.5f}")
print(f"val_loss: {loss():.6f}")
