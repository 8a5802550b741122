"""Score a program. The cascade's first stage only asks whether it runs."""

import importlib.util
import math


def bowl(point):
    x, y = point
    return x * x + y * y + 0.1 * math.sin(5 * x) ** 2


def _run(program_path):
    spec = importlib.util.spec_from_file_location("program", program_path)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program.run(bowl)


def _score(point):
    if point is None:
        return {"distance": 0.0}
    height = bowl(point)
    return {"combined_score": 1 / (1 + height), "height": height}


def evaluate_stage1(program_path):
    return _score(_run(program_path))


def evaluate_stage2(program_path):
    return _score(_run(program_path)) | {"stages": 2}


def evaluate(program_path):
    return evaluate_stage2(program_path)
