"""Whether a crowd of agents can change one repository over MCP: nothing runs twice, none starves, answers come soon."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._noop import VARIABLES
from benchmarks.runner import SCRIPTS, Context, Result, Row, Sample, Table, at_least, at_most, benchmark
from headway.interfaces.agents.news import VerdictsMark
from headway.sandbox import protection
from headway.store import Store
from headway.testing.repositories import committed

_AGENTS, _QUICK_AGENTS = 20, 6
_SECONDS, _QUICK_SECONDS = 300.0, 15.0
_LATEST_MILLISECONDS = 200.0
_LEAST_SHARE = 0.5  # of what the agents had on average
_PATIENCE_SECONDS = 120.0
_OUTPUT = "output.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """Hold what agents did, how long the server took for each verb (seconds), and what the record says.

    `lost` are ideas whose verdict an agent was told and that have none in the record; `missed` are verdicts that were
    in the record and that a cursor did not tell.
    """

    agents: Sequence[Mapping[str, Any]]
    answers: Mapping[str, Sequence[float]]
    run_twice: Sequence[str]
    lost: Sequence[str]
    missed: int
    trials: int
    decisions: Mapping[str, int]


@benchmark("twenty agents over MCP for five minutes: no idea runs twice, none starves, 95 % of answers within 200 ms")
def run(context: Context) -> Result:
    """Let scripted agents propose changes of a repository, wait for verdicts and read them, with one engine beside."""
    agents, seconds = context.pick(_AGENTS, _QUICK_AGENTS), context.pick(_SECONDS, _QUICK_SECONDS)
    context.say(f"{agents} agents over HTTP for {seconds:.0f} s, one server, one engine, a repository")
    with context.folder() as folder:
        return _result(_gather(folder, agents, seconds), agents)


def _gather(folder: Path, agents: int, seconds: float) -> _Outcome:
    repository = _repository(folder / "repository")
    store = repository / ".headway"
    flags = [] if protection().sound else ["--unsafe"]
    words = ("run", ".", "--tag", "crowd", "--workers", "1", "--plain", *flags)
    with _process(repository, "-m", "headway", *words) as engine:
        _until(lambda: _ended(store) > 0, engine, folder / _OUTPUT)
        address, times = folder / "address.json", folder / "times.json"
        with _process(repository, SCRIPTS / "mcp_server.py", address, times) as server:
            _until(address.exists, server, folder / _OUTPUT)
            said = folder / "agents.json"
            with _process(repository, SCRIPTS / "mcp_agents.py", address, agents, seconds, said) as crowd:
                crowd.wait(seconds + _PATIENCE_SECONDS)
    told = json.loads((folder / "agents.json").read_text())
    with Store.open(store, create=False) as opened:
        (study,) = opened.studies.all()
        verdicts = opened.verdicts.since(study.id, 0, 1_000_000)
        known = {item.verdict.candidate[:12]: item.id for item in verdicts}
        twice = opened.database.rows("SELECT candidate FROM trials GROUP BY candidate, seed HAVING count(*) > 1")
        again = opened.database.rows("SELECT trial FROM attempts GROUP BY trial HAVING count(*) > 1")
        return _Outcome(
            agents=told,
            answers=json.loads(times.read_text()),
            run_twice=[f"candidate {row[0]}" for row in twice] + [f"trial {row[0]}" for row in again],
            lost=sorted({item for agent in told for item in agent["ideas"]} - known.keys()),
            missed=sum(_missed(agent, known) for agent in told),
            trials=int(opened.database.rows("SELECT count(*) FROM trials")[0][0]),
            decisions=opened.verdicts.tally(study.id),
        )


def _missed(agent: Mapping[str, Any], known: Mapping[str, int]) -> int:
    """Count the verdicts between an agent's first cursor and its last that its waits did not tell it, or told twice."""
    told: list[str] = agent["told"]
    first, last = (VerdictsMark.read(agent[name]).last if agent[name] else 0 for name in ("first", "last"))
    due = {candidate for candidate, place in known.items() if first < place <= last}
    return len(due - set(told)) + len(told) - len(set(told))


def _repository(folder: Path) -> Path:
    shutil.copytree(SCRIPTS / "mcp_repository", folder)
    return committed(folder)


@contextmanager
def _process(folder: Path, *words: object) -> Generator[subprocess.Popen[bytes]]:
    with (folder.parent / _OUTPUT).open("ab") as output:
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


def _until(condition: Callable[[], bool], process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline or process.poll() is not None:
            said = output.read_text(errors="replace")[-2000:]
            raise TimeoutError(f"The crowd waits in vain for its engine or its server, which said: {said}")
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
        "verdicts_read": float(sum(done)),
        "fewest_verdicts_of_an_agent": float(min(done, default=0)),
        "most_verdicts_of_an_agent": float(max(done, default=0)),
        "least_share_of_an_agent": share,
        "ideas_run_twice": float(len(outcome.run_twice)),
        "ideas_lost": float(len(outcome.lost)),
        "verdicts_missed_by_a_cursor": float(outcome.missed),
        "errors": float(len(problems)),
        "trials": float(outcome.trials),
    }
    none = ("ideas_run_twice", "ideas_lost", "verdicts_missed_by_a_cursor", "errors")
    targets = {
        "agents": at_least(len(done), agents),
        "answer_milliseconds_95_of_100": at_most(figures["answer_milliseconds_95_of_100"], _LATEST_MILLISECONDS),
        "least_share_of_an_agent": at_least(share, _LEAST_SHARE),
        **{name: at_most(figures[name], 0) for name in none},
    }
    rows = [
        Row(
            name=verb,
            samples=[Sample(1000 * item) for item in times],
            note=f"{len(times):,} answers; 95 of 100 within {1000 * _of_100(times, 95):.3g} ms",
        )
        for verb, times in sorted(outcome.answers.items())
    ]
    spread = f"{min(done, default=0)} to {max(done, default=0)} an agent"
    title = f"Answers at the server, {len(done)} agents, {sum(done):,} verdicts read, {spread}"
    table = Table(title=title, unit="ms, an answer each", rows=rows)
    decisions = ", ".join(f"{count} {decision}" for decision, count in outcome.decisions.items())
    return Result(
        tables=[table],
        figures=figures,
        targets=targets,
        notes=[f"Verdicts: {decisions}.", *problems[:20], *outcome.lost[:20]],
    )


def _of_100(values: Sequence[float], share: int) -> float:
    """Return the value that so many of a hundred do not exceed."""
    return sorted(values)[max(0, len(values) * share // 100 - 1)] if values else 0.0
