"""Leave a study that is paused before its first trial: `headway_empty.py FOLDER`."""

import json
import sys
from pathlib import Path

from headway_marks import load_study, pause_study


def main(folder: Path) -> None:
    """Make it and print one line of JSON."""
    pause_study(load_study(folder, "noop"), folder / ".headway")
    print(json.dumps({}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
