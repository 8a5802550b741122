"""results.tsv: rows as karpathy/autoresearch writes them, never half of one."""

import fcntl
import threading
from typing import Any

import pytest

from headway.core import DiskError, UsageError
from headway.experiments.layouts import append_row, format_row, header, ledger
from headway.studies.results_tsv import read_ledger

ROW: dict[str, Any] = {
    "commit": "a1b2c3d4e5f6",
    "value": 0.9979,
    "memory_mb": 45060.2,
    "status": "keep",
    "description": "baseline",
}


def row_with(**changes: Any) -> str:
    return format_row(**{**ROW, **changes})


def test_a_row_is_formatted_as_in_the_original():
    assert format_row(**ROW) == "a1b2c3d\t0.997900\t44.0\tkeep\tbaseline"
    crash = row_with(status="crash", value=None, memory_mb=None, description="double width (OOM)")
    assert crash == "a1b2c3d\t0.000000\t0.0\tcrash\tdouble width (OOM)"
    assert row_with(memory_mb=None).split("\t")[2] == "0.0"
    assert row_with(description=' tabs\tand\r\nlines "quoted" ').split("\t")[4] == "tabs and lines 'quoted'"


@pytest.mark.parametrize(
    "wrong", [{"commit": "HEAD"}, {"commit": "abc"}, {"status": "kept"}, {"value": None}, {"value": float("nan")}]
)
def test_what_the_ledger_cannot_hold_is_refused(wrong):
    with pytest.raises(UsageError):
        row_with(**wrong)


def test_rows_are_appended_and_read_back(tmp_path):
    path = tmp_path / "results.tsv"
    append_row(path, format_row(**ROW))
    append_row(path, row_with(status="crash"))
    append_row(path, row_with(status="discard", value=1.25, description="wider, 2x"))
    assert path.read_text().splitlines()[0] == header() == "commit\tval_bpb\tmemory_gb\tstatus\tdescription"
    read = read_ledger(path)
    assert [(row.commit, row.value, row.status) for row in read.rows] == [
        ("a1b2c3d", 0.9979, "keep"), ("a1b2c3d", None, "crash"), ("a1b2c3d", 1.25, "discard"),
    ]  # fmt: skip
    assert read.metric == "val_bpb"


def test_a_line_that_was_cut_off_is_closed_before_the_row(tmp_path):
    path = tmp_path / "results.tsv"
    path.write_text(header() + "\na1b2c3d\t1.0000")
    append_row(path, format_row(**ROW))
    assert path.read_text().splitlines()[1:] == ["a1b2c3d\t1.0000", format_row(**ROW)]


def test_other_columns_and_other_texts_are_refused(tmp_path):
    path = tmp_path / "results.tsv"
    path.write_text("commit\tscore\tstatus\n")
    with pytest.raises(UsageError, match="begins with"):
        append_row(path, format_row(**ROW))
    with pytest.raises(UsageError, match="no row"):
        append_row(tmp_path / "new.tsv", "a\nb")
    assert path.read_text() == "commit\tscore\tstatus\n"


def test_what_a_full_disk_let_through_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "results.tsv"
    append_row(path, format_row(**ROW))
    before, write = path.read_bytes(), ledger.os.write
    with monkeypatch.context() as patch:
        patch.setattr(ledger.os, "write", lambda file, data: write(file, data[:5]))
        with pytest.raises(DiskError, match="the disk is full"):
            append_row(path, format_row(**ROW))
    assert path.read_bytes() == before


def test_a_writer_waits_for_another_one(tmp_path):
    path = tmp_path / "results.tsv"
    writer = threading.Thread(target=append_row, args=(path, format_row(**ROW)))
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
        assert path.read_text() == ""
    writer.join(10)
    assert path.read_text().splitlines() == [header(), format_row(**ROW)]


def test_writers_take_turns(tmp_path):
    path = tmp_path / "results.tsv"
    row = format_row(**ROW)
    threads = [threading.Thread(target=lambda: [append_row(path, row) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text().splitlines() == [header(), *[row] * 80]
