"""Read back what a logger stored: `read_points.py LOGGER FOLDER`. Prints one line of JSON.

Opening the files counts, imports do not: of two reads in a process, the second is measured. No logger here caches.
"""

import json
import sys
from pathlib import Path

from cost import cost_so_far
from loggers import open_logger


def main(name: str, folder: Path) -> None:
    """Read and print what it cost, and how many points there were."""
    logger = open_logger(name, folder)
    logger.read("loss")
    began = cost_so_far()
    values = logger.read("loss")
    cost = cost_so_far() - began
    print(json.dumps({"cpu_seconds": cost.cpu_seconds, "wall_seconds": cost.wall_seconds, "points": len(values)}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
