"""ShinkaEvolve: `evaluate.py --program_path P --results_dir D` writes metrics.json and correct.json.

The evaluator imports the program, so its scores count as printed.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, cast, final

from headway.core import Direction, Reason
from headway.experiments.layouts._printed import crashed, problem_of_exit
from headway.experiments.layouts.files import EditableFiles
from headway.experiments.layouts.interpreter import environment_of, python_of
from headway.experiments.layouts.layout import Finished, Layout, Reading, Step
from headway.experiments.layouts.progress import verdict_on

__all__ = ["ShinkaLayout"]

_METRIC = "combined_score"
_EVALUATOR = "evaluate.py"
_SIGN = re.compile(r"program_path.*results_dir|results_dir.*program_path|run_shinka_eval", re.DOTALL)
_WALL_SECONDS = 600.0
_LONGEST_ERROR = 200


@final
class ShinkaLayout(Layout):
    """Run and read a ShinkaEvolve example."""

    name: ClassVar[str] = "shinka"
    looked_for: ClassVar[str] = "evaluate.py with --program_path and --results_dir, and initial.* (ShinkaEvolve)"

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Tell whether there is such an evaluator, and a program."""
        path = root / _EVALUATOR
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return _SIGN.search(text) is not None and _program(root) is not None

    @classmethod
    def open(cls, root: Path) -> Self:
        """Make the layout; there is nothing to read."""
        return cls(root)

    @property
    def metric(self) -> str:
        """Return combined_score."""
        return _METRIC

    @property
    def direction(self) -> Direction:
        """Return that more is better."""
        return "maximize"

    @property
    def files(self) -> EditableFiles:
        """Return the program; where it has EVOLVE-BLOCK markers, only what stands between them."""
        program = _program(self.root) or "initial.py"
        return EditableFiles(editable=(program,), read_only=(_EVALUATOR,), blocks_only=True)

    def steps(self, tree: Path, results: Path, *, seed: int = 0) -> tuple[Step, ...]:
        """Return the one command."""
        del seed
        program = tree / (_program(self.root) or "initial.py")
        words = (python_of(self.root), _EVALUATOR, "--program_path", str(program), "--results_dir", str(results))
        return (
            Step(
                name="evaluate",
                kind="evaluate",
                words=words,
                wall_seconds=_WALL_SECONDS,
                environment=environment_of(self.root),
            ),
        )

    def read(self, finished: Sequence[Finished], tree: Path, results: Path) -> Reading:
        """Read both files of this attempt's own folder; a result that is not correct is none."""
        del tree
        found, correct = _json(results / "metrics.json"), _json(results / "correct.json")
        metrics = {k: float(v) for k, v in found.items() if isinstance(v, int | float) and not isinstance(v, bool)}
        failed = problem_of_exit(finished)
        if failed is not None:
            return crashed(failed, metrics)
        if (found or correct) and correct.get("correct") is not True:
            said = str(correct.get("error") or "correct.json does not say that it is")[:_LONGEST_ERROR]
            return crashed((Reason.EXCEPTION, f"The result is not correct: {said}"), metrics)
        value, problem, why = verdict_on(_METRIC, found.get(_METRIC), where="written to metrics.json")
        return Reading(value=value, metrics=metrics, problem=problem, why=why)


def _program(root: Path) -> str | None:
    return next((path.name for path in sorted(root.glob("initial.*")) if path.is_file()), None)


def _json(path: Path) -> dict[str, Any]:
    try:
        data: object = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}
