"""Trials of a repository whose evaluator stays loaded: one sandbox, entered once, a fork in it for each candidate.

Not every evaluator can stay loaded: one that starts threads or keeps files open, one that draws random numbers when it
loads, one that needs the candidate's file for that. Then each trial runs its steps, and says the same, but slower.
"""

import ast
import contextlib
import math
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from headway.core import ExperimentError, Reason
from headway.experiments import layouts
from headway.experiments.definition import Standing
from headway.experiments.layouts import Finished, Warm
from headway.experiments.repositories.placing import hide_private, link_data
from headway.experiments.repositories.steps import passed_on
from headway.experiments.repositories.trial import (
    PROCESSES,
    SPARE_SECONDS,
    Declared,
    candidate_files,
    inputs_of,
    memory_bytes,
    readable_paths,
    tell,
)
from headway.experiments.run import Run
from headway.sandbox import Called, Sandbox, SandboxLimits, WarmSandbox

__all__ = ["WarmRepository"]

_STEP = "evaluate"
_TAIL_LINES = 60
_PROGRAMS = Path(layouts.__file__).parent / "drivers" / "bin"  # as `steps.py` puts them before the others
_WITH_EFFECTS = {"__main__", "antigravity", "idlelib", "this", "tkinter", "turtle", "turtledemo"}  # of their imports
_PASSED = {
    "cpu": (Reason.CPU_TIME, "used more CPU than it may"),
    "memory": (Reason.MEMORY, "used more memory than it may"),
    "processes": (Reason.SIGNAL, "started more processes than it may"),
    "output": (Reason.OUTPUT, "printed more than it may"),
    "signal": (Reason.SIGNAL, "lost its sandbox"),
}


class WarmRepository(Standing):
    """Hold the sandbox in which a standing worker evaluates candidates. It is entered for the first one."""

    def __init__(self, experiment: Declared, folder: Path) -> None:
        super().__init__()
        self._experiment = experiment
        self._folder = folder.resolve()
        self._tree = self._folder / "tree"
        self._warm: Warm | None = None
        self._sandbox: WarmSandbox | None = None
        self._tried = False
        self._inputs = inputs_of(experiment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def perform(self, run: Run) -> bool:
        """Evaluate a trial's candidate; return whether that can be done here, or its steps are to be run instead."""
        if not self._entered() or self._sandbox is None or self._warm is None:
            return False
        experiment = self._experiment
        files = {**experiment.sources, **candidate_files(experiment, run)}
        if not set(files) <= set(self._warm.editable):
            return False
        for path in self._inputs:
            run.input(path)
        try:
            called = self._sandbox.call(files, seed=run.seed, argument=self._warm.argument)
        except ExperimentError:  # it could be loaded before: its steps tell what has happened
            self._leave()
            return False
        self.cpu_seconds += called.cpu_seconds
        self.peak_memory_bytes = called.memory_bytes
        self._report(run, called)
        return True

    def _entered(self) -> bool:
        """Tell whether the evaluator is loaded. That is tried once: what hinders it hinders it for the next trial."""
        if not self._tried:
            self._tried = True
            self._folder.mkdir(parents=True, exist_ok=True)
            self._enter(self._lay_out())
        return self._sandbox is not None

    def _enter(self, place: Path) -> None:
        warm = self._experiment.layout.warm(place)
        # What lies in a folder of the base is shown read-only with it, so that a candidate could not bring it.
        if warm is None or any("/" in path for path in warm.editable):
            self._leave()
            return
        for path in warm.editable:
            (place / path).unlink(missing_ok=True)
        self._warm = warm
        self._sandbox = WarmSandbox(
            self._sandbox_of(warm, place),
            warm.python,
            warm.driver,
            place,
            warm.words,
            modules=_standard_modules(self._experiment.sources.values(), place),
        )
        with contextlib.suppress(ExperimentError):
            self._sandbox.enter()
            if not self._sandbox.unfit:
                return
        self._leave()

    def _leave(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _report(self, run: Run, called: Called) -> None:
        if called.output:
            sys.stdout.write(called.output)
        failed = None
        if called.passed in _PASSED:
            reason, words = _PASSED[called.passed]
            failed = reason, f"The step {_STEP!r} {words}, and was ended."
        finished = Finished(step=_STEP, code=called.code, output=called.output, timed_out=called.passed == "wall")
        tell(
            run,
            self._experiment.layout.read_returned(called.results, finished),
            self._experiment.metric,
            failed=failed,
            memory_metric=None,
            missing=lambda: "",
            tail=called.output.splitlines()[-_TAIL_LINES:],
        )

    def _sandbox_of(self, warm: Warm, place: Path) -> Sandbox:
        experiment = self._experiment
        longest = experiment.limits.wall_seconds - SPARE_SECONDS
        room = memory_bytes(experiment)
        path = os.pathsep.join([str(_PROGRAMS), warm.environment.get("PATH", os.defpath)])
        return Sandbox(
            root=self._folder,
            readable=readable_paths(experiment.layout),
            scratch=(place.relative_to(self._folder).as_posix(),),
            environment={**passed_on(), **warm.environment, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            limits=SandboxLimits(
                wall_seconds=min(warm.wall_seconds, longest) if longest > 0 else warm.wall_seconds,
                cpu_seconds=experiment.limits.cpu_seconds or math.inf,
                memory_bytes=room,
                processes=PROCESSES,
                scratch_bytes=room // 2,
            ),
        )

    def _lay_out(self) -> Path:
        """Copy the base's files, so that no worktree is left where this process is killed."""
        base, layout = self._experiment.base, self._experiment.layout
        worktree = self._folder / "base"
        try:
            found = base.lay_out(worktree)
            shutil.copytree(worktree, self._tree, symlinks=True, ignore=shutil.ignore_patterns(".git"))
            place = self._tree / found.relative_to(worktree)
        finally:
            base.remove(worktree)
        hide_private(layout, place)
        link_data(layout, place)
        return place


def _standard_modules(sources: Iterable[str], place: Path) -> list[str]:
    """Return what the base imports of the standard library where it begins: candidates do, too.

    Its own import of `logging` and `concurrent.futures` takes a candidate 6 ms, more than all else here.
    """
    found: set[str] = set()
    for text in sources:
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):  # what is no Python
            for node in ast.parse(text).body:
                match node:
                    case ast.Import(names=names):
                        found |= {item.name for item in names}
                    case ast.ImportFrom(module=str() as module, level=0):
                        found.add(module)
                    case _:
                        pass
    standard = sys.stdlib_module_names - _WITH_EFFECTS - {path.stem for path in place.iterdir()}
    return sorted(name for name in found if name.partition(".")[0] in standard)
