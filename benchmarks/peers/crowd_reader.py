"""Look at the studies again and again, as people do, until a file is there: `crowd_reader.py TIMES SEED OVER`.

Prints one line of JSON: how often it looked, and every answer that was an error.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from click.testing import CliRunner
from crowd_clock import watch_calls

from headway.interfaces.cli.app import cli

_REST_SECONDS = 1.0  # at most, between two looks
_SHELL_SHARE = 0.03  # of the looks; they cost ten times as much
_LOOKS: tuple[Sequence[str], ...] = (
    ["status"],
    ["status", "left"],
    ["status", "right", "--json"],
    ["trials", "left", "--limit", "20"],
    ["trials", "right", "--best", "10"],
    ["show", "1"],
    ["show", "left"],
)


def main(times: Path, seed: int, over: Path) -> None:
    """Look, and print one line of JSON."""
    watch_calls(times)
    chance, looks, problems = random.Random(seed), 0, list[str]()
    while not over.exists():
        words = chance.choice(_LOOKS)
        code, text = _type(words) if chance.random() < _SHELL_SHARE else _call(words)
        looks += 1
        if code or "locked" in text or "Traceback" in text:
            problems.append(f"headway {' '.join(words)}: code {code}: {text[-500:]}")
        time.sleep(chance.uniform(0, _REST_SECONDS))
    print(json.dumps({"looks": looks, "problems": problems}))


def _call(words: Sequence[str]) -> tuple[int, str]:
    result = CliRunner().invoke(cli, words)
    return result.exit_code, result.output


def _type(words: Sequence[str]) -> tuple[int, str]:
    ended = subprocess.run([sys.executable, "-m", "headway", *words], capture_output=True, text=True)
    return ended.returncode, ended.stdout + ended.stderr


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
