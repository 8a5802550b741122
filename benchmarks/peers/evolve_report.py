"""What each contestant of `evolve` is asked, and what it prints: the options, marks by hundreds, one line of JSON."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cost import Cost, cost_so_far
from evolve_stub import MODELS
from evolve_tasks import TASKS, judge, lay_out

__all__ = ["Marks", "Order", "report"]

_EVERY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Hold what to run: so many iterations of a task, in a folder that is made, with a model of evolve_stub.py."""

    task: str
    model: str
    folder: Path
    iterations: int
    workers: int
    seed: int
    task_seed: int
    program_bytes: int
    served: bool
    log_level: str
    timeout_seconds: int
    measure_sent: bool
    count_evaluations: bool

    @classmethod
    def parsed(cls, words: Sequence[str]) -> "Order":
        """Read the command line. A seed for noise, if the environment has one, is dropped: peers know of none."""
        parser = argparse.ArgumentParser()
        parser.add_argument("task", choices=TASKS)
        parser.add_argument("folder", type=Path, help="made by this script; results go there too")
        parser.add_argument("iterations", type=int)
        parser.add_argument("workers", type=int)
        parser.add_argument("--model", choices=sorted(MODELS), default="trivial")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--task-seed", type=int, default=0)
        parser.add_argument("--program-bytes", type=int, default=0, help="lengthen the program by comments")
        parser.add_argument("--served", action="store_true", help="ask the model over HTTP, not in the same process")
        parser.add_argument("--log-level", default="WARNING", help="OpenEvolve ships with INFO, at 3 ms of CPU a trial")
        parser.add_argument("--timeout-seconds", type=int, default=10)
        parser.add_argument("--measure-sent", action="store_true", help="pickle each message to a worker once more")
        parser.add_argument("--count-evaluations", action="store_true", help="only the trivial task can say")
        os.environ.pop("HEADWAY_SEED", None)
        return cls(**vars(parser.parse_args(words)))

    @property
    def task_folder(self) -> Path:
        """Return where the task lies."""
        return self.folder / "task"

    @property
    def evaluations(self) -> Path:
        """Return the file that has a line for each evaluation."""
        return self.folder / "evaluations.txt"

    def lay_out(self, *, shinka: bool = False) -> Path:
        """Make the folders and return the task's."""
        self.folder.mkdir(parents=True)
        if self.count_evaluations:
            os.environ["EVOLVE_EVALUATIONS"] = str(self.evaluations.absolute())
        lay_out(self.task, self.task_folder, self.task_seed, program_bytes=self.program_bytes, shinka=shinka)
        return self.task_folder


@dataclass(slots=True)
class Marks:
    """Note the cost whenever another hundred trials are in, and every score with its time."""

    began: Cost = field(default_factory=cost_so_far)
    found: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    trials: list[tuple[float, float | None]] = field(default_factory=list[tuple[float, float | None]])

    def count(self, score: float | None) -> None:
        """Take in one evaluated candidate; `None` for one that has no score."""
        self.trials.append((time.perf_counter() - self.began.wall_seconds, score))
        if len(self.trials) % _EVERY == 0:
            self.found.append({"trials": len(self.trials), **asdict(cost_so_far() - self.began)})


def report(order: Order, tool: str, marks: Marks, whole: Cost, best: tuple[str, float] | None, **more: object) -> None:
    """Print one line of JSON: what was run, what it cost, and what the best program claims and is."""
    print(
        json.dumps(
            {
                "tool": tool,
                "task": order.task,
                "workers": order.workers,
                "iterations": order.iterations,
                "trials": len(marks.trials),
                **asdict(whole),
                "trials_per_second": len(marks.trials) / whole.wall_seconds,
                "marks": marks.found,
                "scores": marks.trials,
                "evaluations": _evaluations(order),
                "best": best and {"program": best[0], "claimed": best[1], **judge(order.task_folder, best[0])},
                **more,
            }
        ),
        file=sys.__stdout__,
    )


def _evaluations(order: Order) -> dict[str, int] | None:
    """Return how many evaluations there were, the initial program's among them, and the most that one program had."""
    if not order.count_evaluations:
        return None
    found = Counter(order.evaluations.read_text().split())
    return {"all": found.total(), "most_of_one": max(found.values())}
