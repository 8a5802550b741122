"""OpenEvolve: an evaluator with `evaluate(program_path)`, an initial program, and perhaps a configuration.

The evaluator imports the program, so the program could change the evaluator: its scores count as printed. A cascade
runs `evaluate_stage1`, `evaluate_stage2`, ... while the score reaches the thresholds.
"""

import ast
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, cast, final

from headway.core import Direction, Reason, UsageError
from headway.experiments.layouts._printed import crashed, problem_of_exit
from headway.experiments.layouts._yaml import load_yaml, seconds, section
from headway.experiments.layouts.files import EditableFiles
from headway.experiments.layouts.interpreter import environment_of, python_of
from headway.experiments.layouts.layout import Finished, Layout, Reading, Step, Warm
from headway.experiments.layouts.progress import verdict_on

__all__ = ["OpenEvolveLayout"]

_METRIC = "combined_score"
_EVALUATOR, _CONFIG = "evaluator.py", "config.yaml"
_DRIVER = Path(__file__).parent / "drivers" / "openevolve_evaluate.py"
_WALL_SECONDS = 300.0  # OpenEvolve's default for evaluator.timeout
_THRESHOLDS = (0.5, 0.75, 0.9)  # and for evaluator.cascade_thresholds
_LONGEST_ERROR = 200
_READ = {"evaluator.timeout", "evaluator.cascade_evaluation", "evaluator.cascade_thresholds", "prompt.system_message"}


@final
class OpenEvolveLayout(Layout):
    """Run and read an OpenEvolve example."""

    name: ClassVar[str] = "openevolve"
    looked_for: ClassVar[str] = "evaluator.py with evaluate(program_path), and initial_program.* (OpenEvolve)"

    def __init__(self, root: Path, config: Mapping[str, Any]) -> None:
        super().__init__(root)
        program = _program(root)
        assert program is not None
        self._program = program
        path, evaluator = root / _CONFIG, section(config, "evaluator")
        self._wall_seconds = seconds(path, "evaluator.timeout", evaluator.get("timeout"), _WALL_SECONDS)
        self._stages = _stages(root, cascade=evaluator.get("cascade_evaluation", True) is True)
        self._thresholds = _thresholds(path, evaluator.get("cascade_thresholds"))
        self._message = section(config, "prompt").get("system_message")
        self._ignored = sorted(key for key in _keys(config) if key not in _READ)

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Tell whether there is an evaluator with `evaluate`, and a program."""
        return "evaluate" in _functions(root / _EVALUATOR) and _program(root) is not None

    @classmethod
    def open(cls, root: Path) -> Self:
        """Read config.yaml, where there is one."""
        path = root / _CONFIG
        return cls(root, load_yaml(path) if path.is_file() else {})

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
        return EditableFiles(editable=(self._program,), read_only=(_EVALUATOR, _CONFIG), blocks_only=True)

    @property
    def task(self) -> str:
        """Return the system message of config.yaml, which tells models their task; without one what the base finds."""
        message = self._message.strip() if isinstance(self._message, str) else ""
        return message if " " in message else super().task  # one word names a template of OpenEvolve's own

    @property
    def notes(self) -> tuple[str, ...]:
        """Return which keys of the configuration have no meaning here."""
        if not self._ignored:
            return ()
        return (f"{_CONFIG}: these keys are ignored: {', '.join(self._ignored)}.",)

    def steps(self, tree: Path, results: Path, *, seed: int = 0) -> tuple[Step, ...]:
        """Return a step for each stage, or the one of `evaluate`. Each is a process of its own with the whole limit."""
        return tuple(
            Step(
                name=function,
                kind="evaluate",
                words=(
                    *(python_of(self.root), str(_DRIVER), str(tree / _EVALUATOR), function),
                    *(str(tree / self._program), str(results / f"{function}.json"), str(seed)),
                ),
                wall_seconds=self._wall_seconds,
                environment=environment_of(self.root),
            )
            for function in self._stages
        )

    @property
    def takes_seed(self) -> bool:
        """Tell that the driver seeds Python's and NumPy's generators, and sets HEADWAY_SEED, before it evaluates."""
        return True

    @property
    def rewrites_seed(self) -> bool:
        """Tell that a seed in the program is rewritten all the same: it would undo the driver's."""
        return True

    def goes_on(self, finished: Sequence[Finished], results: Path) -> bool:
        """Tell whether the score so far reaches the next threshold, as OpenEvolve decides it."""
        if not super().goes_on(finished, results):
            return False
        done = len(finished)
        if done == 0 or done > len(self._thresholds):
            return done < len(self._stages)
        return done < len(self._stages) and _passes(self._merged(results), self._thresholds[done - 1])

    def warm(self, tree: Path) -> Warm:
        """Return the evaluator, loaded once; all stages of a cascade run in the candidate's process."""
        return Warm(
            python=python_of(self.root),
            driver=_DRIVER,
            words=(
                str(tree / _EVALUATOR),
                ",".join(self._stages),
                ",".join(map(repr, self._thresholds[: len(self._stages) - 1])),
            ),
            argument={"program": str(tree / self._program)},
            editable=(self._program,),
            wall_seconds=self._wall_seconds * len(self._stages),
            environment=environment_of(self.root),
        )

    def read(self, finished: Sequence[Finished], tree: Path, results: Path) -> Reading:
        """Read what the evaluator returned. One that a cascade stopped has its score, and the problem SCHEDULER.

        Evaluators catch what a program raises, and return it as `error` beside a score of 0: that is no score.
        """
        del tree
        return self._reading(self._merged(results), problem_of_exit(finished), len(finished))

    def read_returned(self, returned: Sequence[object], finished: Finished) -> Reading:
        """Read what the stages returned that ran: the metrics of each."""
        found: dict[str, Any] = {}
        for stage in returned:
            found |= cast("dict[str, Any]", stage) if isinstance(stage, dict) else {}
        return self._reading(found, problem_of_exit([finished]), len(returned))

    def _reading(self, found: Mapping[str, Any], failed: tuple[Reason, str] | None, done: int) -> Reading:
        numbers = {k: v for k, v in found.items() if isinstance(v, int | float) and not isinstance(v, bool)}
        metrics = {k: float(v) for k, v in numbers.items() if abs(v) <= sys.float_info.max or isinstance(v, float)}
        if failed is not None:
            return crashed(failed, metrics)
        if (error := found.get("error")) and isinstance(error, str):
            said = " ".join(error.split())[:_LONGEST_ERROR]
            return crashed((Reason.EXCEPTION, f"The evaluator returned an error: {said}"), metrics)
        value, problem, why = verdict_on(_METRIC, found.get(_METRIC), where="returned by the evaluator")
        if problem is None and 0 < done < len(self._stages):
            problem = Reason.SCHEDULER
            asked = self._thresholds[done - 1]
            why = f"{self._stages[done - 1]} gave {_METRIC} {value:g}; the next stage asks for {asked:g}."
        return Reading(value=value, metrics=metrics, stage=done, problem=problem, why=why)

    def _merged(self, results: Path) -> dict[str, Any]:
        """Return the metrics of all stages that ran; a later stage counts for what both give."""
        found: dict[str, Any] = {}
        for function in self._stages:
            found |= _metrics(results / f"{function}.json")
        return found


def _metrics(path: Path) -> dict[str, Any]:
    try:
        data: object = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def _passes(metrics: Mapping[str, Any], threshold: float) -> bool:
    """Tell whether combined_score, or without one the mean of all numbers, reaches a threshold."""
    score = metrics.get(_METRIC)
    if isinstance(score, int | float):
        return score >= threshold
    numbers = [value for key, value in metrics.items() if key != "error" and isinstance(value, int | float)]
    return bool(numbers) and sum(numbers) >= threshold * len(numbers)


def _program(root: Path) -> str | None:
    return next((path.name for path in sorted(root.glob("initial_program.*")) if path.is_file()), None)


def _functions(path: Path) -> set[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return set()
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def _stages(root: Path, *, cascade: bool) -> tuple[str, ...]:
    defined = _functions(root / _EVALUATOR)
    stages: list[str] = []
    while cascade and (name := f"evaluate_stage{len(stages) + 1}") in defined:
        stages.append(name)
    return tuple(stages) or ("evaluate",)


def _thresholds(path: Path, value: object) -> tuple[float, ...]:
    if value is None:
        return _THRESHOLDS
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    numbers = [float(item) for item in items if isinstance(item, int | float) and not isinstance(item, bool)]
    if len(numbers) != len(items):
        raise UsageError(
            f"{path} has evaluator.cascade_thresholds: {value!r}. Expected a list of numbers: [0.5, 0.75]."
        )
    return tuple(numbers)


def _keys(config: Mapping[str, Any]) -> list[str]:
    """Return the names of all settings, those of a section with the section's name. Values stay out: some are keys."""
    names: list[str] = []
    for key, value in config.items():
        inner = cast("dict[object, object]", value) if isinstance(value, dict) else None
        names += [str(key)] if inner is None else [f"{key}.{name}" for name in inner]
    return names
