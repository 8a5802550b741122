"""The tasks of the benchmark `evolve`: lay one out for a tool, and judge a program by what it is truly worth.

`evolve_tasks.py lay-out TASK FOLDER TASK_SEED [PROGRAM_BYTES]` copies the task in OpenEvolve's layout.
`evolve_tasks.py judge FOLDER SEEDS < PROGRAM` prints what a program is worth as one line of JSON, on fresh seeds.
"""

import importlib.util
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from types import ModuleType

__all__ = ["TASKS", "judge", "lay_out"]

_HERE = Path(__file__).parent
TASKS = ("trivial", "noisy")
_FIRST_FRESH_SEED = 1_000_000  # no contestant runs seeds as high as these


def lay_out(task: str, folder: Path, task_seed: int, *, program_bytes: int = 0, shinka: bool = False) -> None:
    """Copy a task into a new folder. `task_seed` fixes the effects of the noisy one.

    `program_bytes` lengthens the program by comments to the size of a published example's: those have 2 to 10 thousand.
    In Shinka's layout, `evaluate.py` and `initial.py` are there too; it calls the same evaluator.
    """
    if task not in TASKS:
        raise ValueError(f"There is no task {task!r}. Expected one of {', '.join(TASKS)}.")
    shutil.copytree(_HERE / f"evolve_{task}", folder, ignore=shutil.ignore_patterns("__pycache__"))
    evaluator = folder / "evaluator.py"
    evaluator.write_text(evaluator.read_text().replace("\nTASK_SEED = 0\n", f"\nTASK_SEED = {task_seed}\n"))
    program = folder / "initial_program.py"
    program.write_text(_lengthened(program.read_text(), program_bytes))
    if shinka:
        shutil.copy(_HERE / "evolve_shinka" / "evaluate.py", folder)
        shutil.copy(program, folder / "initial.py")


def judge(folder: Path, program: str, seeds: int = 64) -> dict[str, float]:
    """Return the mean and spread of a program's score over fresh seeds, and its true value where the task knows it."""
    evaluator = _loaded(folder / "evaluator.py")
    before = os.environ.get("HEADWAY_SEED")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "program.py"
        path.write_text(program)
        scores: list[float] = []
        for seed in range(_FIRST_FRESH_SEED, _FIRST_FRESH_SEED + seeds):
            os.environ["HEADWAY_SEED"] = str(seed)
            scores.append(evaluator.evaluate(str(path))["combined_score"])
    os.environ.pop("HEADWAY_SEED")
    if before is not None:
        os.environ["HEADWAY_SEED"] = before
    found = {"fresh_mean": statistics.fmean(scores), "fresh_spread": statistics.stdev(scores), "fresh_seeds": seeds}
    if hasattr(evaluator, "true_value"):
        found["true_value"] = evaluator.true_value(program)
    return found


def _lengthened(program: str, program_bytes: int) -> str:
    """Add comments of varied words: equal ones would compress, and count as one in a measure of diversity."""
    draw = random.Random(0)
    while len(program) < program_bytes:
        program += "# " + " ".join(f"{draw.randrange(10**6):06d}" for _ in range(10)) + "\n"
    return program


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("evaluator", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(command: str, *words: str) -> None:
    """Lay out or judge."""
    match command, words:
        case "lay-out", (task, folder, task_seed, *size):
            lay_out(task, Path(folder), int(task_seed), program_bytes=int(size[0]) if size else 0)
        case "judge", (folder, seeds):
            print(json.dumps(judge(Path(folder), sys.stdin.read(), int(seeds))))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
