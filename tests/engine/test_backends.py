import os
import signal
from pathlib import Path

import pytest

from headway.core import UsageError
from headway.engine import EngineSettings
from headway.engine.backends import InlineBackend, LocalBackend, SpawnBackend, make_backend
from headway.sandbox import processes
from headway.testing.backends import BackendConformance

OUTLIVES = """

def outlives_its_template(run):
    ctypes.CDLL(None).prctl(1, 0)  # PR_SET_PDEATHSIG: as one that has the signal ahead of it
    near, far, daemon = start_children()
    for step in itertools.count():
        run.log(step, near=near, far=far, daemon=daemon)
        time.sleep(0.001)

def near_outlives(run):
    near, far, daemon = start_children()
    run.log(0, near=near, far=far, daemon=daemon)
    time.sleep(600)
"""


class TestLocalBackend(BackendConformance):
    def make(self, setup):
        return LocalBackend(setup)

    @pytest.mark.parametrize("what", ["outlives_its_template", "near_outlives"])
    def test_a_lost_attempt_is_gone_with_all_it_started_before_it_counts_as_over(self, project, what):
        study = project / "study_of_suite.py"
        study.write_text(study.read_text() + OUTLIVES)

        async def scene():
            async with self._open(project) as backend:
                process, folder = await self._start(backend, project, what)
                await self._until_logged(folder)
                os.kill(parent_of(process.pid), signal.SIGKILL)
                attempt = await self._finish(backend, (process, folder))
                assert attempt.exit.lost
                pids = [process.pid, *(int(attempt.logged[name]) for name in ("near", "far", "daemon"))]
                assert [pid for pid in pids if processes.alive(pid, processes.start_time(pid) or 0.0)] == []

        self._play(scene())


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.slow
class TestLocalBackendThatSpawns(BackendConformance):
    loads_first = False

    def make(self, setup):
        return LocalBackend(setup, mode="spawn")


class TestSpawnBackend(BackendConformance):
    loads_first = False
    finds_orphans = False

    def make(self, setup):
        return SpawnBackend(setup)


class TestInlineBackend(BackendConformance):
    in_process = True

    def make(self, setup):
        return InlineBackend(setup)


def test_a_backend_that_there_is_not_is_answered_with_those_that_there_are():
    with pytest.raises(UsageError, match="Use 'local', 'spawn' or 'inline'"):
        make_backend("slurm", None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match=r"'lokal' is unknown\. Did you mean 'local'\? Use 'local', 'spawn' or"):
        EngineSettings(backend="lokal")
