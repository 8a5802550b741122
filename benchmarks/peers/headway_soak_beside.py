"""Run the same study in a folder of its own, some trials at a time, each time that a line comes in:
`headway_soak_beside.py FOLDER BACKEND WARM COUNT`.

It stays young, and tells how fast the machine is for just this work. Prints the CPU seconds of COUNT trials each time,
after a first line when WARM trials have ended; ends where nobody asks any more.
"""

import shutil
import sys
from pathlib import Path

from headway_marks import Cut, run_cut
from soak_cost import held

from headway.engine import Assignment, EngineSettings
from headway.store import TrialRecord
from headway.studies import QuietObserver, studies_in


class _OnDemand(QuietObserver):
    """Answer when so many trials have ended, and wait to be asked for more."""

    def __init__(self, backend: str, warm: int, count: int) -> None:
        self._forks = backend != "inline"
        self._count, self._left = count, warm
        self._worker_cpu = self._began = 0.0

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> None:
        """Count down."""
        self._worker_cpu += trial.cpu_seconds if self._forks else 0.0
        self._left -= 1
        if self._left == 0:
            print(held(self._worker_cpu).cpu_seconds - self._began, flush=True)
            if not sys.stdin.readline():
                raise Cut
            self._began, self._left = held(self._worker_cpu).cpu_seconds, self._count


def main(folder: Path, backend: str, warm: int, count: int) -> None:
    """Run as long as somebody asks."""
    shutil.copyfile(Path(__file__).with_name("soak_study.py"), folder / "study.py")
    study = studies_in(folder / "study.py")["soak"]
    settings = EngineSettings(backend=backend, workers=1)
    run_cut(study, folder / ".headway", settings, _OnDemand(backend, warm, count))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
