"""Run Headway on a task of `evolve` and print what it cost: see evolve_report.py for the options and the line.

The model answers in the engine's process, as OpenEvolve's hook answers in its worker's; with `--served` it is asked
over HTTP, through the client that real models are asked by. Each candidate has a process of its own inside the
sandbox. The iterations are the budget: the baseline's runs with several seeds and the confirmation of the best are
among them.
"""

import os
import socket
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import final

from cost import cost_so_far
from evolve_report import Marks, Order, report
from evolve_server import served

from headway.core import Budget, TrialState
from headway.engine import Assignment, EngineSettings
from headway.store import Store, TrialRecord
from headway.studies import QuietObserver, run_study
from headway.studies.from_folder import repository_study
from headway.studies.repositories import files_of

_SEEDS = 4
_STUB = """import sys
sys.path.insert(0, {place!r})
from evolve_stub import MODELS

def complete(prompt, seed):
    return MODELS[{model!r}](prompt, {seed}, str(seed))
"""


@final
class _Watch(QuietObserver):
    """Mark each trial that ends."""

    def __init__(self, marks: Marks) -> None:
        super().__init__()
        self._marks = marks

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> None:
        """Count it."""
        self._marks.count(trial.value if trial.state == TrialState.COMPLETE else None)


def main(words: Sequence[str]) -> None:
    """Run an order."""
    order = Order.parsed(words)
    task = order.lay_out()
    with served(order.model, order.seed) if order.served else nullcontext(None) as address:
        if address is None:
            place = str(Path(__file__).parent)
            (task / "stub.py").write_text(_STUB.format(place=place, model=order.model, seed=order.seed))
        proposer = "function:stub.py:complete" if address is None else f"model:{address}#stub"
        store = order.folder / "output"
        study = repository_study(
            task,
            store,
            name="evolve",
            budget=Budget(trials=order.iterations),
            seeds=_SEEDS,
            proposers=[proposer],
            workers=order.workers,
            time_limit=float(order.timeout_seconds),
        )
        study.seed = order.seed * (2 * order.iterations + _SEEDS)
        marks = Marks()
        sent: list[int] = []
        if order.measure_sent:
            _weigh(sent)
        run_study(study, store, EngineSettings(workers=order.workers), _Watch(marks))
        whole = cost_so_far() - marks.began
    more = {"sent_bytes": sent, "most_attempts_of_a_failed_trial": _most_attempts(store)}
    report(order, "headway", marks, whole, _best(store), **more)


def _weigh(sent: list[int]) -> None:
    """Note the size of each message to a worker."""
    send = socket.send_fds

    def weighed(link: socket.socket, buffers: Sequence[bytes], descriptors: Sequence[int]) -> int:
        sent.append(sum(map(len, buffers)))
        return send(link, buffers, descriptors)

    socket.send_fds = weighed  # pyright: ignore[reportAttributeAccessIssue]


def _most_attempts(store: Path) -> int:
    """Return how often the failed trial was run that was run most often."""
    with Store.open(store) as opened:
        rows = opened.database.rows(
            "SELECT count(*) FROM attempts a JOIN trials t ON t.id = a.trial WHERE t.state = 'failed' GROUP BY t.id"
        )
        return max((int(row[0]) for row in rows), default=0)


def _best(store: Path) -> tuple[str, float] | None:
    """Return the text of the program that the study ends with, and what its verdict claims for it."""
    with Store.open(store) as opened:
        (study,) = opened.studies.all()
        judged = [item for item in opened.studies.verdicts(study.id) if "candidate_mean" in item.data]
        if not judged:
            return None
        (program,) = files_of(opened, study, judged[0].candidate).values()
        return program, float(judged[0].data["candidate_mean"])


if __name__ == "__main__":
    os.environ.setdefault("OPENAI_API_KEY", "none")
    main(sys.argv[1:])
