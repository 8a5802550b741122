"""Trials of a repository whose evaluator stays loaded: one sandbox, entered once, a fork in it for each candidate."""

import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from headway.core import Reason
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
_PASSED = {
    "memory": (Reason.MEMORY, "used more memory than it may"),
    "processes": (Reason.SIGNAL, "started more processes than it may"),
    "output": (Reason.OUTPUT, "printed more than it may"),
    "signal": (Reason.EXITED, "ended its whole sandbox"),
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
        self._inputs = inputs_of(experiment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def perform(self, run: Run) -> bool:
        """Evaluate a trial's candidate; return whether that can be done here, or its steps are to be run instead.

        It cannot where loading the evaluator starts threads: a fork would not have them.
        """
        if self._sandbox is None or self._warm is None:
            self._warm, self._sandbox = self._enter()
        if self._sandbox.threads > 1:
            return False
        experiment = self._experiment
        for path in self._inputs:
            run.input(path)
        files = {**experiment.sources, **candidate_files(experiment, run)}
        called = self._sandbox.call(files, seed=run.seed, argument=self._warm.argument)
        self.cpu_seconds += called.cpu_seconds
        self.peak_memory_bytes = called.memory_bytes
        self._report(run, called)
        return True

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
            self._experiment.layout.read_returned(called.result, finished),
            self._experiment.metric,
            failed=failed,
            memory_metric=None,
            missing=lambda: "",
            tail=called.output.splitlines()[-_TAIL_LINES:],
        )

    def _enter(self) -> tuple[Warm, WarmSandbox]:
        """Lay the repository out without the files that candidates bring, and load its evaluator in the sandbox."""
        experiment, layout = self._experiment, self._experiment.layout
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._lay_out()
        warm = layout.warm(place)
        assert warm is not None
        for path in warm.editable:
            (place / path).unlink(missing_ok=True)
        longest = experiment.limits.wall_seconds - SPARE_SECONDS
        room = memory_bytes(experiment)
        sandbox = Sandbox(
            root=self._folder,
            readable=readable_paths(layout),
            scratch=(place.relative_to(self._folder).as_posix(),),
            environment={**passed_on(), **warm.environment, "PYTHONDONTWRITEBYTECODE": "1"},
            limits=SandboxLimits(
                wall_seconds=min(warm.wall_seconds, longest) if longest > 0 else warm.wall_seconds,
                memory_bytes=room,
                processes=PROCESSES,
                scratch_bytes=room // 2,
            ),
        )
        entered = WarmSandbox(sandbox, warm.python, warm.driver, place, warm.words)
        entered.enter()
        return warm, entered

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
