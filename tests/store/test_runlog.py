import math
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core import StoreError, UsageError
from headway.store import UNLIMITED, Mark, Point, RunLog, RunLogReader, Signal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "worker.runlog"


def read(path) -> Any:
    with RunLogReader(path) as reader:
        return reader.read()


def test_points_and_marks_are_read_in_their_order(path):
    log = RunLog(path)
    log.point("loss", 0, 3.5)
    log.mark("report", values={"loss": math.nan}, step=0)
    log.point("acc", 1, -math.inf)
    log.point("loss", 1, 3.25)
    log.close()
    items = read(path)
    assert [(item.metric, item.step, item.value) for item in items if isinstance(item, Point)] == [
        ("loss", 0, 3.5),
        ("acc", 1, -math.inf),
        ("loss", 1, 3.25),
    ]
    mark = items[1]
    assert isinstance(mark, Mark)
    assert mark.kind == "report"
    assert math.isnan(mark.data["values"]["loss"])
    assert all(0 <= item.seconds < 60 for item in items)


def test_a_reader_follows_while_the_writer_writes(path):
    log = RunLog(path)
    with RunLogReader(path) as reader:
        assert reader.read() == []
        for step in range(3000):
            log.point("loss", step, step / 7)
            if step % 500 == 499:
                assert [item.step for item in reader.read() if isinstance(item, Point)] == list(
                    range(step - 499, step + 1)
                )
        assert reader.read() == []
    log.close()


@settings(max_examples=30)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.text(max_size=40), st.integers(-(2**63), 2**63 - 1), st.floats()),
            st.dictionaries(st.text(max_size=9), st.text(max_size=2000), max_size=2),
        ),
        max_size=60,
    )
)
def test_whatever_is_written_is_read(tmp_path_factory, items):
    path = tmp_path_factory.mktemp("log") / "x.runlog"
    log = RunLog(path)
    for item in items:
        if isinstance(item, dict):
            log.mark("m", data=item)
        else:
            log.point(*item)
    log.close()
    for got, wanted in zip(read(path), items, strict=True):
        if isinstance(wanted, dict):
            assert isinstance(got, Mark)
            assert got.data == {"data": wanted}
        else:
            assert isinstance(got, Point)
            assert (got.metric, got.step) == wanted[:2]
            assert struct.pack("d", got.value) == struct.pack("d", wanted[2])


def test_a_log_grows_with_its_points_and_its_space_is_taken_for_good(path):
    log = RunLog(path)
    sizes = {path.stat().st_size}
    for step in range(20_000):
        log.point("loss", step, 0.5)
        sizes.add(path.stat().st_size)
    assert len(sizes) <= 5
    assert path.stat().st_blocks * 512 >= path.stat().st_size  # not sparse: a full disk cannot end the writer later
    log.close()
    assert len(read(path)) == 20_000


def test_a_text_larger_than_the_file_fits(path):
    log = RunLog(path)
    log.mark("failed", traceback="x" * 6_000_000)
    log.point("loss", 0, 1.0)
    log.close()
    mark, point = read(path)
    assert len(mark.data["traceback"]) == 6_000_000
    assert point.value == 1.0


def test_reopening_goes_on_behind_what_there_is(path):
    first = RunLog(path)
    first.point("loss", 0, 1.0)
    first.point("acc", 0, 2.0)
    first.close()
    again = RunLog(path)
    again.point("acc", 1, 3.0)
    again.point("new", 1, 4.0)
    again.close()
    assert [(item.metric, item.step, item.value) for item in read(path)] == [
        ("loss", 0, 1.0),
        ("acc", 0, 2.0),
        ("acc", 1, 3.0),
        ("new", 1, 4.0),
    ]


def test_another_file_is_refused(path):
    path.write_bytes(b"not a log" * 20)
    with pytest.raises(StoreError, match="no run log"):
        RunLog(path)


def test_the_engine_speaks_through_the_header(path):
    log = RunLog(path, granted=0)
    with RunLogReader(path) as engine:
        assert (log.granted, log.signal, engine.waiting) == (0, Signal.NONE, 0)
        log.wait_at(5)
        assert engine.waiting == 5
        engine.grant(6)
        engine.signal(Signal.STOP)
        assert (log.granted, log.signal) == (6, Signal.STOP)
        for step in range(5000):  # growing keeps what the engine said
            log.point("loss", step, 0.0)
        assert (log.granted, log.signal, engine.waiting) == (6, Signal.STOP, 5)
    log.close()
    free = RunLog(path.with_name("free.runlog"))
    assert free.granted == UNLIMITED
    free.close()


def test_a_log_without_a_header_has_not_begun(path):
    path.touch()
    with RunLogReader(path) as reader:
        assert not reader.begun
        assert reader.read() == []
        log = RunLog(path)
        assert reader.begun
        log.close()


@pytest.mark.parametrize("step", [2**63, -(2**63) - 1, 2**200])
def test_a_step_beyond_64_bits_is_refused_and_breaks_nothing(path, step):
    log = RunLog(path)
    with pytest.raises(UsageError, match="below"):
        log.point("loss", step, 1.0)
    log.point("loss", 1, 1.0)
    log.close()
    assert [item.step for item in read(path)] == [1]


def test_a_name_that_cannot_be_written_leaves_no_key_behind(path):
    log = RunLog(path)
    with pytest.raises(UnicodeEncodeError):
        log.point("\udcff", 0, 1.0)
    with pytest.raises(UnicodeEncodeError):
        log.point("\udcff", 0, 1.0)
    log.point("loss", 0, 1.0)
    log.close()
    assert [item.metric for item in read(path)] == ["loss"]


def test_threads_share_a_log(path):
    log = RunLog(path)

    def write(who):
        for step in range(2000):
            log.point(f"loss{who}", step, step)

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    items = read(path)
    for who in range(4):
        assert [item.step for item in items if item.metric == f"loss{who}"] == list(range(2000))


def test_a_forked_child_is_refused(path):
    log = RunLog(path)
    log.point("loss", 0, 1.0)
    pid = os.fork()
    if pid == 0:
        try:
            log.point("loss", 1, 2.0)
        except StoreError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    log.point("loss", 1, 3.0)
    log.close()
    assert [item.value for item in read(path)] == [1.0, 3.0]


@pytest.mark.parametrize(
    ("offset", "data"),
    [
        (64, b"\x09"),  # a kind that there is not
        (64 + 8, (-16).to_bytes(8, "little", signed=True)),  # a text of negative size
        (64 + 8, (2**40).to_bytes(8, "little")),  # a text beyond the end
        (64 + 24 + 2, b"\xff\xff"),  # a point of an unknown metric
        (8, (2**62).to_bytes(8, "little")),  # a length beyond the file
    ],
)
def test_a_damaged_log_is_named_and_does_not_hang(path, offset, data):
    log = RunLog(path)
    log.point("loss", 0, 1.0)
    log.close()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
    with pytest.raises(StoreError, match="is damaged"):
        read(path)


WRITER = """
import sys, pathlib, mmap
from headway.store import RunLog
log = RunLog(pathlib.Path(sys.argv[1]))
counter = open(sys.argv[2], "r+b")
told = mmap.mmap(counter.fileno(), 8)
for step in range(10**9):
    log.point("loss", step, step / 3)
    told[:8] = (step + 1).to_bytes(8, "little")  # what log has returned for
"""


def test_kill_9_of_the_writer_loses_no_point_that_log_returned_for(path, tmp_path):
    counter = tmp_path / "counter"
    counter.write_bytes(bytes(8))
    for _ in range(3):
        path.unlink(missing_ok=True)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(counter)])
        while int.from_bytes(counter.read_bytes(), "little") < 30_000:
            time.sleep(0.002)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        told = int.from_bytes(counter.read_bytes(), "little")
        points = read(path)
        assert len(points) in (told, told + 1)
        assert [item.step for item in points] == list(range(len(points)))
        assert points[-1].value == points[-1].step / 3
        counter.write_bytes(bytes(8))


FULL = """
import errno, sys, pathlib
from headway.core import DiskError
from headway.store import Point, RunLog, RunLogReader
folder = pathlib.Path(sys.argv[1])
log = RunLog(folder / "x.runlog")
step = 0
try:
    while True:
        log.point("loss", step, 0.5)
        step += 1
except DiskError as error:
    assert "No space left" in str(error), error
    assert error.number == errno.ENOSPC
for name in ("more", "names"):
    try:
        while True:
            log.point(name, 0, 1.0)
    except DiskError:
        pass
log.last_mark("ended")  # what is kept for it holds, on a disk that is as full as can be
(folder / "ballast").unlink()
log.point("names", 1, 2.0)
with RunLogReader(folder / "x.runlog") as reader:
    items = reader.read()
points = [item for item in items if isinstance(item, Point)]
marks = [(item.kind, item.data) for item in items if not isinstance(item, Point)]
assert marks == [("interrupted", {"errno": errno.ENOSPC}), ("ended", {})], marks
assert [p.step for p in points if p.metric == "loss"] == list(range(step)), step
assert points[-1].metric == "names" and points[-1].value == 2.0
print("kept", step > 1000)
"""


def test_a_full_disk_is_an_error_that_loses_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "full.py").write_text(FULL)
    mount = f"mount -t tmpfs -o size=400k none {disk}"
    try:
        probe = subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if probe.returncode != 0:
        pytest.skip(f"no mount namespace of one's own here: {probe.stderr}")
    script = f"{mount} && head -c 200000 /dev/zero > {disk}/ballast && {sys.executable} {tmp_path}/full.py {disk}"
    answer = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)
    assert answer.stdout == "kept True\n", answer.stderr


def test_a_shared_log_whose_writer_died_before_its_header_is_begun_anew(tmp_path):
    path = tmp_path / "x.runlog"
    path.write_bytes(bytes(16 * 1024))  # space was taken, and nothing written yet
    with pytest.raises(StoreError, match="is no run log of this Headway"):
        RunLog(path)
    log = RunLog(path, attempt=7)
    log.point("loss", 1, 2.0)
    log.close()
    with RunLogReader(path, 7) as reader:
        assert [item.value for item in reader.read() if isinstance(item, Point)] == [2.0]


def test_a_reader_gets_nothing_torn_where_the_next_attempt_begins_the_file_anew(tmp_path, monkeypatch):
    path = tmp_path / "worker.runlog"
    with closing(RunLog(path, attempt=1)) as log:
        for step in range(50):
            log.point("loss", step, 0.5)
    real = os.pread

    def slow(file, count, offset):
        if count > 8:  # the records, after the header was looked at
            with closing(RunLog(path, attempt=2)) as other:
                other.mark("a longer text than a point, so that the old records are no records any more")
        return real(file, count, offset)

    with RunLogReader(path, 1) as reader:
        monkeypatch.setattr(os, "pread", slow)
        assert reader.read() == []


def test_a_long_log_is_read_a_part_at_a_time_and_nothing_twice(tmp_path):
    log = RunLog(tmp_path / "worker.runlog")
    for step in range(1000):
        log.point("loss", step, 1.0)
        log.mark("note", text="x" * (step % 50))
    log.mark("long", text="x" * 5000)
    log.point("loss", 1000, 1.0)
    log.close()
    parts = []
    with RunLogReader(tmp_path / "worker.runlog") as reader:
        while part := reader.read(at_most_bytes=1000):
            parts.append(part)
        assert not reader.behind
    with RunLogReader(tmp_path / "worker.runlog") as reader:
        assert [item for part in parts for item in part] == reader.read()
    assert max(len(part) for part in parts) < 50
