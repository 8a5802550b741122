"""The conformance suite for backends: inherit from `BackendConformance`, and pytest tests every point of the contract.

class TestMyBackend(BackendConformance):
    def make(self, setup):
        return MyBackend(setup)
"""

import asyncio
import os
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from headway.core import ExperimentError
from headway.engine import Origin
from headway.engine.backends import Backend, BackendSetup, Process
from headway.engine.manifests import observed
from headway.engine.outcome import Exit
from headway.engine.progress import Follower, Progress
from headway.engine.spec import AttemptSpec
from headway.experiments import load_file
from headway.sandbox import processes
from headway.testing import nasty

__all__ = ["BackendConformance"]

_HEAD = """
import os, signal, subprocess, sys, time
from pathlib import Path
import headway

def load():
    return Path("data.txt").read_text()

@headway.experiment(metric="loss", setup=load, space={"what": headway.Choice(["report"])})
def train(run):
    globals()[run.config.what](run)
    run.report(loss=run.seed)

def report(run):
    import helper_of_study
    run.log(7, setup=run.setup == "data", seed=run.seed, version=helper_of_study.VERSION)
    run.log(8, here=Path("data.txt").exists())

def read_input(run):
    run.log(0, read=len(sys.stdin.read()))

def variables(run):
    for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTHONHASHSEED"):
        run.log(0, **{name: float(os.environ.get(name, "nan"))})

def talk(run):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    subprocess.run(["echo", "from a child"], check=True)


"""
_STUDY = _HEAD + Path(nasty.__file__).read_text()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    process: Process
    exit: Exit
    progress: Progress
    output: str
    folder: Path

    @property
    def logged(self) -> dict[str, float]:
        return self.progress.last


class BackendConformance(ABC):
    """Test a backend against the contract of `headway.engine.backends.Backend`. The flags say what it cannot do."""

    in_process: ClassVar[bool] = False  # runs attempts in the engine's own process, one after the other
    loads_first: ClassVar[bool] = True  # loads the experiment when it opens, and not for each attempt
    finds_orphans: ClassVar[bool] = sys.platform == "linux"  # also ends what left the session of its attempt

    @abstractmethod
    def make(self, setup: BackendSetup) -> Backend:
        """Return a new backend that is not open yet."""

    @pytest.fixture
    def project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
        """Give each test a project with a study file, a module and a data file."""
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.chdir(tmp_path)
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "pyproject.toml").touch()
        (folder / "study_of_suite.py").write_text(_STUDY)
        (folder / "helper_of_study.py").write_text("VERSION = 1\n")
        (folder / "data.txt").write_text("data")
        yield folder
        for name in ("study_of_suite", "helper_of_study"):
            sys.modules.pop(name, None)

    def test_an_attempt_gets_its_configuration_seed_setup_and_folder(self, project: Path) -> None:
        attempt = self._one(project, "report", seed=7)
        assert attempt.exit.code == 0
        assert attempt.exit.signal is None
        assert not attempt.exit.lost
        assert attempt.progress.ended
        assert attempt.progress.reported == {"loss": 7.0}
        assert attempt.logged == {"setup": 1.0, "seed": 7.0, "version": 1.0, "here": 1.0}

    def test_standard_input_is_empty(self, project: Path) -> None:
        self._needs_a_process()
        assert self._one(project, "read_input").logged == {"read": 0.0}

    def test_an_attempt_runs_with_its_threads_and_gpus(self, project: Path) -> None:
        self._needs_a_process()
        logged = self._one(project, "variables", threads=3, gpus=(1,)).logged
        assert logged == {"OMP_NUM_THREADS": 3.0, "CUDA_VISIBLE_DEVICES": 1.0, "PYTHONHASHSEED": 0.0}

    def test_what_it_and_its_children_print_comes_out_of_the_pipe(self, project: Path) -> None:
        attempt = self._one(project, "talk")
        if self.in_process:
            assert attempt.process.output is None
        else:
            assert sorted(attempt.output.splitlines()) == ["from a child", "to stderr", "to stdout"]

    @pytest.mark.parametrize(
        ("what", "code", "reason"),
        [("crash", 1, "exception"), ("leave", 1, "exited"), ("base_exception", 1, "exception")],
    )
    def test_a_failure_is_an_exit_code_and_a_mark(self, project: Path, what: str, code: int, reason: str) -> None:
        attempt = self._one(project, what)
        assert attempt.exit.code == code
        assert attempt.progress.failure is not None
        assert attempt.progress.failure["reason"] == reason
        assert attempt.progress.failure["fingerprint"]
        assert not attempt.progress.ended

    def test_a_process_that_vanishes_is_known_by_its_code_or_signal(self, project: Path) -> None:
        self._needs_a_process()
        gone, killed = self._many(project, ["vanish", "segfault"])
        assert (gone.exit.code, gone.exit.signal, gone.exit.lost) == (5, None, False)
        assert (killed.exit.code, killed.exit.signal) == (None, signal.SIGSEGV)
        assert gone.progress.failure is killed.progress.failure is None

    def test_attempts_run_at_the_same_time_and_do_not_harm_each_other(self, project: Path) -> None:
        attempts = self._many(project, ["report", "crash", "report", "leave", "report"])
        assert [attempt.exit.code for attempt in attempts] == [0, 1, 0, 1, 0]
        assert [attempt.progress.reported for attempt in attempts[::2]] == [{"loss": 0.0}, {"loss": 2.0}, {"loss": 4.0}]

    def test_many_attempts_one_after_the_other_leave_nothing_open(self, project: Path) -> None:
        async def scene() -> None:
            async with self._open(project) as backend:
                counts: list[int] = []
                for number in range(6):
                    await self._finish(backend, await self._start(backend, project, "report", number))
                    counts.append(len(os.listdir("/proc/self/fd")))
            assert counts[-1] == counts[1]

        if sys.platform == "linux":
            self._play(scene())

    def test_a_process_is_named_by_pid_and_start_time_while_it_runs(self, project: Path) -> None:
        self._needs_a_process()

        async def scene() -> None:
            async with self._open(project) as backend:
                process, folder = await self._start(backend, project, "hang")
                assert processes.alive(process.pid, process.started)
                assert process.pid != os.getpid()
                await self._until_logged(folder)
                backend.end(process)
                await self._finish(backend, (process, folder))
                assert not processes.alive(process.pid, process.started)

        self._play(scene())

    def test_an_attempt_that_is_ended_is_gone_with_all_it_started_and_the_others_run_on(self, project: Path) -> None:
        self._needs_a_process()

        async def scene() -> None:
            async with self._open(project) as backend:
                first, second = [await self._start(backend, project, "hang", number) for number in (0, 1)]
                await self._until_logged(first[1])
                await self._until_logged(second[1])
                family = [first[0].pid, *processes.descendants(first[0].pid)]
                starts = {pid: processes.start_time(pid) or 0.0 for pid in family}
                assert len(family) >= 2
                began = time.monotonic()
                backend.end(first[0])
                backend.end(first[0])
                ended = await self._finish(backend, first)
                assert time.monotonic() - began < 5
                assert ended.exit.signal == signal.SIGKILL
                _assert_gone(starts)
                assert processes.alive(second[0].pid, second[0].started)
                backend.end(first[0])  # it has ended: nothing happens
                backend.end(second[0])
                await self._finish(backend, second)

        self._play(scene())

    def test_what_an_attempt_leaves_behind_is_ended_before_it_counts_as_over(self, project: Path) -> None:
        self._needs_a_process()

        async def scene() -> None:
            async with self._open(project) as backend:
                attempt = await self._finish(backend, await self._start(backend, project, "leave_children"))
                assert attempt.exit.code == 0
                names = ("near", "far", "daemon") if self.finds_orphans else ("near",)
                pids = [int(attempt.logged[name]) for name in names]
                _assert_gone({pid: processes.start_time(pid) or 0.0 for pid in pids})
                if not self.finds_orphans:
                    for name in ("far", "daemon"):
                        os.kill(int(attempt.logged[name]), signal.SIGKILL)

        self._play(scene())

    def test_closing_ends_what_runs(self, project: Path) -> None:
        self._needs_a_process()

        async def scene() -> None:
            async with self._open(project) as backend:
                process, folder = await self._start(backend, project, "hang")
                waiting = asyncio.ensure_future(backend.wait(process))
                await self._until_logged(folder)
                starts = {pid: processes.start_time(pid) or 0.0 for pid in processes.descendants(process.pid)}
                await backend.close()
                exit_ = await asyncio.wait_for(waiting, 10)
                assert exit_.lost or exit_.signal == signal.SIGKILL
                _assert_gone({process.pid: process.started, **starts})
                _close(process)

        self._play(scene())

    def test_a_backend_that_ran_nothing_closes_and_may_close_again(self, project: Path) -> None:
        async def scene() -> None:
            async with self._open(project) as backend:
                await backend.close()

        self._play(scene())

    def test_memory_beyond_the_limit_is_refused(self, project: Path) -> None:
        self._needs_a_process()
        attempt = self._one(project, "eat_memory", memory_bytes=500_000_000)
        assert attempt.exit.code == 1
        assert attempt.progress.failure is not None
        assert "MemoryError" in attempt.progress.failure["message"]

    def test_cpu_time_beyond_the_limit_ends_the_attempt(self, project: Path) -> None:
        self._needs_a_process()
        attempt = self._one(project, "burn", cpu_seconds=0.5)
        assert attempt.exit.signal == getattr(signal, "SIGXCPU", None)

    def test_what_an_attempt_used_is_traced_into_its_folder(self, project: Path) -> None:
        attempt = self._one(project, "report")
        use = observed([attempt.folder / "template.trace", attempt.folder / "trace"])
        below = {path for path in use.modules | use.files if path.is_relative_to(project)}
        assert {path.name for path in below & use.modules} == {"study_of_suite.py", "helper_of_study.py"}
        assert {path.name for path in below & use.files} == {"data.txt"}
        assert use.traced

    def test_an_edit_counts_from_the_next_attempt_on(self, project: Path) -> None:
        self._needs_a_process()

        async def scene() -> None:
            async with self._open(project) as backend:
                versions: list[float] = []
                for number in range(3):
                    (project / "helper_of_study.py").write_text(f"VERSION = {number} + 10\n")
                    (project / "study_of_suite.py").write_text(_STUDY + "\n" * number)
                    attempt = await self._finish(backend, await self._start(backend, project, "report", number))
                    versions.append(attempt.logged["version"])
                assert versions == [10, 11, 12]

        self._play(scene())

    def test_an_experiment_that_cannot_be_loaded_says_why(self, project: Path) -> None:
        setup = self._setup(project)
        (project / "study_of_suite.py").write_text("raise KeyError('no data here')\n")
        (project / "data.txt").unlink()  # an experiment that is in memory already fails in its setup

        async def scene() -> None:
            backend = self.make(setup)
            try:
                if self.loads_first:
                    with pytest.raises(ExperimentError, match=r"no data here|data\.txt"):
                        await backend.open(_ignore)
                else:
                    await backend.open(_ignore)
                    attempt = await self._finish(backend, await self._start(backend, project, "report"))
                    assert attempt.progress.failure is not None
                    assert "no data here" in attempt.progress.failure["message"]
            finally:
                await backend.close()

        self._play(scene())

    # the stage

    def _needs_a_process(self) -> None:
        if self.in_process:
            pytest.skip("it has no process of its own that could be ended or limited")

    def _play(self, scene: Coroutine[Any, Any, None]) -> None:
        asyncio.run(asyncio.wait_for(scene, 120))

    def _one(self, project: Path, what: str, seed: int = 0, **spec: Any) -> _Attempt:
        found: list[_Attempt] = []

        async def scene() -> None:
            async with self._open(project) as backend:
                found.append(await self._finish(backend, await self._start(backend, project, what, seed, **spec)))

        self._play(scene())
        return found[0]

    def _many(self, project: Path, what: list[str]) -> list[_Attempt]:
        found: list[_Attempt] = []

        async def scene() -> None:
            async with self._open(project) as backend:
                started = [await self._start(backend, project, name, number) for number, name in enumerate(what)]
                found.extend(await asyncio.gather(*(self._finish(backend, item) for item in started)))

        self._play(scene())
        return found

    def _setup(self, project: Path) -> BackendSetup:
        file = project / "study_of_suite.py"
        experiment = load_file(file).train
        return BackendSetup(
            experiment=experiment,
            origin=Origin(identity=experiment.identity, folder=str(project), file=str(file)),
            folder=project.parent / "templates",
            threads=1,
            ignore=(str(project.parent / "runs"),),
        )

    @asynccontextmanager
    async def _open(self, project: Path) -> AsyncGenerator[Backend]:
        backend = self.make(self._setup(project))
        try:
            await backend.open(_ignore)
            yield backend
        finally:
            await backend.close()

    async def _start(
        self, backend: Backend, project: Path, what: str, number: int = 0, **spec: Any
    ) -> tuple[Process, Path]:
        folder = project.parent / "runs" / str(number)
        folder.mkdir(parents=True)
        fields: dict[str, Any] = {"threads": 1, "ignore": (str(project.parent / "runs"),)} | spec
        attempt = AttemptSpec(
            attempt=number + 1,
            trial=number + 1,
            config={"what": what},
            seed=number,
            folder=str(folder),
            checkpoints=str(project.parent / "checkpoints" / str(number)),
            **fields,
        )
        attempt.write()
        return await backend.start(attempt), folder

    async def _finish(self, backend: Backend, started: tuple[Process, Path]) -> _Attempt:
        process, folder = started
        exit_ = await asyncio.wait_for(backend.wait(process), 60)
        follower = Follower(folder, many=True)
        follower.poll()
        follower.close()
        return _Attempt(process=process, exit=exit_, progress=follower.progress, output=_close(process), folder=folder)

    async def _until_logged(self, folder: Path) -> None:
        follower = Follower(folder)
        while not follower.poll():
            await asyncio.sleep(0.005)
        follower.close()


def _close(process: Process) -> str:
    if process.output is None:
        return ""
    os.set_blocking(process.output, False)
    pieces: list[bytes] = []
    with suppress(BlockingIOError):
        while piece := os.read(process.output, 65536):
            pieces.append(piece)
    os.close(process.output)
    return b"".join(pieces).decode()


def _assert_gone(starts: dict[int, float]) -> None:
    """Give the kernel a moment to end what was killed already."""
    deadline = time.monotonic() + 2
    while left := [pid for pid, started in starts.items() if processes.alive(pid, started)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.005)


def _ignore(text: str) -> None:
    del text
