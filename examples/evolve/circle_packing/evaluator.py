"""Score a packing of 26 circles in the unit square: the sum of their radii. One that breaks a rule has no score.

The rules are held strictly: 26 circles, each number finite, each radius above 0, every circle inside of the square, and
no two that overlap. Numbers may be off by 1e-9, as sums of floats are, and not by more.

The chance in a packing comes from the variable HEADWAY_SEED where it is set, else it is new each time.
"""

import importlib.util
import math
import os
import secrets

CIRCLES = 26
SLACK = 1e-9


def checked(circles):
    """Return the circles as numbers. Raises `ValueError` with the rule that they break."""
    found = [tuple(float(number) for number in circle) for circle in circles]
    if len(found) != CIRCLES or any(len(circle) != 3 for circle in found):
        raise ValueError(f"The packing has {len(found)} entries. Expected {CIRCLES} of (x, y, radius).")
    for number, (x, y, radius) in enumerate(found):
        if not all(math.isfinite(value) for value in (x, y, radius)) or radius <= 0:
            raise ValueError(f"Circle {number} is ({x}, {y}, {radius}). Expected finite numbers and a radius above 0.")
        if min(x, y, 1 - x, 1 - y) < radius - SLACK:
            raise ValueError(f"Circle {number} at ({x:.6f}, {y:.6f}) with radius {radius:.6f} leaves the square.")
        for other in range(number):
            room = math.dist((x, y), found[other][:2])
            if room < radius + found[other][2] - SLACK:
                raise ValueError(f"Circles {other} and {number} overlap: {room:.6f} apart.")
    return found


def evaluate(program_path):
    """Return the sum of the radii."""
    spec = importlib.util.spec_from_file_location("program", program_path)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    seed = os.environ.get("HEADWAY_SEED") or secrets.token_hex(8)
    circles = checked(program.run_packing(CIRCLES, seed))
    return {"combined_score": sum(radius for _, _, radius in circles)}
