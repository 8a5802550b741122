"""Run trials of cycle_study.py, one at a time, and print what each cost: `headway_cycle.py FOLDER BACKEND SKIPPED
COUNT`.

A trial is submitted when the engine asks the study for it, and the study begins to propose it. Its first step says
itself when it was done. CPU is what the worker used to its end, and what the engine and the template used from one end
to the next. SKIPPED trials come before the counted ones: the first waits for all imports.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

BEGAN = time.time()

from headway_marks import Cut, pause_study  # noqa: E402 - the start of the session counts from above

from headway.engine import Assignment, EngineSettings  # noqa: E402
from headway.store import TrialRecord  # noqa: E402
from headway.studies import QuietObserver, run_study, studies_in  # noqa: E402
from headway.studies.plan import StudyPlan  # noqa: E402


class Watch(QuietObserver):
    """Note times (seconds since 1970) and CPU of each trial; end the session after `skipped` and `count` of them."""

    def __init__(self, skipped: int, count: int) -> None:
        self.trials: list[TrialRecord] = []
        self.ended_at: list[float] = []
        self.submitted_at: dict[tuple[str, int], float] = {}
        self.cpu: list[dict[str, float]] = []
        self._skipped = skipped
        self._count = skipped + count

    def ask(self, plan: StudyPlan, running: Sequence[Assignment]) -> Assignment | None:
        """Ask the plan for a trial; the first time that it gives one, the question's time is when it was submitted."""
        asked_at = time.time()
        assignment = _ask(plan, running)
        if assignment is not None:
            self.submitted_at.setdefault((assignment.candidate, assignment.seed), asked_at)
        return assignment

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> None:
        self.ended_at.append(time.time())
        self.cpu.append(_cpu_so_far())
        self.trials.append(trial)
        if len(self.trials) == self._count:
            raise Cut

    def report(self) -> dict[str, object]:
        """Return the medians' raw material: one number a counted trial, and the warm-up."""
        counted = range(self._skipped, self._count)
        submitted = [self.submitted_at[trial.candidate, trial.seed] for trial in self.trials]
        stepped = [trial.metrics["stepped_at"] for trial in self.trials]
        first, last = self.cpu[self._skipped - 1], self.cpu[-1]
        return {
            "first_step_seconds": [stepped[number] - submitted[number] for number in counted],
            "whole_seconds": [self.ended_at[number] - submitted[number] for number in counted],
            "worker_cpu_seconds": sum(self.trials[number].cpu_seconds for number in counted) / len(counted),
            "template_cpu_seconds": (last["template"] - first["template"]) / len(counted),
            "engine_cpu_seconds": (last["engine"] - first["engine"]) / len(counted),
            "warm_up_cpu_seconds": sum(self.cpu[0].values()) + self.trials[0].cpu_seconds,
            "warm_up_wall_seconds": self.ended_at[0] - BEGAN,
        }


_ask = StudyPlan.next


def _cpu_so_far() -> dict[str, float]:
    """Return the CPU seconds of the engine and of its template, without those of the template's children."""
    templates = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {"engine": time.process_time(), "template": sum(_cpu_of(int(pid)) for pid in templates)}


def _cpu_of(pid: int) -> float:
    """Return the CPU seconds of another process, to the nanosecond (clock_getcpuclockid(3): the clock's id)."""
    return time.clock_gettime(~pid << 3 | 2)


def main(folder: Path, backend: str, skipped: int, count: int) -> None:
    """Run and print one line of JSON."""
    for name in ("cycle_study.py", "cycle_work.py"):
        shutil.copyfile(Path(__file__).with_name(name), folder / name)
    study = studies_in(folder / "cycle_study.py")["train"]
    watch = Watch(skipped, count)
    StudyPlan.next = lambda self, running: watch.ask(self, running)
    try:
        run_study(study, folder / ".headway", EngineSettings(backend=backend, workers=1), watch)
    except Cut:
        pause_study(study, folder / ".headway")
    print(json.dumps(watch.report()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
