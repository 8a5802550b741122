"""A checkpoint that the disk damaged is known by its seal, and the one before it counts."""

import errno
import os
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import DiskError
from headway.experiments import Run, checkpoints
from headway.store import Mark, Point, RunLog, RunLogReader

SEAL_BYTES = checkpoints._SEAL.size


class Damages(list):
    def __call__(self, step, problem):
        self.append((step, problem))


@pytest.fixture
def folder(tmp_path):
    """Keep the checkpoints of 10 and 20 steps."""
    for steps in (10, 20):
        checkpoints.save(tmp_path, steps, {"weights": [steps] * 100})
    return tmp_path


def newest_file(folder):
    return max(folder.glob("*.ckpt"))


def found(folder):
    """Return the steps of what is found, and the steps of what was damaged."""
    damages = Damages()
    checkpoint = checkpoints.newest(folder, damages)
    if checkpoint is not None:
        assert checkpoint.state == {"weights": [checkpoint.steps] * 100}
    return None if checkpoint is None else checkpoint.steps, [step for step, _ in damages]


def without_seal(path):
    """Make of a file what a Headway without seals wrote."""
    path.write_bytes(path.read_bytes()[:-SEAL_BYTES])


def zeros(data, share):
    return data[: int(share * len(data))].ljust(len(data), b"\0")


DAMAGES = {
    "nothing but zeros": lambda data: zeros(data, 0),
    "zeros from the middle on": lambda data: zeros(data, 0.5),
    "empty": lambda data: b"",
    "cut in the middle": lambda data: data[: len(data) // 2],
    "another value": lambda data: data.replace(bytes([20]), bytes([21]), 1),
    "ones in the middle": lambda data: data[:200] + b"\xff" * 64 + data[264:],
    "longer than it was": lambda data: data[:50] + data,
    "something else": lambda data: b"HD" + data[2:],  # torch writes zip files, which begin with PK
}


def test_the_newest_is_found(folder):
    assert found(folder) == (20, [])


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_one_is_removed_and_the_one_before_it_is_found(folder, damage):
    broken = newest_file(folder)
    broken.write_bytes(damage(broken.read_bytes()))
    assert found(folder) == (10, [20])
    assert not broken.exists()
    assert found(folder) == (10, [])  # it is told once


def test_without_a_whole_one_there_is_none(folder):
    for path in folder.glob("*.ckpt"):
        path.write_bytes(zeros(path.read_bytes(), 0.3))
    assert found(folder) == (None, [20, 10])
    assert list(folder.iterdir()) == []
    assert found(folder) == found(folder / "none") == (None, [])


@given(st.data())
def test_no_changed_byte_goes_unnoticed(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("one")
    path = checkpoints.save(folder, 5, {"weights": [5] * 100})
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - SEAL_BYTES - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert found(folder) == (None, [5])


def test_what_is_whole_but_for_its_seal_is_read(folder):
    path = newest_file(folder)
    path.write_bytes(path.read_bytes()[:-3])
    assert found(folder) == (20, [])


def test_files_without_a_seal_are_read(folder):
    for path in folder.glob("*.ckpt"):
        without_seal(path)
    assert found(folder) == (20, [])


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_damaged_file_without_a_seal_gives_way_too(folder, share):
    broken = newest_file(folder)
    without_seal(broken)
    broken.write_bytes(zeros(broken.read_bytes(), share))
    assert found(folder) == (10, [20])


class Moody:
    """Be a part of a state that cannot be made again."""

    def __reduce__(self):
        return (_fail, ())


def _fail():
    raise FileNotFoundError("weights.bin")


def test_what_a_whole_one_raises_is_the_experiments_own(folder):
    checkpoints.save(folder, 30, {"moody": Moody()})
    damages = Damages()
    with pytest.raises(FileNotFoundError, match=r"weights\.bin"):
        checkpoints.newest(folder, damages)
    assert damages == []
    assert newest_file(folder).name == "000000000030.ckpt"


@pytest.mark.slow
def test_files_of_torch_are_sealed_as_well(folder):
    import torch

    path = checkpoints.save(folder, 30, {"net": torch.arange(1000.0)})
    checkpoint = checkpoints.newest(folder, Damages())
    assert checkpoint is not None
    state: Any = checkpoint.state
    assert torch.equal(state["net"], torch.arange(1000.0))
    assert torch.equal(torch.load(path, weights_only=False)["state"]["net"], torch.arange(1000.0))  # anybody can
    without_seal(path)
    checkpoint = checkpoints.newest(folder, Damages())
    assert checkpoint is not None
    assert checkpoint.steps == 30
    for share in (0, 0.5, 0.99):
        checkpoints.save(folder, 30, {"net": torch.arange(1000.0)})
        path.write_bytes(zeros(path.read_bytes(), share))
        assert found(folder) == (20, [30])


def refuse(number):
    def refused(*_):
        raise OSError(number, os.strerror(number))

    return refused


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_what_the_disk_refuses_leaves_the_last_one(folder, monkeypatch, call, number):
    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuse(number))
        with pytest.raises(DiskError) as refused:
            checkpoints.save(folder, 30, {})
    assert refused.value.number == number
    assert sorted(path.name for path in folder.iterdir()) == ["000000000010.ckpt", "000000000020.ckpt"]
    assert found(folder) == (20, [])


def test_other_errors_of_the_system_stay_what_they_are(folder, monkeypatch):
    monkeypatch.setattr(os, "fsync", refuse(errno.EPERM))
    with pytest.raises(PermissionError):
        checkpoints.save(folder, 30, {})


# a trial


class Trial:
    """Make attempts at one trial, in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.checkpoints = folder / "checkpoints"
        self.logs = []

    def attempt(self):
        folder = self.folder / str(len(self.logs))
        folder.mkdir(parents=True)
        log = RunLog(folder / "worker.runlog")
        self.logs.append(folder / "worker.runlog")
        return Run(log, config={}, seed=0, folder=folder, checkpoint_folder=self.checkpoints)

    def items(self):
        with RunLogReader(self.logs[-1]) as reader:
            return reader.read()

    def curve(self):
        return {item.step: item.value.hex() for item in self.items() if isinstance(item, Point)}

    def marks(self, kind):
        return [item.data for item in self.items() if isinstance(item, Mark) if item.kind == kind]


def walk(run, stop_at=-1):
    random.seed(1)  # as a worker does before each attempt
    value = (run.restore() or {"value": 0.0})["value"]
    for step in run.steps(30):
        value += random.random()
        run.log(loss=value)
        run.checkpoint({"value": value}, every=6)
        if step == stop_at:
            return
    run.report(value)


@pytest.mark.parametrize(("broken", "begins"), [(0, 18), (1, 12), (2, 0)])
def test_a_trial_goes_on_from_the_last_whole_one_and_draws_the_same_curve(tmp_path, broken, begins):
    whole, trial = Trial(tmp_path / "whole"), Trial(tmp_path / "broken")
    walk(whole.attempt())
    walk(trial.attempt(), stop_at=20)
    before = trial.curve()
    for path in sorted(trial.checkpoints.iterdir(), reverse=True)[:broken]:
        path.write_bytes(zeros(path.read_bytes(), 0.5))
    walk(trial.attempt())
    after = trial.curve()
    assert min(after) == begins
    assert {**before, **after} == whole.curve()
    assert [mark["step"] for mark in trial.marks("damaged checkpoint")] == [18, 12][:broken]
    assert [mark["step"] for mark in trial.marks("restored")] == ([begins] if begins else [])
