"""A scripted agent that works through the command line.

    headway run . --workers 2 &        # the engine, in a copy of examples/autoresearch that git knows
    python by_cli.py STUDY             # in the same folder

Usage: python by_cli.py STUDY [--proposer NAME] [--of PART/PARTS]
"""

import argparse
import asyncio
import json
import subprocess
import sys
from typing import Any

from ideas import IDEAS
from loop import run


async def call(verb: str, *, study: str, **arguments: Any) -> dict[str, Any]:
    """Ask a verb as a command."""
    words, given = [sys.executable, "-m", "headway", verb.replace("_", "-"), study], None
    if verb == "result":
        words += [arguments.pop("candidate")]
    if "patch" in arguments:
        given, arguments["patch"] = arguments["patch"], "-"
    words += [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
    ended = await asyncio.to_thread(
        subprocess.run, [*words, "--json"], input=given, capture_output=True, text=True, check=False
    )
    if not ended.stdout:
        raise SystemExit(ended.stderr)
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def main() -> None:
    """Propose all ideas, or one part of them, and print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--proposer", default="scripted")
    parser.add_argument("--of", default="1/1", metavar="PART/PARTS")
    arguments = parser.parse_args()
    part, parts = map(int, arguments.of.split("/"))
    asyncio.run(run(call, arguments.study, IDEAS[part - 1 :: parts], arguments.proposer))


if __name__ == "__main__":
    main()
