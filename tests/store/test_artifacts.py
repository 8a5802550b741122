import os
import time

import pytest

from headway.store import Artifacts, Store, digest_file


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / ".headway") as store:
        yield store


def settled(path, data):
    """Write a file as it looks some time later."""
    path.write_bytes(data)
    time.sleep(0.12)
    return path


def test_bytes_are_found_by_their_digest(tmp_path):
    artifacts = Artifacts(tmp_path / "artifacts")
    digest = artifacts.put_bytes(b"abc")
    assert artifacts.path(digest) == tmp_path / "artifacts" / digest[:2] / digest
    assert artifacts.read(digest) == b"abc"
    assert artifacts.put_bytes(b"abc") == digest
    assert artifacts.all() == [artifacts.path(digest)]


def test_what_is_stored_is_never_changed(tmp_path):
    artifacts = Artifacts(tmp_path / "artifacts")
    digest = artifacts.put_bytes(b"abc")
    artifacts.put_bytes_as(digest, b"another")
    assert artifacts.read(digest) == b"abc"


def test_a_large_file_has_the_digest_of_its_bytes(tmp_path):
    artifacts = Artifacts(tmp_path / "artifacts")
    (tmp_path / "big").write_bytes(os.urandom(3_000_001))
    digest, size = artifacts.put_file(tmp_path / "big")
    assert size == 3_000_001
    assert digest == artifacts.put_bytes((tmp_path / "big").read_bytes())
    assert digest_file(artifacts.path(digest)) == digest


def test_a_digest_is_computed_once_while_the_file_stays(store, tmp_path):
    path = settled(tmp_path / "data", b"one")
    calls = []

    def compute(path):
        calls.append(path)
        return digest_file(path)

    assert store.digests.of(path, compute) == store.digests.of(path, compute) == digest_file(path)
    assert len(calls) == 1
    with Store.open(store.folder) as other:  # another process finds it too
        assert other.digests.of(path, compute) == digest_file(path)
    assert len(calls) == 1


def test_a_changed_file_of_the_same_size_and_time_is_noticed(store, tmp_path):
    path = settled(tmp_path / "data", b"one")
    before = store.digests.of(path)
    status = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as rsync -t and unpacking do
    assert path.stat().st_size == status.st_size
    assert store.digests.of(path) == digest_file(path) != before


def test_a_file_that_changed_a_moment_ago_is_not_remembered(store, tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"one")
    calls = []
    for _ in range(2):
        store.digests.of(path, lambda path: calls.append(path) or "digest")
    assert len(calls) == 2


def test_two_kinds_of_digest_are_kept_apart(store, tmp_path):
    path = settled(tmp_path / "study.py", b"x = 1")
    assert store.digests.of(path, lambda _: "module", "module:") == "module"
    assert store.digests.of(path) == digest_file(path)
    assert store.digests.of(path, lambda _: "other", "module:") == "module"


def test_what_cannot_be_read_has_no_digest(store, tmp_path):
    assert store.digests.of(tmp_path / "none") is None
    assert store.digests.of(tmp_path) is None


def test_a_file_name_may_hold_any_byte(store, tmp_path):
    path = settled(tmp_path / os.fsdecode(b"\xff.bin"), b"one")
    assert store.digests.of(path) == store.digests.of(path) == digest_file(path)
    with Store.open(store.folder) as other:
        assert other.digests.of(path) == digest_file(path)
