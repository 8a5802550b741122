"""Train one logistic unit. Edit this file."""

import argparse
import json
import math
import random
import resource

from model.data import draws
from model.unit import probability

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.01, help="step size")
parser.add_argument("--steps", type=int, default=128)
parser.add_argument("--schedule", choices=["constant", "linear"], default="constant")
parser.add_argument("--seed", type=int, default=42)
args = parser.parse_args()

draw = random.Random(args.seed)
train = draws(256, 0)
weight, bias = draw.gauss(0, 0.1), 0.0
smooth = 0.0  # the mean loss of the last steps
for step in range(args.steps):
    x, label = draw.choice(train)
    p = probability(weight, bias, x)
    lr = args.lr * (1 - step / args.steps if args.schedule == "linear" else 1)
    weight -= lr * (p - label) * x
    bias -= lr * (p - label)
    smooth += (-math.log(p if label else 1 - p) - smooth) / min(step + 1, 32)
    if step % 8 == 0:
        print(json.dumps({"step": step, "loss": round(smooth, 6)}))
ps = [(probability(weight, bias, x), label) for x, label in draws(256, 1)]
val_loss = -sum(math.log(p if label else 1 - p) for p, label in ps) / len(ps)
print(f"peak_mb: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f}")
print(f"val_loss: {val_loss:.6f}")
