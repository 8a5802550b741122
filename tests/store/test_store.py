from dataclasses import replace

import pytest

from headway.core import NotFound
from headway.store import FOLDER, RUN_LOG, AttemptRecord, Store, find_root, live_points
from headway.store.runlog import RunLog
from headway.testing.store import StoreConformance


class TestSqliteStore(StoreConformance):
    def open(self, folder, clock):
        return Store.open(folder, clock=clock)


def test_opening_makes_the_folder_and_keeps_it_out_of_git(tmp_path):
    with Store.open(tmp_path / "project" / FOLDER) as store:
        assert store.folder == tmp_path / "project" / FOLDER
        assert (store.folder / ".gitignore").read_text() == "*\n"
        assert store.run_folder(7) == store.folder / "runs" / "7"
        assert store.checkpoint_folder(7) == store.folder / "checkpoints" / "7"


def test_a_store_that_does_not_exist_is_not_made_by_reading(tmp_path):
    with pytest.raises(NotFound, match="headway init"):
        Store.open(tmp_path / FOLDER, create=False)
    assert not (tmp_path / FOLDER).exists()
    Store.open(tmp_path / FOLDER).close()
    Store.open(tmp_path / FOLDER, create=False).close()


@pytest.mark.parametrize("sign", [FOLDER, "headway.toml", ".git", "pyproject.toml"])
def test_the_root_is_the_nearest_folder_with_a_sign(tmp_path, sign):
    (tmp_path / "pyproject.toml").touch()
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    assert find_root(deep) == tmp_path
    (tmp_path / "a" / sign).touch()
    assert find_root(deep) == tmp_path / "a"


def test_live_points_come_from_all_run_logs_of_an_attempt(tmp_path):
    for name in ("worker", "script"):
        log = RunLog(tmp_path / f"{name}.runlog")
        log.point(name, 1, 2.0)
        log.mark("ended")
        log.close()
    attempt = AttemptRecord(id=7, trial=1, study=1, directory="", live=None, started=0.0)
    assert [point.metric for point in live_points(tmp_path, attempt)] == ["script", "worker"]
    assert live_points(tmp_path, replace(attempt, directory="none", live="gone")) == []


def test_a_log_that_attempts_share_counts_for_the_one_that_writes_it(tmp_path):
    first, second = (
        AttemptRecord(id=number, trial=number, study=1, directory="none", live="live/0", started=0.0)
        for number in (1, 2)
    )
    path = tmp_path / "live" / "0" / RUN_LOG
    path.parent.mkdir(parents=True)
    for attempt, metric in ((first, "a"), (second, "b")):
        log = RunLog(path, attempt=attempt.id)
        log.point(metric, 1, 2.0)
        log.close()
        assert [point.metric for point in live_points(tmp_path, attempt)] == [metric]
    assert live_points(tmp_path, first) == []
