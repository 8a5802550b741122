"""Run soak_study.py to its end and print what it held and cost as it went:
`headway_soak.py FOLDER BACKEND TRIALS WARM WINDOW EVERY ASKED...`.

Memory and CPU are noted after each EVERY ended trials. In the WINDOW trials after the first WARM ones, and in the last
WINDOW ones, a young study (headway_soak_beside.py) runs as many trials in between, so that trials are compared with
others of the same minute. When ASKED trials have ended, `headway status` is called from a shell.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from soak_cost import Held, held

from headway.engine import Assignment, EngineSettings
from headway.store import TrialRecord
from headway.studies import QuietObserver, run_study, studies_in

_CALLS = 3  # of a status; the median counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Say how long the study is and when to look."""

    backend: str
    trials: int
    warm: int
    window: int
    every: int
    asked: Sequence[int]

    def compares(self, trials: int) -> bool:
        """Tell whether the young study runs its trials after so many."""
        return 0 < trials - self.warm <= self.window or self.trials - self.window < trials


class Beside:
    """Have the young study run some trials."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        command = ["headway_soak_beside.py", folder, plan.backend, plan.warm, plan.every]
        command[0] = Path(__file__).with_name(str(command[0]))
        self._process = subprocess.Popen(
            [sys.executable, *map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        self._answer()

    def cpu_seconds(self) -> float:
        """Let it run, and return what that cost."""
        assert self._process.stdin is not None
        self._process.stdin.write("more\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> float:
        assert self._process.stdout is not None
        return float(self._process.stdout.readline())

    def __enter__(self) -> "Beside":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()


class Watch(QuietObserver):
    """Take samples while the study runs."""

    def __init__(self, folder: Path, plan: Plan, beside: Beside) -> None:
        self.samples: list[dict[str, float]] = []
        self.answers: list[dict[str, float]] = []
        self.problems: list[str] = []
        self._folder, self._plan, self._beside = folder, plan, beside
        self._forks = plan.backend != "inline"
        self._ended = 0
        self._worker_cpu = 0.0
        self._before: Held | None = None

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> None:
        """Count, and look where it is time to."""
        self._ended += 1
        self._worker_cpu += trial.cpu_seconds if self._forks else 0.0
        if trial.value is None or reused:
            self.problems.append(f"trial {trial.id} is {trial.state}, reused: {reused}, {trial.message}")
        if self._ended % self._plan.every == 0:
            self._sample()
        if self._ended in self._plan.asked:
            self.answers.append({"trials": self._ended, "all_cpu": self._status(), "one_cpu": self._status("soak")})
            self._before = self._held()

    def _sample(self) -> None:
        now, before = self._held(), self._before
        sample: dict[str, float] = {
            "trials": self._ended,
            "engine_bytes": now.engine_bytes,
            "template_bytes": now.template_bytes,
        }
        if before is not None:
            sample["cpu_seconds"] = now.cpu_seconds - before.cpu_seconds
        if self._plan.compares(self._ended):
            sample["beside_cpu_seconds"] = self._beside.cpu_seconds()
        self.samples.append(sample)
        self._before = self._held()

    def _held(self) -> Held:
        return held(self._worker_cpu, other_child=self._beside.pid)

    def _status(self, *words: str) -> float:
        """Return the CPU of a fresh `headway status`."""
        command = [sys.executable, "-m", "headway", "status", *words]
        return statistics.median(_cpu_of(command, self._folder) for _ in range(_CALLS))


def _cpu_of(command: Sequence[str], folder: Path) -> float:
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def main(folder: Path, plan: Plan) -> None:
    """Run and print one line of JSON."""
    shutil.copyfile(Path(__file__).with_name("soak_study.py"), folder / "study.py")
    study = studies_in(folder / "study.py")["soak"]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder.parent) as young, Beside(Path(young), plan) as beside:
        watch = Watch(folder, plan, beside)
        run_study(study, folder / ".headway", EngineSettings(backend=plan.backend, workers=1), watch)
    print(
        json.dumps(
            {
                "wall_seconds": time.perf_counter() - began,
                "samples": watch.samples,
                "asked": watch.answers,
                "problems": watch.problems[:10],
            }
        )
    )


if __name__ == "__main__":
    backend, (trials, warm, window, every, *asked) = sys.argv[2], map(int, sys.argv[3:])
    main(Path(sys.argv[1]), Plan(backend=backend, trials=trials, warm=warm, window=window, every=every, asked=asked))
