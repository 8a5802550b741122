"""The runner: finds benchmarks, gives each a context to measure with, and prints what it found.

results       what a benchmark returns: tables of rows, figures, targets
processes     a subprocess with its CPU, wall time and memory
environments  the peers' virtual environments
context       what a benchmark is given
registry      which benchmarks there are
table         results in the terminal
cli           the command
"""

from benchmarks.runner.context import SCRIPTS, Context, Driven
from benchmarks.runner.environments import Peer, PeerFailed
from benchmarks.runner.processes import Ended, ProcessFailed, descendants, run_process
from benchmarks.runner.registry import Benchmark, benchmark
from benchmarks.runner.results import Result, Row, Sample, Table, Target, at_least, at_most, median, ratio

__all__ = [
    "SCRIPTS",
    "Benchmark",
    "Context",
    "Driven",
    "Ended",
    "Peer",
    "PeerFailed",
    "ProcessFailed",
    "Result",
    "Row",
    "Sample",
    "Table",
    "Target",
    "at_least",
    "at_most",
    "benchmark",
    "descendants",
    "median",
    "ratio",
    "run_process",
]
