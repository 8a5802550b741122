"""Score a point in microseconds, so that what is measured is the tool around it.

Where the variable EVOLVE_EVALUATIONS names a file, each evaluation adds a line to it: the digest of the program.
"""

import hashlib
import importlib.util
import os
from pathlib import Path

_TARGET = (37.0, -12.0)


def evaluate(program_path: str) -> dict[str, float]:
    """Import a program and return how near its point lies: 1 at the target, towards 0 far from it."""
    if counted := os.environ.get("EVOLVE_EVALUATIONS"):
        with open(counted, "a") as file:
            file.write(hashlib.sha256(Path(program_path).read_bytes()).hexdigest() + "\n")
    spec = importlib.util.spec_from_file_location("program", program_path)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    x, y = program.point()
    return {"combined_score": 1 / (1 + abs(x - _TARGET[0]) + abs(y - _TARGET[1]))}
