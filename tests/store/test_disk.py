import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headway.core import DiskError, StoreError
from headway.store import own_writes, refusal, resumable
from headway.store.disk import disk_error, explained

FULL = Path("/dev/full")  # what is written to it meets a full disk


def test_a_disk_that_takes_what_is_written_refuses_nothing(tmp_path):
    assert refusal(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert refusal(tmp_path / "none") is None  # it is not the disk that is the matter


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_write_that_the_disk_refuses_is_a_disk_error():
    with pytest.raises(DiskError, match="/dev/full cannot be written") as refused, own_writes(FULL):
        FULL.write_bytes(b"x")
    assert refused.value.number == errno.ENOSPC


def test_every_other_error_passes(tmp_path):
    with pytest.raises(FileNotFoundError), own_writes(tmp_path):
        (tmp_path / "none").read_bytes()
    with pytest.raises(FileNotFoundError), resumable(tmp_path, "walk"):
        (tmp_path / "none").read_bytes()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, r"is full \([\d,]+ bytes are free\)\. Free some space"),
        (errno.EDQUOT, r"quota .* is used up\. Free some space"),
        (errno.EROFS, r"is read-only now: .*'dmesg'.* mount it for writing"),
        (errno.EIO, r"failed \(Input/output error; .*'dmesg'"),
    ],
)
def test_each_refusal_says_what_to_do_and_how_to_go_on(tmp_path, number, words):
    for raised in (OSError(number, os.strerror(number)), DiskError("x cannot be written.", number)):
        match = words + r".*type: headway resume 'my walk'$"
        with pytest.raises(DiskError, match=match) as told, resumable(tmp_path, "my walk"):
            raise raised
        assert told.value.number == number
        assert told.value.exit_code == 5
    assert str(disk_error(tmp_path, number)).endswith("type: headway resume")


def test_a_folder_that_may_not_be_written_is_no_matter_of_the_disk(tmp_path):
    told = explained(tmp_path, PermissionError(errno.EACCES, "Permission denied"))
    assert not isinstance(told, DiskError)
    assert isinstance(told, StoreError)
    assert "(Permission denied). Make the folder writable" in str(told)


# What SQLite says of a disk depends on the file in which it meets its end; Headway says what is the matter.
SMALL = """
import contextlib, pathlib, subprocess, sys
from headway.core import DiskError
from headway.store import Store
folder = pathlib.Path(sys.argv[1])
store = Store.open(folder / "store")
for number in range(40):
    store.events.add("note", text="x" * 1000)

def refused(sign, act):
    try:
        act()
    except DiskError as error:
        assert sign in str(error), error
    else:
        raise AssertionError(f"nothing was refused: {sign}")

def fill_up():
    with contextlib.suppress(OSError), (folder / "ballast").open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))

def write_much():
    for number in range(3000):
        store.events.add("note", text="x" * 1000)

def open_and_write():
    with Store.open(folder / "store") as store:
        store.events.add("note", text="x")

fill_up()
refused("is full (", write_much)
(folder / "ballast").unlink()
store.close()
fill_up()
refused("is full (", open_and_write)  # the index of its log cannot be made
(folder / "ballast").unlink()
subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
refused("is read-only now", open_and_write)
subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
open_and_write()
print("all told")
"""


def test_a_database_on_a_full_or_read_only_disk_says_so(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=2m none {disk}"
    try:
        probe = subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if probe.returncode != 0:
        pytest.skip(f"no mount namespace of one's own here: {probe.stderr}")
    (tmp_path / "small.py").write_text(SMALL)
    script = f"{mount} && {sys.executable} {tmp_path}/small.py {disk}"
    answer = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)
    assert answer.stdout == "all told\n", answer.stderr
