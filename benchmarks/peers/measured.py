"""Run a command and print what it cost, with its own peak of memory: `measured.py COMMAND...`.

A process begins with the peak of the one that started it (getrusage(2)), so it takes a small one to measure small ones.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence


def main(command: Sequence[str]) -> int:
    """Run it, print one line of JSON, and return its exit code."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    print(
        json.dumps(
            {
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "wall_seconds": time.perf_counter() - began,
                "peak_memory_bytes": usage.ru_maxrss * 1024,
            }
        )
    )
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
