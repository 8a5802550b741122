"""Run a study as `headway run` does, every call to the store timed: `crowd_engine.py TIMES STUDY ARGUMENT...`."""

import sys
from pathlib import Path

from crowd_clock import watch_calls

from headway.interfaces.cli import main

if __name__ == "__main__":
    watch_calls(Path(sys.argv[1]))
    sys.argv = ["headway", "run", "study.py", "--study", *sys.argv[2:]]
    main()
