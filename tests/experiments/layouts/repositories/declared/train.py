"""Train one logistic unit."""

import argparse
import json
import math
import random
import resource

from model.data import draws
from model.unit import probability

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.02, help="step size")
parser.add_argument("--steps", type=int, default=64)
parser.add_argument("--schedule", choices=["constant", "linear"], default="constant")
parser.add_argument("--seed", type=int, default=42)
args = parser.parse_args()

draw = random.Random(args.seed)
weight, bias = draw.gauss(0, 0.1), 0.0
for step in range(args.steps):
    x, label = draw.choice(draws(256, 0))
    p = probability(weight, bias, x)
    lr = args.lr * (1 - step / args.steps if args.schedule == "linear" else 1)
    weight -= lr * (p - label) * x
    bias -= lr * (p - label)
    if step % 16 == 0:
        print(json.dumps({"step": step, "loss": -math.log(p if label else 1 - p)}))
ps = [(probability(weight, bias, x), label) for x, label in draws(256, 1)]
val_loss = -sum(math.log(p if label else 1 - p) for p, label in ps) / len(ps)
print(f"peak_mb: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f}")
print(f"val_loss: {val_loss:.6f}")
