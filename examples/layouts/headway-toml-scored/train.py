"""Fit a polynomial to sin(2x) and save it. What it prints does not count: score.py looks at model.json."""

import json
import math
import random

LEARNING_RATE = 0.05
STEPS = 200
DEGREE = 3

random.seed(42)
weights = [random.gauss(0, 0.1) for _ in range(DEGREE + 1)]
smooth = 0.0  # the mean loss of the last steps
for step in range(STEPS):
    x = random.uniform(-1, 1)
    error = sum(weight * x**power for power, weight in enumerate(weights)) - math.sin(2 * x)
    weights = [weight - LEARNING_RATE * error * x**power for power, weight in enumerate(weights)]
    smooth += (error * error - smooth) / min(step + 1, 50)
    if step % 20 == 0:
        print(f"step {step} | loss: {smooth:.6f}")
with open("model.json", "w") as file:
    json.dump({"weights": weights}, file)
print(f"train_loss: {smooth:.6f}")
