import pytest

from headway.core import UsageError
from headway.engine import EngineSettings
from headway.engine.backends import InlineBackend, LocalBackend, SpawnBackend, make_backend
from headway.testing.backends import BackendConformance


class TestLocalBackend(BackendConformance):
    def make(self, setup):
        return LocalBackend(setup)


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
