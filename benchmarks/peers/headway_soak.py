"""Run soak_study.py and print what it held and cost as it went: `headway_soak.py FOLDER BACKEND EVERY ASKED...`.

After each EVERY ended trials, memory and CPU of the engine and its template, and the CPU of all workers so far, are
noted. When ASKED trials have ended, `headway status` is called from a shell.
"""

import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from headway.engine import Assignment, EngineSettings
from headway.store import TrialRecord
from headway.studies import QuietObserver, run_study, studies_in

_PAGE = os.sysconf("SC_PAGE_SIZE")
_CALLS = 3  # of a status; the median counts
_YARD_EVERY, _YARD_ROWS = 20, 40  # about 1 ms of CPU after so many trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Hold what stood after so many trials: memory in bytes, CPU in seconds since the start.

    `yard_cpu` is that of a fixed piece of work, done again and again beside the trials and not counted as theirs.
    """

    trials: int
    engine_bytes: int
    template_bytes: int
    engine_cpu: float
    template_cpu: float
    worker_cpu: float
    yard_cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Hold what `headway status` cost after so many trials, in seconds of CPU: of all studies, and of the one."""

    trials: int
    all_cpu: float
    one_cpu: float


class Yardstick:
    """Do the same work each time, rows in and out of a database in memory: it tells a slow minute of the machine."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.execute("CREATE TABLE yard (number INTEGER PRIMARY KEY, data TEXT)")

    def lay(self) -> float:
        """Do it once and return its CPU seconds."""
        began = time.process_time()
        for number in range(_YARD_ROWS):
            data = json.dumps({"number": number, "values": [number / 7, number / 3], "name": f"yard {number}"})
            self._connection.execute("INSERT OR REPLACE INTO yard VALUES (?, ?)", (number, data))
        for _, text in self._connection.execute("SELECT * FROM yard").fetchall():
            json.loads(text)
        return time.process_time() - began


class Watch(QuietObserver):
    """Take samples while the study runs."""

    def __init__(self, folder: Path, every: int, asked: Sequence[int]) -> None:
        self.samples: list[Sample] = []
        self.answers: list[Asked] = []
        self.problems: list[str] = []
        self._folder = folder
        self._every = every
        self._asked = asked
        self._ended = 0
        self._worker_cpu = self._yard_cpu = 0.0
        self._yardstick = Yardstick()

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> None:
        """Count, and take a sample where one is due."""
        self._ended += 1
        self._worker_cpu += trial.cpu_seconds
        if trial.value is None or reused:
            self.problems.append(f"trial {trial.id} is {trial.state}, reused: {reused}, {trial.message}")
        if self._ended % _YARD_EVERY == 0:
            self._yard_cpu += self._yardstick.lay()
        if self._ended % self._every == 0:
            self.samples.append(self._sample())
        if self._ended in self._asked:
            self.answers.append(Asked(trials=self._ended, all_cpu=self._status(), one_cpu=self._status("soak")))

    def _sample(self) -> Sample:
        templates = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        return Sample(
            trials=self._ended,
            engine_bytes=_resident_bytes(os.getpid()),
            template_bytes=sum(_resident_bytes(int(pid)) for pid in templates),
            engine_cpu=time.process_time() - self._yard_cpu,
            template_cpu=sum(time.clock_gettime(~int(pid) << 3 | 2) for pid in templates),
            worker_cpu=self._worker_cpu,
            yard_cpu=self._yard_cpu,
        )

    def _status(self, *words: str) -> float:
        """Return the CPU of a fresh `headway status`."""
        return statistics.median(
            _cpu_of([sys.executable, "-m", "headway", "status", *words], self._folder) for _ in range(_CALLS)
        )


def _cpu_of(command: Sequence[str], folder: Path) -> float:
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def main(folder: Path, backend: str, every: int, asked: Sequence[int]) -> None:
    """Run and print one line of JSON."""
    shutil.copyfile(Path(__file__).with_name("soak_study.py"), folder / "study.py")
    study = studies_in(folder / "study.py")["soak"]
    watch = Watch(folder, every, asked)
    began = time.perf_counter()
    run_study(study, folder / ".headway", EngineSettings(backend=backend, workers=1), watch)
    print(
        json.dumps(
            {
                "wall_seconds": time.perf_counter() - began,
                "whole_cpu_seconds": time.process_time(),
                "samples": [asdict(sample) for sample in watch.samples],
                "asked": [asdict(answer) for answer in watch.answers],
                "problems": watch.problems[:10],
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), [int(count) for count in sys.argv[4:]])
