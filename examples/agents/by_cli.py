"""A scripted agent that works through the command line: it proposes, goes on while its ideas run, and reads verdicts.

    headway run REPOSITORY --workers 2 &        # the engine, in examples/autoresearch or a copy of it
    python by_cli.py STUDY                      # in the repository's folder

Usage: python by_cli.py STUDY [--proposer NAME] [--of PART/PARTS]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ideas import IDEAS, Idea, patch_of

AT_ONCE = 4  # proposals without a verdict


def headway(*words: str, given: str | None = None) -> dict[str, Any]:
    """Call a command and return its answer."""
    command = [sys.executable, "-m", "headway", *words, "--json"]
    ended = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if not ended.stdout:
        raise SystemExit(ended.stderr)
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def propose(study: str, idea: Idea, proposer: str) -> str | None:
    """Propose an idea on what the study accepted last; None where its code is not what the idea edits any more."""
    answer = headway(
        "propose", study, "--patch", "-", "--file", "train.py", "--note", idea.note, "--proposer", proposer,
        given=patch_of(idea, Path("train.py").read_text()),
    )  # fmt: skip
    if "error" in answer:
        print(f"{idea.note}: not proposed: {answer['error']['message']}", flush=True)
        return None
    return answer["candidate"][:12]


def main() -> None:
    """Propose all ideas, or one part of them, and print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--proposer", default="scripted")
    parser.add_argument("--of", default="1/1", metavar="PART/PARTS")
    arguments = parser.parse_args()
    part, parts = map(int, arguments.of.split("/"))
    waiting: dict[str, Idea] = {}
    ideas = list(IDEAS[part - 1 :: parts])
    while ideas or waiting:
        while ideas and len(waiting) < AT_ONCE:
            idea = ideas.pop(0)
            candidate = propose(arguments.study, idea, arguments.proposer)
            if candidate is not None:
                waiting[candidate] = idea
        for candidate, idea in list(waiting.items()):
            headway("wait", arguments.study, "--candidate", candidate, "--timeout", "5")
            verdict = headway("result", candidate, "--study", arguments.study).get("verdict")
            if verdict is not None:
                print(f"{idea.kind:8} {idea.note}: {verdict['sentence']}", flush=True)
                del waiting[candidate]


if __name__ == "__main__":
    main()
