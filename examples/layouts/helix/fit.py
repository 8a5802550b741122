"""Fit a polynomial by stochastic gradient descent. Edit this file."""

import random

from curve import loss, points, value

LEARNING_RATE = 0.02  # of plain SGD
STEPS = 256
DEGREE = 1

random.seed(42)
train = points(256, 0)
random.shuffle(train)
weights = [random.gauss(0, 0.1) for _ in range(DEGREE + 1)]
smooth = 0.0  # the mean loss of the last steps
for step in range(STEPS):
    x, y = train[step % len(train)]
    error = value(weights, x) - y
    weights = [weight - LEARNING_RATE * error * x**power for power, weight in enumerate(weights)]
    smooth += (error * error - smooth) / min(step + 1, 64)
    if step % 16 == 0:
        print(f"step {step:05d} ({100 * step / STEPS:.1f}%) | loss: {smooth:.6f}    ", end="\r", flush=True)
print()
val_loss = loss(weights)
print(f"val_loss:    {val_loss:.6f}")
print(f"parameters:  {len(weights)}")
