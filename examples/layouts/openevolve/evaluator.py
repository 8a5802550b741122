"""Score a program that places points: the smallest distance between two of them, as a share of what a grid reaches."""

import importlib.util
import math

FEW, MANY = 4, 16


def load(program_path):
    spec = importlib.util.spec_from_file_location("program", program_path)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def score(program, count):
    points = [(float(x), float(y)) for x, y in program.place(count)]
    if len(points) != count:
        raise ValueError(f"{len(points)} points were placed, and {count} were asked for")
    if any(not 0 <= number <= 1 for point in points for number in point):
        raise ValueError("a point lies outside of the square")
    nearest = min(math.dist(a, b) for place, a in enumerate(points) for b in points[:place])
    return {"combined_score": nearest * (math.sqrt(count) - 1), "points": count}


def evaluate_stage1(program_path):
    return score(load(program_path), FEW)


def evaluate_stage2(program_path):
    return score(load(program_path), MANY)


def evaluate(program_path):
    return evaluate_stage2(program_path)
