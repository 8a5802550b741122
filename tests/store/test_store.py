import pytest

from headway.core import NotFound
from headway.store import FOLDER, Store, find_root, live_points
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
    assert [point.metric for point in live_points(tmp_path)] == ["script", "worker"]
    assert live_points(tmp_path / "none") == []
