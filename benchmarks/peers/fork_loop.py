"""Fork from a process that holds what Headway's template holds, one child after the other: `fork_loop.py FOLDER COUNT`.

A child ends at once. No trial in a process of its own can be had for less.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

from cost import cost_so_far

import headway.engine.template  # noqa: F401  # pyright: ignore[reportUnusedImport]
from headway.experiments import load_file


def main(folder: Path, count: int) -> None:
    """Run and print one line of JSON."""
    shutil.copyfile(Path(__file__).with_name("noop_study.py"), folder / "study.py")
    load_file(folder / "study.py")
    began, cpu = time.perf_counter(), cost_so_far().cpu_seconds
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    wall = time.perf_counter() - began
    cpu = cost_so_far().cpu_seconds - cpu
    print(json.dumps({"cpu_seconds": cpu, "wall_seconds": wall, "trials": count}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
