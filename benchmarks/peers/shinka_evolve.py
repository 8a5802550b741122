"""Run ShinkaEvolve on a task of `evolve` and print what it cost: see evolve_report.py for the options and the line.

Shinka has no hook for a model of one's own, but its runner's client is an attribute: ours answers there, at once and in
the same process. With `--served` it is asked over HTTP, by Shinka's own client, as a local model would be. Shinka keeps
its own settings; it embeds no code and asks for no novelty, since there is no model for that, and prints no tables. It
evaluates each candidate in a process of its own; `workers` is its `max_evaluation_jobs`.
"""

import asyncio
import itertools
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext, redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cost import cost_so_far
from evolve_report import Marks, Order, report
from evolve_server import served
from evolve_stub import MODELS
from shinka.core import EvolutionConfig, ShinkaEvolveRunner
from shinka.database import AsyncProgramDatabase, DatabaseConfig
from shinka.launch import LocalJobConfig
from shinka.llm.providers import QueryResult

_UNASKED = "local/stub@http://127.0.0.1:9/v1"


class Stub:
    """Answer at once, in place of Shinka's client."""

    def __init__(self, name: str, seed: int) -> None:
        self._answer, self._seed, self._calls = MODELS[name], seed, itertools.count()

    def get_kwargs(self, model_sample_probs: Sequence[float] | None = None) -> dict[str, Any]:
        """Return what a call is made with."""
        return {"model_name": _UNASKED, "temperature": 0.0, "max_tokens": 4096}

    async def query(self, msg: str, system_msg: str, msg_history: Sequence[Mapping[str, str]] = (), **_: Any) -> Any:
        """Answer a prompt."""
        text = self._answer(f"{system_msg}\n{msg}", self._seed, str(next(self._calls)))
        return QueryResult(
            content=text,
            msg=msg,
            system_msg=system_msg,
            new_msg_history=[*msg_history, {"role": "user", "content": msg}, {"role": "assistant", "content": text}],
            model_name=_UNASKED,
            kwargs={},
            input_tokens=0,
            output_tokens=1,
        )


def made(order: Order, task: Path, address: str | None) -> Any:
    """Return Shinka's runner for an order; with an address, the model is asked there."""
    limit = order.timeout_seconds
    runner = ShinkaEvolveRunner(
        evo_config=EvolutionConfig(
            task_sys_msg="Change the program so that the combined score grows.",
            num_generations=order.iterations + 1,  # the initial program is one
            llm_models=[_UNASKED if address is None else f"local/stub@{address}"],
            llm_dynamic_selection=None,
            meta_rec_interval=None,
            embedding_model=None,
            init_program_path=str(task / "initial.py"),
            results_dir=str(order.folder / "output"),
        ),
        job_config=LocalJobConfig(
            eval_program_path=str(task / "evaluate.py"),
            time=f"{limit // 3600:02d}:{limit // 60 % 60:02d}:{limit % 60:02d}",
        ),
        db_config=DatabaseConfig(db_path=str(order.folder / "output" / "programs.sqlite")),
        banner_style="minimal",
        verbose=False,
        max_evaluation_jobs=order.workers,
    )
    if address is None:
        runner.llm = Stub(order.model, order.seed)
    return runner


def main(order: Order) -> None:
    """Run and print."""
    task = order.lay_out(shinka=True)
    with served(order.model, order.seed) if order.served else nullcontext() as address:
        marks = Marks()
        _count(marks)
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            runner = made(order, task, address)
            asyncio.run(runner.run_async())
        whole = cost_so_far() - marks.began
    best, kinds = _found(Path(runner.db_config.db_path))
    report(order, f"shinka {version('shinka-evolve')}", marks, whole, best, sent_bytes=[], kinds=dict(kinds))


def _count(marks: Marks) -> None:
    """Count each evaluated candidate when it stands in Shinka's database; the initial program is none."""
    add = AsyncProgramDatabase.add_program_async

    async def counted(self: Any, program: Any, *words: Any, **named: Any) -> Any:
        found = await add(self, program, *words, **named)
        if program.generation > 0:
            marks.count(program.combined_score if program.correct else None)
        return found

    AsyncProgramDatabase.add_program_async = counted


def _found(database: Path) -> tuple[tuple[str, float] | None, Counter[str]]:
    """Return Shinka's own best, the highest score of a correct program, and how many there are of each kind."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT code, combined_score, correct, generation FROM programs").fetchall()
    kinds = Counter("scored" if correct else "failed" for _, _, correct, generation in rows if generation > 0)
    correct = [(code, score) for code, score, right, _ in rows if right]
    return max(correct, key=lambda row: row[1], default=None), kinds


if __name__ == "__main__":
    main(Order.parsed(sys.argv[1:]))
