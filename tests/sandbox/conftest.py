"""Warm sandboxes for tests: one for all of a file, and those of a test's own."""

import pytest

from tests.sandbox.warm_stage import Stage


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp("warm"))
    with stage.warm:
        yield stage


@pytest.fixture
def stage(shared):
    """Give each test the same sandbox, entered, and tell how often it has been entered before."""
    shared.warm.enter()
    shared.before = shared.warm.entered
    return shared


@pytest.fixture
def made(tmp_path):
    """Make sandboxes of a test's own."""
    stages = []

    def make(*arguments, **options):
        stages.append(Stage(tmp_path / str(len(stages)), *arguments, **options))
        return stages[-1]

    yield make
    for item in stages:
        item.warm.close()
