"""Evolutions that are cut off, that lose their model, or that may pay no more: what is left is whole, and goes on."""

import collections
import itertools
import json
import random
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from headway.core import TrialState
from headway.store import Store
from headway.studies.evolving.keeping import Keeper
from tests.llm.answering import answering, chat
from tests.studies.evolving.evolutions import PROGRAM, laid_out


class Served(ThreadingHTTPServer):
    """A model that counts up or down, as a real endpoint; it keeps what it was asked."""

    daemon_threads = True

    def __init__(self, *, seconds: float = 0.0, limit: int | None = None, reach: int = 3) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seconds = seconds
        self.reach = reach  # how far from the parent its programs are at most
        self.limit = limit  # requests, after which it is down
        self.bodies: list[str] = []
        self.times: list[float] = []
        self.lock = threading.Lock()

    @property
    def model(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1#counting"

    def handle_error(self, request, client_address) -> None:
        """Say nothing of clients that were killed."""


class _Handler(BaseHTTPRequestHandler):
    server: Served  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with self.server.lock:
            self.server.bodies.append(text)
            self.server.times.append(time.monotonic())
            number = len(self.server.bodies)
        time.sleep(self.server.seconds)
        if self.server.limit is not None and number > self.server.limit:
            self.send_error(400, "gone")
            return
        body = json.loads(text)
        found = re.search(r"^X = (.*)$", body["messages"][-1]["content"], re.MULTILINE)
        assert found is not None
        new = int(found[1]) + random.Random(body["seed"]).choice([-1, 1]) * random.Random(text).randint(
            1, self.server.reach
        )
        answer = chat(f"Idea: {new}\n<<<<<<< SEARCH\nX = {found[1]}\n=======\nX = {new}\n>>>>>>> REPLACE")
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object, **__: object) -> None:
        """Say nothing."""


@contextmanager
def served(**given):
    server = Served(**given)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def whole(evolution):
    proposals = evolution.proposals()
    assert [item.number for item in proposals] == list(range(len(proposals)))
    seen: set[str] = set()
    for item in proposals:
        assert item.candidate not in seen
        assert set(item.parents) <= seen
        seen.add(item.candidate)
    return proposals


def killed(evolution, words, after, budget):
    """Kill an evolution with all its trials unasked, once it has so many trials."""
    process = evolution.start(*words, budget=budget)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if (evolution.store / "store.sqlite").exists():
            try:
                if len(evolution.trials()) >= after:
                    break
            except Exception:  # noqa: S110 — the study is not there yet
                pass
        time.sleep(0.02)
    process.kill()
    process.communicate()


def kept(evolution):
    """Return the answers that wait for a session."""
    folders = (evolution.store / "models" / "waiting").glob("*")
    return [answer for folder in folders for answer in Keeper(folder).kept()]


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_pays_nothing_twice(tmp_path):
    evolution = laid_out(tmp_path)
    budget = "40 trials"
    with served(seconds=0.02) as server:
        draw = random.Random(11)
        for after in (1, 6, 12):
            killed(evolution, ["--model", server.model], after + draw.randrange(3), budget)
            time.sleep(draw.random() / 10)
        ended = evolution.type("resume", "e", "--plain")
        assert ended.returncode == 0, ended.stderr
        asked = len(server.bodies)
        assert len(set(server.bodies)) == asked  # the same is never asked again
    proposals = whole(evolution)
    assert evolution.summary().verdicts
    trials = collections.Counter((place.trial.candidate, place.trial.seed) for place in evolution.trials())
    assert set(trials.values()) == {1}
    assert len(trials) <= 40
    assert all(place.trial.state.ended for place in evolution.trials())
    # What was asked is a program, a refusal that the ledger of the store counts, or was under way at one of the kills.
    under_way = 3 * 4
    told = list((evolution.store / "models" / "answers").rglob("*.json"))
    assert len(told) >= asked - under_way
    assert len(proposals) > 10
    assert len(kept(evolution)) <= 4  # answers that came when the budget was used up, for a larger one


@pytest.mark.slow
def test_what_was_answered_before_a_kill_is_run_after_it(tmp_path):
    """Trials take long beside the model, so that answers wait when the engine dies."""
    slow = PROGRAM.replace("    return X", "    import time\n    time.sleep(0.7)\n    return X")
    evolution = laid_out(tmp_path, program=slow)
    with served() as server:
        killed(evolution, ["--model", server.model, "--workers", "2"], 5, "14 trials")
        waiting = kept(evolution)
        ended = evolution.type("resume", "e", "--plain", "--workers", "2")
        assert ended.returncode == 0, ended.stderr
    notes = [item.note for item in whole(evolution)]
    assert all(item.proposed and item.proposed.note in notes for item in waiting)


@pytest.mark.slow
def test_a_model_is_asked_for_the_next_program_whenever_one_begins_to_run(tmp_path):
    """And not for several when all that were ready have run: the worker would wait for the first of them."""
    slow = PROGRAM.replace("    return X", "    import time\n    time.sleep(0.5)\n    return X")
    evolution = laid_out(tmp_path, program=slow)
    with served(reach=10**6) as server:  # no program twice: what is refused is asked for again at once
        ended = evolution.evolve("--model", server.model, "--workers", "1", budget="16 trials")
    assert ended.returncode == 0, ended.stderr
    later = server.times[3:]  # so many at once to begin with
    together = sum(after - before < 0.2 for before, after in itertools.pairwise(later))
    assert len(later) >= 6
    assert together <= 1


def test_a_model_that_is_down_pauses_the_study_with_its_error(tmp_path):
    evolution = laid_out(tmp_path)
    with served(limit=0) as server:
        ended = evolution.evolve("--model", server.model)
        assert ended.returncode == 1
        assert "Nobody is left to propose" in ended.stderr
        assert "headway resume" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert evolution.summary().study.state != "finished"
        server.limit = None
        resumed = evolution.type("resume", "e", "--plain")
    assert resumed.returncode == 0, resumed.stderr
    whole(evolution)
    assert evolution.summary().verdicts


@pytest.mark.slow
def test_a_model_that_goes_midway_leaves_what_was_found(tmp_path):
    evolution = laid_out(tmp_path)
    with served(limit=6) as server:
        ended = evolution.evolve("--model", server.model)
        assert ended.returncode == 1
        before = whole(evolution)
        assert len(before) > 2
        server.limit = None
        resumed = evolution.type("resume", "e", "--plain")
    assert resumed.returncode == 0, resumed.stderr
    assert whole(evolution)[: len(before)] == before


@pytest.mark.slow
def test_beside_a_model_that_is_down_the_others_go_on(tmp_path):
    evolution = laid_out(tmp_path)
    with served(limit=0) as server:
        ended = evolution.evolve("--model", server.model, "--function", f"{evolution.model}:complete")
    assert ended.returncode == 0, ended.stderr
    assert "#counting is not asked any more" in ended.stderr
    assert evolution.events("note")
    assert evolution.summary().verdicts


@pytest.mark.slow
def test_a_ceiling_ends_the_search_with_what_there_is_and_says_so(tmp_path):
    evolution = laid_out(tmp_path)
    with served() as server:
        ended = evolution.evolve("--model", server.model, "--most-tokens", "9500")
        asked = len(server.bodies)
        assert ended.returncode == 0, ended.stderr
        assert "of the ceiling of 9,500" in ended.stderr
        assert 1 <= asked < 20
        assert evolution.summary().verdicts
        more = evolution.type(
            "evolve", ".", "--study", "e", "--plain", "--most-tokens", "20000", "--budget", "60 trials"
        )
        assert more.returncode == 0, more.stderr
        assert len(server.bodies) > asked
    whole(evolution)


def test_ctrl_c_pauses_at_once_though_the_model_still_thinks(tmp_path):
    evolution = laid_out(tmp_path)
    with answering() as endpoint:
        endpoint.plan = ["hang"] * 20
        process = evolution.start("--model", f"{endpoint.url}#slow")
        deadline = time.monotonic() + 60
        while not endpoint.requests and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=15)
    assert process.returncode == 130, told
    assert evolution.summary().study.state != "finished"


@pytest.mark.slow
def test_ctrl_c_ends_agents(tmp_path):
    evolution = laid_out(tmp_path)
    pids = tmp_path / "pids"
    script = tmp_path / "agent.py"
    script.write_text(f"import os, time\nopen({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\ntime.sleep(100)\n")
    process = evolution.start("--agent", f"{sys.executable} {script}")
    deadline = time.monotonic() + 60
    while not pids.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert [pid for pid in pids.read_text().split() if Path(f"/proc/{pid}").exists()] == []


def test_an_agent_evolves_a_program(tmp_path):
    evolution = laid_out(tmp_path)
    script = tmp_path / "agent.py"
    script.write_text(
        "import pathlib, re, sys\n"
        "place = pathlib.Path('initial_program.py')\n"
        "text = place.read_text()\n"
        "old = int(re.search(r'X = (-?\\d+)', text)[1])\n"
        "place.write_text(text.replace(f'X = {old}', f'X = {old + 1}'))\n"
        "print(f'Idea: {old + 1} is more')\n"
    )
    ended = evolution.evolve("--agent", f"{sys.executable} {script}", budget="14 trials")
    assert ended.returncode == 0, ended.stderr
    assert "is more" in ended.stderr
    assert len(whole(evolution)) > 3


def test_a_function_that_fails_ends_the_session_with_its_name_and_line(tmp_path):
    evolution = laid_out(tmp_path, model="\n\ndef complete(prompt, seed):\n    return {}['gone']\n")
    ended = evolution.evolve()
    assert ended.returncode == 1
    assert "model.py:complete failed with seed" in ended.stderr
    assert "KeyError: 'gone'" in ended.stderr
    assert "return {}['gone']" in ended.stderr
    assert "Traceback" not in ended.stderr
    evolution.model.write_text(
        evolution.model.read_text().replace("return {}['gone']", "return block('X = 0', f'X = {seed}')")
    )
    resumed = evolution.type("resume", "e", "--plain")
    assert resumed.returncode == 0, resumed.stderr
    whole(evolution)


@pytest.mark.slow
def test_what_people_propose_enters_the_tree(tmp_path):
    evolution = laid_out(tmp_path)
    with served(seconds=0.15) as server:
        process = evolution.start("--model", server.model)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if (evolution.store / "store.sqlite").exists():
                with Store.open(evolution.store, create=False) as store:
                    study = store.studies.find("e")
                    if study is not None and store.studies.count_proposals(study.id) > 2:
                        break
            time.sleep(0.02)
        copy = tmp_path / "copy"
        copy.mkdir()
        (copy / "initial_program.py").write_text(PROGRAM.replace("X = 0", "X = 50"))
        told = evolution.type("propose", "e", "--from", str(copy), "--note", "from a person")
        assert told.returncode == 0, told.stderr
        _, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    proposals = whole(evolution)
    mine = next(item for item in proposals if item.note == "from a person")
    assert any(mine.candidate in item.parents for item in proposals)
    best = evolution.summary().best
    assert best is not None
    assert best.number >= mine.number


@pytest.mark.slow
def test_a_first_program_that_fails_with_one_seed_is_still_the_first(tmp_path):
    program = PROGRAM.replace(
        "    return X", "    import os\n    return X if os.environ['HEADWAY_SEED'] != '2' or X else 1 / 0"
    )
    evolution = laid_out(tmp_path, program=program)
    ended = evolution.evolve()
    assert "Traceback (most recent" not in ended.stderr
    assert ended.returncode == 0, ended.stderr
    assert len(whole(evolution)) > 3
    assert [place for place in evolution.trials() if place.trial.state == TrialState.FAILED]


@pytest.mark.slow
def test_killed_many_times_it_still_ends_whole(tmp_path):
    evolution = laid_out(tmp_path)
    draw = random.Random(5)
    with served(seconds=0.01) as server:
        for after in range(1, 50, 4):
            killed(evolution, ["--model", server.model], after + draw.randrange(3), "60 trials")
        ended = evolution.type("resume", "e", "--plain")
        if ended.returncode == 7:  # it was finished before the last kill
            assert "finished" in ended.stderr
        else:
            assert ended.returncode == 0, ended.stderr
        assert len(set(server.bodies)) == len(server.bodies)
    whole(evolution)
    assert len(evolution.trials()) <= 60
    assert evolution.summary().verdicts


def test_a_store_with_a_relative_path_elsewhere_serves_a_folder_without_git(tmp_path):
    evolution = laid_out(tmp_path, model="def complete(prompt, seed):\n    return 'nothing'\n")
    model = f"{tmp_path / 'model.py'}:complete"
    words = ["evolve", str(evolution.folder), "--function", model, "--budget", "16 trials", "--plain"]
    (tmp_path / "elsewhere").mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "headway", *words, "--store", "beside"],
        cwd=tmp_path / "elsewhere", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "baseline" in ended.stdout + ended.stderr
    assert "exited" not in ended.stdout + ended.stderr, ended.stderr
