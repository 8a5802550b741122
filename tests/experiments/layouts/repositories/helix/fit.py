"""Fit the line by stochastic gradient descent. Edit this file."""

import random

from points import SLOPE, loss, points

LEARNING_RATE = 0.05  # of plain SGD
STEPS = 40
SHUFFLE = True

random.seed(42)
slope, offset = random.gauss(0, 1), random.gauss(0, 1)
train = points(64, 0)
if SHUFFLE:
    random.shuffle(train)
for step in range(STEPS):
    x, y = train[step % len(train)]
    error = slope * x + offset - y
    slope -= LEARNING_RATE * error * x
    offset -= LEARNING_RATE * error
    print(f"step {step:05d} ({100 * step / STEPS:.1f}%) | loss: {error * error:.6f}    ", end="\r", flush=True)
print()
val_loss = loss(slope, offset)
print(f"val_loss:    {val_loss:.6f}")
print(f"slope_error: {abs(slope - SLOPE):.6f}")
