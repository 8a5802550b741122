import pytest

from headway.core import Needs, UsageError
from headway.engine import EngineSettings
from headway.engine.slots import Slots, available_cores


def test_as_many_trials_run_as_fit():
    assert Slots(Needs(), workers=None, cores=8).workers == 8
    assert Slots(Needs(cores=3), workers=None, cores=8).workers == 2
    assert Slots(Needs(cores=16), workers=None, cores=8).workers == 1
    assert Slots(Needs(cores=1, gpus=2), workers=None, cores=8, gpus=5).workers == 2


def test_workers_are_a_persons_choice_where_a_trial_needs_one_core():
    assert Slots(Needs(), workers=20, cores=2).workers == 20
    assert Slots(Needs(cores=2), workers=20, cores=4).workers == 2
    with pytest.raises(UsageError, match="workers=0 run nothing"):
        EngineSettings(workers=0)


def test_slots_are_taken_and_given_back():
    slots = Slots(Needs(), workers=2, cores=2)
    first, second = slots.take(), slots.take()
    assert (slots.free, slots.busy) == (False, 2)
    slots.give_back(first)
    assert (slots.free, slots.busy) == (True, 1)
    slots.give_back(second)
    assert slots.busy == 0


def test_each_gpu_belongs_to_one_trial():
    slots = Slots(Needs(gpus=2), workers=None, cores=8, gpus=5)
    first, second = slots.take(), slots.take()
    assert len({*first.gpus, *second.gpus}) == 4
    assert not slots.free
    slots.give_back(first)
    assert set(slots.take().gpus) == set(first.gpus)


def test_a_gpu_that_is_not_there_is_refused_with_a_way_out():
    with pytest.raises(UsageError, match=r"needs 2 GPUs, and this machine shows 1.*headway\[gpu\]"):
        Slots(Needs(gpus=2), workers=None, cores=4, gpus=1)


def test_cores_are_those_that_this_process_may_use():
    assert available_cores() >= 1
