"""The smallest repositories that there are of each layout: pure Python, a run takes hundredths of a second.

All fit a line to points that are drawn with noise. STEPS is what helps: 40 of them do better than 10, and 5 worse.
"""

import json
import random

__all__ = ["AUTORESEARCH", "GUARDED", "OPENEVOLVE", "error_of", "trained"]

_POINTS = [(x / 10, 3 * x / 10 - 1) for x in range(-10, 11)]

_TRAIN = '''"""Fit a line to points that are drawn with noise, and leave it in model.json."""

import json
import random
import sys

STEPS = 10
RATE = 0.1

# before
random.seed(int(sys.argv[2]))
points = json.load(open("points.json"))
weight, bias = 0.0, 0.0
for step in range(STEPS):
    loss = 0.0
    for x, y in points:
        y += random.gauss(0, 0.01)
        gap = weight * x + bias - y
        weight -= RATE * gap * x / len(points)
        bias -= RATE * gap / len(points)
        loss += gap * gap / len(points)
    print(f"step {step} loss: {loss:.6f}")
json.dump({"weight": weight, "bias": bias}, open("model.json", "w"))
# after
'''

_SCORE = '''"""Print the error of the line that a file holds, on labels that are the scorer's own."""

import json
import sys

model = json.load(open(sys.argv[1]))
labels = json.load(open("labels.json"))
error = sum((model["weight"] * x + model["bias"] - y) ** 2 for x, y in labels) / len(labels)
print(f"val_error: {error!r}")
'''

# Not one file is named that may be edited: all may, but what is read-only.
_DECLARATION = """[repository]
command = "python -S train.py --seed {seed}"
metric = "val_error"
direction = "minimize"
editable = ["**"]
read_only = ["score.py", "model.json", "prepare.py", "points.json", "labels.json", "data"]
wall_seconds = 5
score = "python -S score.py model.json"
score_seconds = 5
checkpoint = "model.json"
environment = { ATTACK_MARK = "TOKEN" }
"""

GUARDED = {
    "headway.toml": _DECLARATION,
    "train.py": _TRAIN,
    "score.py": _SCORE,
    "prepare.py": "BUDGET = 10\n",
    "points.json": json.dumps(_POINTS[::2]),
    "labels.json": json.dumps(_POINTS),
    "data/words.txt": "honest\n",
    # A model that somebody has committed, better than any that is trained: it is nobody's result.
    "model.json": json.dumps({"weight": 3.0, "bias": -1.0}),
    "sub/__init__.py": "",
    ".gitignore": "results.tsv\n__pycache__\n",
}


_PRINTING = '''"""Fit a line, and print what it is worth: as karpathy/autoresearch does it."""

import random
import time

from prepare import POINTS, evaluate_bpb

STEPS = 10
RATE = 0.1

# before
t_start = time.time()
random.seed(42)
weight, bias = 0.0, 0.0
for step in range(STEPS):
    loss = 0.0
    for x, y in POINTS:
        y += random.gauss(0, 0.01)
        gap = weight * x + bias - y
        weight -= RATE * gap * x / len(POINTS)
        bias -= RATE * gap / len(POINTS)
        loss += gap * gap / len(POINTS)
    print(f"\\rstep {step:05d} ({100 * step / STEPS:.1f}%) | loss: {loss:.6f}", end="", flush=True)
print()
# evaluation
val_bpb = evaluate_bpb(weight, bias)
print("---")
print(f"val_bpb:          {val_bpb:.6f}")
print(f"training_seconds: {time.time() - t_start:.1f}")
print(f"peak_vram_mb:     {32.0:.1f}")
print(f"num_steps:        {STEPS}")
# after
'''

_PREPARE = '''"""What is measured, and on what: read-only."""

POINTS = [(x / 10, 3 * x / 10 - 1) for x in range(-10, 11, 2)]
LABELS = [(x / 10, 3 * x / 10 - 1) for x in range(-10, 11)]


def evaluate_bpb(weight, bias):
    return 0.5 + sum((weight * x + bias - y) ** 2 for x, y in LABELS) / len(LABELS)
'''

AUTORESEARCH = {
    "program.md": "Lower val_bpb.\n",
    "train.py": _PRINTING,
    "prepare.py": _PREPARE,
    ".gitignore": "results.tsv\n__pycache__\n",
}

_PROGRAM = '''"""Find a line."""

import random

# EVOLVE-BLOCK-START
STEPS = 10
RATE = 0.1

# before


def solve(points):
    random.seed(42)
    weight, bias = 0.0, 0.0
    for _ in range(STEPS):
        for x, y in points:
            gap = weight * x + bias - y - random.gauss(0, 0.01)
            weight -= RATE * gap * x / len(points)
            bias -= RATE * gap / len(points)
    return weight, bias
# EVOLVE-BLOCK-END
'''

_EVALUATOR = '''"""Import a program and score what it finds."""

import importlib.util

POINTS = [(x / 10, 3 * x / 10 - 1) for x in range(-10, 11)]


def loss(weight, bias):
    return sum((weight * x + bias - y) ** 2 for x, y in POINTS) / len(POINTS)


def evaluate(program_path):
    spec = importlib.util.spec_from_file_location("program", program_path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return {"combined_score": 1 / (1 + loss(*program.solve(POINTS[::2])))}
'''

OPENEVOLVE = {
    "evaluator.py": _EVALUATOR,
    "initial_program.py": _PROGRAM,
    "config.yaml": "evaluator:\n  timeout: 3\n",
    ".gitignore": "__pycache__\n",
}


def trained(seed: int, steps: int = 10, rate: float = 0.1) -> dict[str, float]:
    """Return the line that an honest run leaves."""
    source = random.Random(seed)
    points = _POINTS[::2]
    weight, bias = 0.0, 0.0
    for _ in range(steps):
        for x, y in points:
            gap = weight * x + bias - (y + source.gauss(0, 0.01))
            weight -= rate * gap * x / len(points)
            bias -= rate * gap / len(points)
    return {"weight": weight, "bias": bias}


def error_of(model: dict[str, float]) -> float:
    """Return what a line is worth, as the scorer computes it."""
    return sum((model["weight"] * x + model["bias"] - y) ** 2 for x, y in _POINTS) / len(_POINTS)
