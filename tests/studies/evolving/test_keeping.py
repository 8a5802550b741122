"""Answers that wait: whole after any kill, given once, and gone when they are let go."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from headway.core import DiskError
from headway.propose.evolve import Proposed
from headway.studies.evolving import keeping
from headway.studies.evolving.keeping import Answer, Keeper


def answer(seed, note="an idea"):
    proposed = Proposed(
        note=note, files={"a.py": "x = 1\n"}, patches=[("<<<", "b.py"), (">>>", None)], config={"k": 0.5}, tokens=12
    )
    return Answer(proposer="model", parent="abc", seed=seed, proposed=proposed)


def kept(folder):
    return {item.seed: item for item in Keeper(folder).kept()}


def test_an_answer_comes_back_as_it_was(tmp_path):
    text = 'quote " zero \0 line \n\r\u2028 \ud800 \U0001f600'
    Keeper(tmp_path / "new" / "folder").keep(answer(7, text))
    assert kept(tmp_path / "new" / "folder") == {7: answer(7, text)}


def test_what_was_let_go_does_not_come_back(tmp_path):
    keeper = Keeper(tmp_path)
    for seed in range(6):
        keeper.keep(answer(seed))
    for seed in (0, 3, 3, 99):
        keeper.forget(seed)
    assert sorted(kept(tmp_path)) == [1, 2, 4, 5]
    later = Keeper(tmp_path)
    assert len(list(later.kept())) == 4
    for seed in (1, 2, 4):
        later.forget(seed)
    assert sorted(kept(tmp_path)) == [5]
    later.forget(5)
    assert not kept(tmp_path)
    assert (tmp_path / "answers.jsonl").stat().st_size == 0


def test_nothing_is_written_where_nothing_is_kept(tmp_path):
    keeper = Keeper(tmp_path / "none")
    assert not list(keeper.kept())
    keeper.forget(1)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("torn", [b'{"proposer": "mo', b"\xff\xfe", b"[]", b'{"seed": "x"}', b'{"seed": 3}', b"null"])
def test_what_a_kill_left_half_written_is_nobodys_and_takes_nothing_along(tmp_path, torn):
    Keeper(tmp_path).keep(answer(1))
    file = tmp_path / "answers.jsonl"
    file.write_bytes(file.read_bytes() + b"\n" + torn)
    later = Keeper(tmp_path)
    assert [item.seed for item in later.kept()] == [1]
    later.keep(answer(2))
    assert sorted(kept(tmp_path)) == [1, 2]


def test_what_another_session_kept_meanwhile_stays(tmp_path):
    """One session reads what waits, and begins to write only when the other has given the study back."""
    first, second = Keeper(tmp_path), Keeper(tmp_path)
    first.keep(answer(1))
    assert [item.seed for item in second.kept()] == [1]
    first.keep(answer(2))
    second.forget(1)
    assert sorted(kept(tmp_path)) == [2]


def test_the_file_does_not_grow_with_what_was_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "_LARGEST_BYTES", 5000)
    keeper = Keeper(tmp_path)
    keeper.keep(answer(0))
    for seed in range(1, 200):
        keeper.keep(answer(seed))
        keeper.forget(seed)
        assert (tmp_path / "answers.jsonl").stat().st_size < 6000
    assert sorted(kept(tmp_path)) == [0]
    keeper.keep(answer(500))
    assert sorted(kept(tmp_path)) == [0, 500]


def test_threads_keep_while_the_session_forgets(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "_LARGEST_BYTES", 20_000)
    keeper = Keeper(tmp_path)

    def keep(first):
        for seed in range(first, first + 100):
            keeper.keep(answer(seed))
            if seed % 10:
                keeper.forget(seed)

    threads = [threading.Thread(target=keep, args=(1000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kept(tmp_path)) == [1000 * number + ten for number in range(4) for ten in range(0, 100, 10)]


def test_a_full_disk_is_told_as_such_and_lets_go_all_the_same(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    keeper = Keeper(tmp_path)
    keeper.keep(answer(1))
    keeper.keep(answer(2))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(DiskError, match="No space left"):
            keeper.keep(answer(3))
        keeper.forget(1)  # found in the record when it comes back, and refused
    assert 2 in kept(tmp_path)


WRITER = """
import sys, itertools
from pathlib import Path
from headway.propose.evolve import Proposed
from headway.studies.evolving.keeping import Answer, Keeper
keeper = Keeper(Path(sys.argv[1]))
list(keeper.kept())
for seed in itertools.count(int(sys.argv[2])):
    keeper.keep(Answer(proposer="m", parent="p", seed=seed, proposed=Proposed(note="x" * 20_000)))
    print(seed, flush=True)
"""


def test_an_answer_that_keep_returned_for_outlives_any_kill(tmp_path):
    told = []
    for turn in range(4):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(turn * 100_000)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        told.append(int(writer.stdout.readline()))
        time.sleep(0.02 * turn)
        os.kill(writer.pid, signal.SIGKILL)
        told += [int(line) for line in writer.communicate()[0].split("\n")[:-1]]
    found = kept(tmp_path)
    assert len(told) > 4
    assert set(told) <= set(found)
    assert len(found) <= len(told) + 4
    assert all(item.proposed and item.proposed.note == "x" * 20_000 for item in found.values())
