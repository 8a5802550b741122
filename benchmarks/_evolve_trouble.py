"""What goes wrong in an evolution: a program that hangs, one that always crashes, `kill -9`, messages that grow."""

import json
import os
import random
import signal
import statistics
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._noop import VARIABLES
from benchmarks.runner import Context, PeerFailed, run_process
from headway.store import Store

__all__ = ["Trouble", "troubles"]

_TRIALS, _QUICK_TRIALS = 200, 60
_TIMEOUT_SECONDS = 2
_START_SECONDS = 60.0
_PEER = Path(__file__).parent / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Hold how many of the five candidates after a hanging one ran, how often a crash was evaluated, how many trials a
    kill cost, and how many times larger late messages to a worker are than early ones.
    """

    after_a_hang: int
    evaluations_of_a_crash: int
    lost_by_a_kill: int
    growth_of_bytes: float

    @property
    def figures(self) -> Mapping[str, float | None]:
        """Return them by name."""
        return {
            "ran_of_the_five_after_a_hang": float(self.after_a_hang),
            "evaluations_of_a_crash": float(self.evaluations_of_a_crash),
            "trials_lost_by_a_kill": float(self.lost_by_a_kill),
            "bytes_sent_late_by_early": self.growth_of_bytes,
        }


def troubles(context: Context) -> Trouble:
    """Make the trouble, to Headway alone: docs/benchmarks.md says what became of the peers."""
    trials = context.pick(_TRIALS, _QUICK_TRIALS)
    hang = _driven(context, 30, "--model", "hangs", "--timeout-seconds", _TIMEOUT_SECONDS)
    scores = [score for _, score in hang["scores"]]
    hung = next((place for place, score in enumerate(scores) if score is None), len(scores))
    crash = _driven(context, 30, "--model", "crashes")
    sent = _driven(context, trials, "--measure-sent")["sent_bytes"]
    return Trouble(
        after_a_hang=sum(score is not None for score in scores[hung + 1 : hung + 6]),
        evaluations_of_a_crash=crash["most_attempts_of_a_failed_trial"],
        lost_by_a_kill=max(_killed(context, trials, number) for number in range(context.pick(5, 1))),
        growth_of_bytes=statistics.median(sent[-20:]) / statistics.median(sent[5:25]),
    )


def _driven(context: Context, trials: int, *words: object) -> dict[str, Any]:
    with context.folder() as folder:
        return context.drive("headway_evolve", "trivial", folder / "run", trials, 1, *words, folder=folder).data


def _killed(context: Context, trials: int, number: int) -> int:
    """Kill a session at a random moment, resume it with one command, and count the trials that were run again."""
    chance = random.Random(number)
    with context.folder() as folder:
        task = folder / "task"
        run_process(
            [context.python(None), _PEER / "evolve_tasks.py", "lay-out", "trivial", task, "0"], folder=folder
        ).checked()
        (task / "stub.py").write_text(
            f"import sys\nsys.path.insert(0, {str(_PEER)!r})\nfrom evolve_stub import MODELS\n"
            "def complete(prompt, seed):\n    return MODELS['trivial'](prompt, 0, str(seed))\n"
        )
        words = ["evolve", task, "--function", "stub.py:complete", "--budget", f"{trials} trials", "--study", "killed"]
        words += ["--workers", "1", "--plain", "--store", folder / "store"]
        environment = {**os.environ, **VARIABLES}
        command = [context.python(None), "-m", "headway", *map(str, words)]
        with (folder / "output").open("w") as output:
            engine = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
            _until_ended(folder / "store", engine, chance.randint(10, trials // 2))
            engine.send_signal(signal.SIGKILL)
            engine.wait()
        resume = [context.python(None), "-m", "headway", "resume", "killed", "--plain", "--store", folder / "store"]
        run_process([*map(str, resume)], folder=folder, seconds=300).checked()
        return _run_again(folder / "store", trials)


def _until_ended(store: Path, engine: "subprocess.Popen[bytes]", trials: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and engine.poll() is None:
        if (store / "store.sqlite").exists():
            with Store.open(store, create=False) as opened:
                if int(opened.database.rows("SELECT count(*) FROM trials WHERE ended IS NOT NULL")[0][0]) >= trials:
                    return
        time.sleep(0.005)
    raise PeerFailed("the evolution that was to be killed never ran")


def _run_again(store: Path, trials: int) -> int:
    with Store.open(store, create=False) as opened:
        ended = int(opened.database.rows("SELECT count(*) FROM trials WHERE ended IS NOT NULL")[0][0])
        twice = opened.database.rows("SELECT trial FROM attempts GROUP BY trial HAVING count(*) > 1")
        (study,) = opened.studies.all()
        if study.state != "finished" or ended < trials:
            raise PeerFailed(f"the killed evolution ended {study.state} with {json.dumps(ended)} of {trials} trials")
        return len(twice)
