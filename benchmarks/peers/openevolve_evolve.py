"""Run OpenEvolve on a task of `evolve` and print what it cost: see evolve_report.py for the options and the line.

The model answers inside of the worker, through the hook `init_client`: the quickest way that OpenEvolve offers, without
a request. With `--served` it is asked over HTTP, by OpenEvolve's own client, as a real one would be. The rest is as
OpenEvolve ships it (a checkpoint every hundred iterations, for example), but for a quiet log (`--log-level INFO` brings
back its own), no cascade (the evaluator has one stage), and what the options say.
"""

import asyncio
import itertools
import multiprocessing
import pickle
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version
from typing import Any

from cost import cost_so_far
from evolve_report import Marks, Order, report
from evolve_server import served
from evolve_stub import MODELS
from openevolve.config import LLMModelConfig, load_config
from openevolve.controller import OpenEvolve
from openevolve.llm.base import LLMInterface
from openevolve.process_parallel import ProcessParallelController


class Stub(LLMInterface):
    """Answer at once. Each worker has its own and counts its calls; its number keeps two workers' answers apart."""

    def __init__(self, name: str, seed: int, _: LLMModelConfig) -> None:
        self.model = name
        self._answer, self._seed, self._calls = MODELS[name], seed, itertools.count()
        self._worker = "-".join(map(str, multiprocessing.current_process()._identity))

    async def generate(self, prompt: str, **_: Any) -> str:
        """Answer a prompt."""
        return await self.generate_with_context("", [{"role": "user", "content": prompt}])

    async def generate_with_context(self, system_message: str, messages: Sequence[Mapping[str, str]], **_: Any) -> str:
        """Answer a conversation."""
        prompt = "\n".join([system_message, *(message["content"] for message in messages)])
        return self._answer(prompt, self._seed, f"{self._worker}-{next(self._calls)}")


def configured(order: Order, address: str | None) -> Any:
    """Return OpenEvolve's configuration for an order; with an address, the model is asked there."""
    config = load_config(order.task_folder / "config.yaml")
    if address is None:
        config.llm.models = [LLMModelConfig(name="stub", init_client=partial(Stub, order.model, order.seed))]
    else:
        asked = {"timeout": 60, "retries": 0, "retry_delay": 1, "max_tokens": 4096}
        config.llm.models = [LLMModelConfig(name="stub", api_base=address, api_key="none", **asked)]
    config.llm.evaluator_models = config.llm.models.copy()
    config.random_seed = order.seed
    config.log_level = order.log_level
    config.evaluator.parallel_evaluations = order.workers
    config.evaluator.timeout = order.timeout_seconds
    config.max_iterations = order.iterations
    return config


def main(order: Order) -> None:
    """Run and print."""
    folder = order.lay_out()
    sent: list[int] = []
    if order.measure_sent:
        _weigh(sent)
    kinds: Counter[str] = Counter()
    with served(order.model, order.seed) if order.served else nullcontext() as address:
        marks = Marks()
        tool = OpenEvolve(
            initial_program_path=str(folder / "initial_program.py"),
            evaluation_file=str(folder / "evaluator.py"),
            config=configured(order, address),
            output_dir=str(order.folder / "output"),
        )
        _count(tool, marks, kinds)
        best = asyncio.run(tool.run(iterations=order.iterations))
        whole = cost_so_far() - marks.began
    claimed = None if best is None else (best.code, best.metrics.get("combined_score", 0.0))
    report(order, f"openevolve {version('openevolve')}", marks, whole, claimed, sent_bytes=sent, kinds=dict(kinds))


def _count(tool: Any, marks: Marks, kinds: Counter[str]) -> None:
    """Count each evaluated candidate where it enters the database; the initial program is none."""
    add = tool.database.add

    def counted(program: Any, *words: Any, **named: Any) -> Any:
        found = add(program, *words, **named)
        if program.parent_id is not None and "iteration" in named:
            score = program.metrics.get("combined_score")
            kinds["scored" if score is not None else "timed out" if "timeout" in program.metrics else "failed"] += 1
            marks.count(score)
        return found

    tool.database.add = counted


def _weigh(sent: list[int]) -> None:
    """Note the size of what each iteration sends to its worker, pickled as the process pool does it."""
    snapshot = ProcessParallelController._create_database_snapshot

    def weighed(self: Any) -> dict[str, Any]:
        found = snapshot(self)
        sent.append(len(pickle.dumps(found)))
        return found

    ProcessParallelController._create_database_snapshot = weighed


if __name__ == "__main__":
    main(Order.parsed(sys.argv[1:]))
