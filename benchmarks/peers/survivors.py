"""Read what a killed process left: `survivors.py LOGGER FOLDER`. Prints how many points there are, how many wrong."""

import json
import sys
from pathlib import Path

from flood import value_at
from loggers import open_logger


def main(name: str, folder: Path) -> None:
    """Read and print one line of JSON."""
    values = open_logger(name, folder).read("loss")
    wrong = sum(value != value_at(step) for step, value in enumerate(values))
    print(json.dumps({"points": len(values), "wrong": wrong}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
