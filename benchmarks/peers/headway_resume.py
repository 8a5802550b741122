"""Resume a study and print what it costs until the first new trial begins: `headway_resume.py EMPTY FOLDER`.

EMPTY holds the same study without a trial. It is resumed first, so that all is imported; FOLDER is what is measured.
"""

import json
import sys
import time
from pathlib import Path

from headway_marks import Cut, load_study, run_cut

from headway.engine import Assignment, EngineSettings
from headway.studies import QuietObserver


class _UntilFirst(QuietObserver):
    """Note the cost when the first new trial has begun, and end the session. An inline trial has then ended, too."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0
        self.standing = 0
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def recalled(self, trials: int) -> None:
        self.standing = trials

    def started(self, trial: int, assignment: Assignment) -> None:
        self.cpu = time.process_time() - self._cpu
        self.wall = time.perf_counter() - self._wall
        raise Cut


def _resume(folder: Path, source: Path) -> _UntilFirst:
    study = load_study(source, "noop")
    observer = _UntilFirst()
    run_cut(study, folder / ".headway", EngineSettings(backend="inline"), observer)
    return observer


def main(empty: Path, folder: Path) -> None:
    """Run and print one line of JSON."""
    nothing = _resume(empty, folder)
    found = _resume(folder, folder)
    print(
        json.dumps(
            {
                "cpu_seconds": found.cpu,
                "wall_seconds": found.wall,
                "empty_cpu_seconds": nothing.cpu,
                "standing": found.standing,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
