"""Run the trial of `cycle` in the warm process of a peer, and print what each cost: `cycle_pool.py KIND COUNT`.

ray         one actor that holds the data set; it takes one trial after the other
loky        the reusable executor with one worker, which keeps the data set in a global
forkserver  multiprocessing's: the server has imported torch, loaded the data set and built an optimizer; a fork a trial
spawn       multiprocessing's: a fresh interpreter a trial

Each but `spawn`, which keeps nothing, has done one trial before the counted ones.
"""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cost import cost_so_far
from cycle_trials import Trainer, in_fork, in_spawn, kept

_HERE = str(Path(__file__).resolve().parent)


@contextmanager
def ray() -> Generator[Callable[[], float]]:
    """Keep an actor."""
    import ray

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    actor = ray.remote(Trainer).remote()

    def run() -> float:
        return ray.get(actor.trial.remote())

    yield run
    ray.shutdown()


@contextmanager
def loky() -> Generator[Callable[[], float]]:
    """Keep an executor."""
    from loky import get_reusable_executor

    with get_reusable_executor(max_workers=1, timeout=None) as executor:

        def run() -> float:
            return executor.submit(kept).result()

        yield run


@contextmanager
def processes(method: str, target: Callable[[Any], None]) -> Generator[Callable[[], float]]:
    """Start a process for each trial and wait until it is gone."""
    context = multiprocessing.get_context(method)
    os.environ["PYTHONPATH"] = _HERE  # a forkserver passes over what it cannot import, and does not take over sys.path
    if method == "forkserver":
        context.set_forkserver_preload(["cycle_preloaded"])

    def run() -> float:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=target, args=(theirs,))  # pyright: ignore[reportAttributeAccessIssue]
        process.start()
        theirs.close()
        stepped_at = ours.recv()
        process.join()
        return stepped_at

    yield run


def main(kind: str, count: int) -> None:
    """Run and print one line of JSON."""
    pools = {
        "ray": ray,
        "loky": loky,
        "forkserver": lambda: processes("forkserver", in_fork),
        "spawn": lambda: processes("spawn", in_spawn),
    }
    first: list[float] = []
    whole: list[float] = []
    cost = cost_so_far()
    with pools[kind]() as run:
        if kind != "spawn":
            run()
        warm_up, warm = cost_so_far() - cost, cost_so_far()
        for _ in range(count):
            submitted_at = time.time()
            first.append(run() - submitted_at)
            whole.append(time.time() - submitted_at)
        used = cost_so_far() - warm
    print(
        json.dumps(
            {
                "first_step_seconds": first,
                "whole_seconds": whole,
                "cpu_seconds": used.cpu_seconds / count,
            }
            | (
                {}
                if kind == "spawn"
                else {"warm_up_cpu_seconds": warm_up.cpu_seconds, "warm_up_wall_seconds": warm_up.wall_seconds}
            )
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
