"""Standing workers: one attempt after the other in a sandbox that stays, each with its own end, output and limits."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from headway.core import Limits, TrialState
from headway.engine import Origin
from headway.engine.backends import BackendSetup, StandingBackend, make_backend
from headway.engine.progress import Follower
from headway.engine.spec import AttemptSpec
from headway.engine.worker import perform
from headway.experiments.layouts import find_layout
from headway.experiments.layouts.openevolve import OpenEvolveLayout
from headway.experiments.repositories import SPARE_SECONDS, RepositoryExperiment, base_of
from headway.sandbox import processes, protection
from headway.testing.repositories import committed, studied

PROBLEM = protection().problem
pytestmark = pytest.mark.skipif(bool(PROBLEM), reason=f"no sandbox on this machine: {PROBLEM}")

EVALUATOR = """
import importlib.util

def evaluate(path):
    spec = importlib.util.spec_from_file_location("program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {"combined_score": module.score()}
"""
HONEST = "def score():\n    return 1.0\n"
HANGS = "import time\ndef score():\n    time.sleep(600)\n"
ENGINE = """
import asyncio, sys
from tests.engine.test_standing import Project
project = Project.at(sys.argv[1])
async def main():
    async with project.backend() as backend:
        process, follower = await project.start(backend, sys.argv[2])
        if "sleep" not in sys.argv[2]:
            await backend.wait(process)
        print(process.pid, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


def score(value):
    return f"def score():\n    return {value}\n"


class Project:
    """A repository in OpenEvolve's layout, and what a backend needs to run it."""

    def __init__(self, folder, experiment):
        self.folder, self.experiment, self.count = folder, experiment, 0

    @classmethod
    def at(cls, folder, *, limits=None, evaluator=EVALUATOR):
        folder = Path(folder)
        tree = folder / "repository"
        if not tree.exists():
            tree.mkdir(parents=True)
            (tree / "evaluator.py").write_text(evaluator)
            (tree / "initial_program.py").write_text(HONEST)
            committed(tree)
        layout = find_layout(tree)
        base = base_of(tree, folder / "store")
        return cls(folder, RepositoryExperiment.of(layout, base, base.sources(layout.files), limits=limits))

    def setup(self):
        experiment = self.experiment
        return BackendSetup(
            experiment=experiment,
            origin=Origin(identity=experiment.identity, folder=str(experiment.folder), repository=experiment.to_json()),
            folder=self.folder / "templates",
            threads=1,
            workers=2,
        )

    @contextlib.asynccontextmanager
    async def backend(self):
        backend = make_backend("local", self.setup())
        assert isinstance(backend, StandingBackend)
        try:
            await backend.open(print)
            yield backend
        finally:
            await backend.close()

    def spec(self, program, seed=0):
        self.count += 1
        folder = self.folder / "runs" / f"{os.getpid()}-{self.count}"
        folder.mkdir(parents=True)
        return AttemptSpec(
            attempt=self.count,
            trial=self.count,
            config={},
            seed=seed,
            folder=str(folder),
            checkpoints=str(self.folder / "checkpoints"),
            threads=1,
            patch={} if program == HONEST else {"initial_program.py": program},
        )

    async def start(self, backend, program, seed=0):
        spec = self.spec(program, seed)
        return await backend.start(spec), spec

    async def finish(self, backend, started):
        process, spec = started
        ended = await asyncio.wait_for(backend.wait(process), 60)
        with open(process.output, "rb") as pipe:
            os.set_blocking(pipe.fileno(), False)
            output = (pipe.read() or b"").decode()
        return ended, told(spec), output

    async def one(self, backend, program, seed=0):
        return await self.finish(backend, await self.start(backend, program, seed))


def told(spec):
    follower = Follower(Path(spec.folder), many=True)
    follower.poll()
    follower.close()
    return follower.progress


@pytest.fixture
def project(tmp_path):
    return Project.at(tmp_path / "project")


def play(scene):
    return asyncio.run(asyncio.wait_for(scene, 60))


async def sandboxed(process):
    """Return the processes of an attempt once its candidate runs: worker, bubblewrap, server, candidate."""
    deadline = time.monotonic() + 20
    while len(found := processes.descendants(process.pid)) < 3:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    return {pid: processes.start_time(pid) or 0.0 for pid in (process.pid, *found)}


def gone(starts, seconds=2.0):
    deadline = time.monotonic() + seconds
    while left := [pid for pid, started in starts.items() if processes.alive(pid, started)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.005)
    return True


class TestBackend:
    def test_one_worker_performs_attempts_one_after_the_other_each_with_its_own_output(self, project):
        async def scene():
            async with project.backend() as backend:
                pids = set()
                for number in range(4):
                    started = await project.start(backend, f"print('of {number}')\n{score(number)}", seed=number)
                    ended, progress, output = await project.finish(backend, started)
                    assert (ended.code, ended.signal, ended.lost) == (0, None, False)
                    assert progress.ended
                    assert progress.reported == {"combined_score": float(number)}
                    assert output == f"of {number}\n"
                    pids.add(started[0].pid)
                assert len(pids) == 1

        play(scene())

    @pytest.mark.slow
    def test_two_workers_run_two_attempts_at_once(self, project):
        async def scene():
            async with project.backend() as backend:
                await asyncio.gather(*(project.one(backend, HONEST) for _ in range(2)))
                slow = "import time\ntime.sleep(0.7)\n" + HONEST
                began = time.monotonic()
                started = [await project.start(backend, slow) for _ in range(2)]
                assert len({process.pid for process, _ in started}) == 2
                found = [await project.finish(backend, item) for item in started]
                assert [progress.reported for _, progress, _ in found] == [{"combined_score": 1.0}] * 2
                assert time.monotonic() - began < 1.3

        play(scene())

    def test_an_attempt_that_is_ended_takes_its_sandbox_along_and_nobody_else(self, project):
        async def scene():
            async with project.backend() as backend:
                first, second = [await project.start(backend, HANGS) for _ in range(2)]
                family, others = await sandboxed(first[0]), await sandboxed(second[0])
                backend.end(first[0])
                backend.end(first[0])
                ended, progress, _ = await project.finish(backend, first)
                assert ended.signal == signal.SIGKILL
                assert not progress.ended
                assert gone(family)
                assert all(processes.alive(pid, started) for pid, started in others.items())
                backend.end(first[0])  # it has ended: nothing happens
                ended, progress, _ = await project.one(backend, HONEST)
                assert (ended.code, progress.reported) == (0, {"combined_score": 1.0})
                backend.end(second[0])
                await project.finish(backend, second)
            assert gone(others)

        play(scene())

    def test_a_worker_that_somebody_kills_is_known_by_the_signal_and_replaced(self, project):
        async def scene():
            async with project.backend() as backend:
                started = await project.start(backend, HANGS)
                family = await sandboxed(started[0])
                os.kill(started[0].pid, signal.SIGKILL)
                ended, _, _ = await project.finish(backend, started)
                assert (ended.code, ended.signal) == (None, signal.SIGKILL)
                assert gone(family)
                again = await project.start(backend, HONEST)
                assert again[0].pid != started[0].pid
                assert (await project.finish(backend, again))[0].code == 0

        play(scene())

    def test_a_worker_that_takes_nothing_more_does_not_hold_up_the_engine(self, project, monkeypatch):
        monkeypatch.setattr("headway.engine.backends.standing._SEND_SECONDS", 0.3)

        async def scene():
            async with project.backend() as backend:
                first = await project.start(backend, HONEST)
                await project.finish(backend, first)
                os.kill(first[0].pid, signal.SIGSTOP)
                long = f"{HONEST}# {'x' * 2_000_000}\n"
                ended, _, _ = await project.one(backend, long)
                assert ended.signal == signal.SIGKILL
                monkeypatch.undo()
                assert (await project.one(backend, long))[0].code == 0

        play(scene())

    def test_closing_ends_all_workers_and_their_sandboxes(self, project):
        async def scene():
            backend = make_backend("local", project.setup())
            await backend.open(print)
            idle = await project.start(backend, HONEST)
            await project.finish(backend, idle)
            busy = await project.start(backend, HANGS)
            family = await sandboxed(busy[0])
            waiting = asyncio.ensure_future(backend.wait(busy[0]))
            await asyncio.sleep(0)
            await backend.close()
            ended = await asyncio.wait_for(waiting, 10)
            assert ended.lost or ended.signal == signal.SIGKILL
            assert gone(family)
            os.close(busy[0].output)
            await backend.close()

        play(scene())

    @pytest.mark.slow
    def test_a_hundred_attempts_leave_nothing_open(self, project):
        async def scene():
            async with project.backend() as backend:
                counts = []
                for _ in range(100):
                    started = await project.start(backend, HONEST)
                    await project.finish(backend, started)
                    counts.append((len(os.listdir("/proc/self/fd")), len(os.listdir(f"/proc/{started[0].pid}/fd"))))
                assert counts[-1] == counts[10]

        play(scene())

    def test_what_an_attempt_used_is_its_own(self, project):
        burn = "import time\nend = time.process_time() + .4\n"
        burn += "while time.process_time() < end: pass\nx = bytearray(90_000_000)\n"

        async def scene():
            async with project.backend() as backend:
                await project.one(backend, HONEST)
                heavy, _, _ = await project.one(backend, burn + HONEST)
                light, _, _ = await project.one(backend, HONEST)
                assert 0.35 < heavy.cpu_seconds < 2
                assert heavy.wall_seconds >= 0.4
                assert heavy.peak_memory_bytes > 90_000_000
                assert 0 < light.cpu_seconds < 0.2
                assert 0 < light.peak_memory_bytes < 90_000_000

        play(scene())

    @pytest.mark.parametrize("program", [HANGS, pytest.param(HONEST, marks=pytest.mark.slow)], ids=["busy", "idle"])
    def test_an_engine_that_is_killed_leaves_no_worker_and_no_sandbox(self, project, program):
        root = Path(__file__).parents[2]
        engine = subprocess.Popen(
            [sys.executable, "-c", ENGINE, str(project.folder), program],
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
        )
        with engine:
            assert engine.stdout is not None
            worker = int(engine.stdout.readline())
            deadline = time.monotonic() + 20
            while len(family := processes.descendants(worker)) < 3:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            starts = {pid: processes.start_time(pid) or 0.0 for pid in (worker, *family)}
            engine.kill()
        assert gone(starts, 3.0)


class TestReasons:
    @pytest.mark.parametrize(
        ("program", "reason", "words"),
        [
            (HANGS, "wall time", "time limit"),
            (
                "import mmap\nx = []\nwhile True:\n    x.append(mmap.mmap(-1, 1 << 24)); x[-1].write(b'x' * (1 << 24))",
                "memory",
                "more memory",
            ),
            ("while True: print('x' * 10_000)", "output", "printed more"),
            ("raise ValueError('on purpose')", "exception", "ValueError: on purpose"),
            ("import os\nos.abort()", "signal", "signal 6"),
            ("import os\nos._exit(0)", "no metric", "combined_score was not returned"),
            (score("float('nan')"), "not finite", "nan"),
            (score("'high'"), "bad metric", "Expected a number"),
            (score("10 ** 400"), "not finite", "finite"),
        ],
    )
    @pytest.mark.parametrize("way", ["warm", pytest.param("by steps", marks=pytest.mark.slow)])
    def test_a_failure_has_the_same_reason_both_ways(self, tmp_path, monkeypatch, program, reason, words, way):
        if way == "by steps":
            monkeypatch.setattr(OpenEvolveLayout, "warm", lambda *_: None)
        limits = Limits(wall_seconds=SPARE_SECONDS + 1.5, memory_bytes=400 * 1024**2)
        project = Project.at(tmp_path / "project", limits=limits)
        assert project.experiment.standing == (way == "warm")
        with project.experiment.stand(tmp_path / "standing") as standing:
            spec = project.spec(program)
            perform(project.experiment, spec, standing)
        failure = told(spec).failure
        assert failure is not None
        assert (failure["reason"], words in failure["message"]) == (reason, True), failure

    def test_the_next_attempt_after_each_failure_is_whole(self, project, tmp_path):
        with project.experiment.stand(tmp_path / "standing") as standing:
            for program in ("raise ValueError", "import os\nos._exit(3)", "import os\nos.kill(-1, 9)", "x = 1 / 0"):
                perform(project.experiment, project.spec(program), standing)
                spec = project.spec(score(2))
                assert perform(project.experiment, spec, standing) == 0
                assert told(spec).reported == {"combined_score": 2.0}
        assert not (tmp_path / "standing").exists()


class TestFallingBack:
    @pytest.mark.parametrize(
        "imports",
        [
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            "FILE = open(__file__)",
            "import os, random\nNOISE = random.random()",
            "import initial_program",  # the candidate's, which is not there when a warm evaluator loads
            "import os\nSEED = int(os.environ['HEADWAY_SEED'])",
        ],
        ids=["threads", "open file", "draws", "program", "seed"],
    )
    def test_an_evaluator_that_cannot_stay_loaded_runs_by_steps(self, tmp_path, imports):
        project = Project.at(tmp_path / "project", evaluator=f"{imports}\n{EVALUATOR}")
        with project.experiment.stand(tmp_path / "standing") as standing:
            for value in (2, 3):
                spec = project.spec(score(value))
                assert perform(project.experiment, spec, standing) == 0, told(spec).failure
                assert told(spec).reported == {"combined_score": float(value)}
            assert not (tmp_path / "standing").exists()

    def test_an_evaluator_that_cannot_be_loaded_says_why(self, tmp_path):
        project = Project.at(tmp_path / "project", evaluator=f"import nothing_of_the_kind\n{EVALUATOR}")
        with project.experiment.stand(tmp_path / "standing") as standing:
            spec = project.spec(score(2))
            assert perform(project.experiment, spec, standing) == 1
        failure = told(spec).failure
        assert failure is not None
        assert "No module named 'nothing_of_the_kind'" in failure["message"]

    @pytest.mark.slow
    @pytest.mark.parametrize("editable", [("sub/program.py",), ("initial_program.py", "sub/program.py"), ()])
    def test_a_layout_whose_files_a_warm_sandbox_cannot_take_runs_by_steps(self, tmp_path, monkeypatch, editable):
        warm = OpenEvolveLayout.warm
        monkeypatch.setattr(OpenEvolveLayout, "warm", lambda *given: replace(warm(*given), editable=editable))
        project = Project.at(tmp_path / "project")
        with project.experiment.stand(tmp_path / "standing") as standing:
            spec = project.spec(score(2))
            assert perform(project.experiment, spec, standing) == 0, told(spec).failure
            assert told(spec).reported == {"combined_score": 2.0}


class TestStudies:
    def test_a_study_records_output_use_and_the_way_back_to_it(self, tmp_path):
        project = Project.at(tmp_path / "project")
        ideas = {
            name: {"initial_program.py": text}
            for name, text in (("talks", f"print('said')\n{score(0.5)}"), ("crash", "1 / 0"))
        }
        store = tmp_path / "project" / "repository" / ".headway"
        with studied(project.experiment.layout.root, store, ideas) as outcome:
            trial = outcome.first("talks")
            assert trial.value == 0.5
            assert trial.cpu_seconds > 0
            assert trial.peak_memory_bytes > 1_000_000
            assert outcome.verdict("crash").decision == "failed"
            assert "ZeroDivisionError" in outcome.verdict("crash").sentence
            (attempt,) = outcome.store.trials.attempts(trial.id)
            assert (store / attempt.directory / "output.log").read_text() == "said\n"
            assert not list((store / "templates").glob("*"))
            assert not list((store / "live").glob("*"))
        assert "said" in headway(project, "logs", str(trial.id))
        assert json.loads(headway(project, "reproduce", str(trial.id), "--json"))["identical"] is True

    def test_a_trial_whose_worker_somebody_kills_is_tried_once_more(self, tmp_path):
        project = Project.at(tmp_path / "project")
        ideas = {"killed": {"initial_program.py": f"import time\ntime.sleep(0.5)\n{HONEST}"}}
        killed = threading.Thread(target=kill_a_busy_worker, args=(os.getpid(),))
        killed.start()
        with studied(project.experiment.layout.root, tmp_path / "store", ideas) as outcome:
            killed.join()
            trial = outcome.first("killed")
            assert (trial.state, trial.value) == (TrialState.COMPLETE, 1.0)
            ends = [attempt.outcome for attempt in outcome.store.trials.attempts(trial.id)]
            assert ends == ["signal", "complete"]


def headway(project, *words):
    """Return what a command prints."""
    command = [sys.executable, "-m", "headway", *words]
    ended = subprocess.run(command, cwd=project.experiment.layout.root, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def kill_a_busy_worker(engine):
    """End the first worker whose candidate sleeps: its evaluation takes longer than any before it."""
    deadline, seen = time.monotonic() + 30, {}
    while time.monotonic() < deadline:
        for worker in processes.children(engine):
            inside = tuple(processes.descendants(worker))
            asleep = Path(f"/proc/{inside[-1]}/wchan") if len(inside) > 2 else None
            if asleep is None or seen.setdefault((worker, inside), time.monotonic()) > time.monotonic() - 0.2:
                continue
            if "nanosleep" in asleep.read_text():
                os.kill(worker, signal.SIGKILL)
                return
        time.sleep(0.02)
