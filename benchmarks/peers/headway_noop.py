"""Run trials that do nothing and print what they cost: `headway_noop.py FOLDER BACKEND WORKERS ENDS COUNT...`.

A cost is noted when COUNT trials have ended. ENDS is `concludes`, where the study goes on to its verdict, or `cut`,
where the session ends at the last COUNT and leaves a study to be resumed.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cost import cost_so_far
from headway_marks import Marks, load_study, run_cut, with_budget

from headway.engine import EngineSettings


def main(folder: Path, backend: str, workers: int, ends: str, counts: Sequence[int]) -> None:
    """Run and print one line of JSON."""
    study = load_study(folder, "noop")
    marks = Marks(counts, cuts=ends == "cut")
    trials = counts[-1] + study.smallest
    if ends == "concludes":
        with_budget(study, trials)
    began = cost_so_far()
    run_cut(study, folder / ".headway", EngineSettings(backend=backend, workers=workers), marks)
    whole = cost_so_far() - began
    print(
        json.dumps(
            {
                "cpu_seconds": [(cost - began).cpu_seconds for cost in marks.costs],
                "wall_seconds": [(cost - began).wall_seconds for cost in marks.costs],
                "whole_cpu_seconds": whole.cpu_seconds,
                "trials": trials if ends == "concludes" else counts[-1],
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], [int(count) for count in sys.argv[5:]])
