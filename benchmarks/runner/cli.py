"""The command `python -m benchmarks`: lists benchmarks, runs them, prints tables and one line of JSON each."""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.runner.context import ROOT, Context
from benchmarks.runner.environments import Environments, PeerFailed
from benchmarks.runner.processes import ProcessFailed
from benchmarks.runner.registry import Benchmark, discover
from benchmarks.runner.table import show

__all__ = ["main"]

_WIDTH = 150  # of the tables where the output is no terminal
_REPEATS, _QUICK_REPEATS = 5, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return 0 when all targets hold, 1 otherwise, 2 for a name that does not exist."""
    known = discover()
    options = _parser(known).parse_args(arguments)
    if options.list:
        for item in known.values():
            print(f"{item.name:<12} {item.claim}")
        return 0
    names: list[str] = list(known) if options.all else options.names
    wrong = [name for name in names if name not in known]
    if not names or wrong:
        what = f"no benchmark is called {', '.join(wrong)}" if wrong else "no benchmark is named"
        print(f"Error: {what}. There are: {', '.join(known)}. --all runs them all.", file=sys.stderr)
        return 2
    held = [_run(known[name], options) for name in names]
    return 0 if all(held) else 1


def _parser(known: dict[str, Benchmark]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Headway beside its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to run: {', '.join(known)}")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and what they claim")
    parser.add_argument("--all", action="store_true", help="run them all")
    parser.add_argument("--quick", action="store_true", help="smaller sizes: a smoke test, not the claim's figures")
    parser.add_argument(
        "--no-peers", action="store_true", help="measure Headway alone; targets about peers do not hold"
    )
    parser.add_argument(
        "--repeats", type=_count, help=f"how often each thing is measured (default {_REPEATS}, quick {_QUICK_REPEATS})"
    )
    parser.add_argument("--scenario", type=_file, metavar="FILE", help="play the ideas that this file describes (race)")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of repeats; give 1 or more")
    return int(text)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}; docs/benchmarks.md has the format")
    return Path(text)


def _run(item: Benchmark, options: argparse.Namespace) -> bool:
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{item.name} {time.monotonic() - began:5.0f} s] {text}", file=sys.stderr, flush=True)

    requirements = (ROOT / "benchmarks" / "peers.txt").read_text()
    context = Context(
        repeats=options.repeats or (_QUICK_REPEATS if options.quick else _REPEATS),
        quick=options.quick,
        with_peers=not options.no_peers,
        say=say,
        environments=Environments(ROOT / ".venv-peers", requirements, say),
        scenario=options.scenario,
    )
    try:
        result = item.run(context)
    except Exception as error:
        if not isinstance(error, PeerFailed | ProcessFailed):  # these say all that there is to say
            traceback.print_exc()
        print(f"Error: the benchmark {item.name!r} broke off: {error!r}", file=sys.stderr)
        print(json.dumps({"name": item.name, "figures": {}, "targets": {}, "holds": False, "error": repr(error)}))
        return False
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    show(console, item.name, item.claim, result, quick=options.quick)
    print(json.dumps(result.to_json(item.name, quick=options.quick)), flush=True)
    return result.holds
