"""Answer trials of a second study from the record of the first: `headway_reuse.py FOLDER COUNT`.

The study has the experiment, the sampler and the seed of the first, so that it asks for the same trials in their order.
"""

import json
import sys
import time
from itertools import pairwise
from pathlib import Path

from headway_marks import Marks, load_study, run_cut

from headway.engine import Assignment, EngineSettings
from headway.store import TrialRecord

_FIRST = 100  # answers before the count


class _Answers(Marks):
    """Note when each answer came."""

    def __init__(self, count: int) -> None:
        super().__init__((_FIRST, _FIRST + count), cuts=True)
        self.times: list[float] = []

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> None:
        self.times.append(time.perf_counter())
        super().ended(trial, assignment, reused=reused)


def main(folder: Path, count: int) -> None:
    """Run and print one line of JSON."""
    answers = _Answers(count)
    run_cut(load_study(folder, "again"), folder / ".headway", EngineSettings(backend="inline"), answers)
    if answers.reused != _FIRST + count:
        raise RuntimeError(f"{answers.reused} of {_FIRST + count} trials were answered from the record")
    cost = answers.costs[1] - answers.costs[0]
    gaps = sorted(after - before for before, after in pairwise(answers.times[_FIRST:]))
    print(
        json.dumps(
            {
                "cpu_seconds": cost.cpu_seconds / count,
                "wall_seconds": cost.wall_seconds / count,
                "wall_seconds_at_99_percent": gaps[len(gaps) * 99 // 100],
                "answers": count,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
