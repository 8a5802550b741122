"""Whether a crowd of agents can share one study over MCP: no idea runs twice, nobody starves, answers come at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._noop import VARIABLES
from benchmarks.runner import SCRIPTS, Context, Result, Row, Sample, Table, at_least, at_most, benchmark
from headway.core import TrialState
from headway.store import Store

_AGENTS, _QUICK_AGENTS = 20, 6
_SECONDS, _QUICK_SECONDS = 300.0, 8.0
_LATEST_MILLISECONDS = 200.0
_LEAST_SHARE = 0.5  # of what the agents did on average
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """Hold what agents did, how long the server took for each verb (seconds), and what the record says."""

    agents: Sequence[Mapping[str, Any]]
    answers: Mapping[str, Sequence[float]]
    run_twice: Sequence[str]
    lost: Sequence[str]
    trials: int


@benchmark("twenty agents over MCP for five minutes: no idea runs twice, none starves, 95 % of answers within 200 ms")
def run(context: Context) -> Result:
    """Let scripted agents propose, wait and read at one server, with one engine beside it."""
    agents, seconds = context.pick(_AGENTS, _QUICK_AGENTS), context.pick(_SECONDS, _QUICK_SECONDS)
    context.say(f"{agents} agents over HTTP for {seconds:.0f} s, one server, one engine")
    with context.folder() as folder:
        outcome = _gather(folder, agents, seconds)
    return _result(outcome, agents)


def _gather(folder: Path, agents: int, seconds: float) -> _Outcome:
    (folder / "study.py").write_text((SCRIPTS / "mcp_study.py").read_text())
    store = folder / ".headway"
    with _process(folder, "-m", "headway", "run", "study.py", "--workers", "1", "--plain"):
        _until(lambda: _ended(store) > 0)
        address, times = folder / "address.json", folder / "times.json"
        with _process(folder, SCRIPTS / "mcp_server.py", address, times):
            _until(address.exists)
            with _process(folder, SCRIPTS / "mcp_agents.py", address, agents, seconds, folder / "agents.json") as crowd:
                crowd.wait(seconds + _PATIENCE_SECONDS)
        _until(times.exists)
    said = json.loads((folder / "agents.json").read_text())
    with Store.open(store, create=False) as opened:
        twice = opened.database.rows("SELECT candidate FROM trials GROUP BY candidate, seed HAVING count(*) > 1")
        again = opened.database.rows("SELECT trial FROM attempts GROUP BY trial HAVING count(*) > 1")
        return _Outcome(
            agents=said,
            answers=json.loads(times.read_text()),
            run_twice=[f"candidate {row[0]}" for row in twice] + [f"trial {row[0]}" for row in again],
            lost=_lost(opened, {item for agent in said for item in agent["ideas"]}),
            trials=int(opened.database.rows("SELECT count(*) FROM trials")[0][0]),
        )


def _lost(store: Store, ideas: set[str]) -> list[str]:
    """Say which ideas that an agent saw the end of have no trial that ran to its end."""
    (study,) = store.studies.all()
    ended = {place.candidate[:12] for place in store.places.standing(study.id) if TrialState(place.state).ended}
    return sorted(ideas - ended)


@contextmanager
def _process(folder: Path, *words: object) -> Generator[subprocess.Popen[bytes]]:
    with (folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            cwd=folder,
            env={**os.environ, **VARIABLES},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _until(condition: Any) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("The crowd waits in vain for its engine or its server.")
        time.sleep(0.05)


def _ended(store: Path) -> int:
    if not (store / "store.sqlite").exists():
        return 0
    with Store.open(store, create=False) as opened:
        return int(opened.database.rows("SELECT count(*) FROM trials WHERE ended IS NOT NULL")[0][0])


def _result(outcome: _Outcome, agents: int) -> Result:
    done = [len(agent["ideas"]) for agent in outcome.agents]
    problems = [text for agent in outcome.agents for text in agent["problems"]]
    answers = [seconds for verb, times in outcome.answers.items() if verb != "wait" for seconds in times]
    share = min(done, default=0) / (sum(done) / len(done)) if sum(done) else 0.0
    figures: dict[str, float | None] = {
        "answers": float(len(answers)),
        "answer_milliseconds_95_of_100": 1000 * _of_100(answers, 95),
        "largest_answer_tokens": max((agent["largest_bytes"] for agent in outcome.agents), default=0) / 3,
        "ideas": float(sum(done)),
        "ideas_run_twice": float(len(outcome.run_twice)),
        "ideas_lost": float(len(outcome.lost)),
        "least_share_of_an_agent": share,
        "errors": float(len(problems)),
        "trials": float(outcome.trials),
    }
    targets = {
        "agents": at_least(len(done), agents),
        "answer_milliseconds_95_of_100": at_most(figures["answer_milliseconds_95_of_100"], _LATEST_MILLISECONDS),
        "least_share_of_an_agent": at_least(share, _LEAST_SHARE),
        **{name: at_most(figures[name], 0) for name in ("ideas_run_twice", "ideas_lost", "errors")},
    }
    rows = [
        Row(
            name=verb,
            samples=[Sample(1000 * item) for item in times],
            note=f"{len(times):,} answers; 95 of 100 within {1000 * _of_100(times, 95):.3g} ms",
        )
        for verb, times in sorted(outcome.answers.items())
    ]
    title = f"Answers at the server, {len(done)} agents, {sum(done):,} ideas, {min(done, default=0)} to "
    table = Table(title=f"{title}{max(done, default=0)} an agent", unit="ms, an answer each", rows=rows)
    return Result(tables=[table], figures=figures, targets=targets, notes=[*problems[:20], *outcome.lost[:20]])


def _of_100(values: Sequence[float], share: int) -> float:
    """Return the value that so many of a hundred do not exceed."""
    return sorted(values)[max(0, len(values) * share // 100 - 1)] if values else 0.0
