"""Who is asked, how many at a time, and how the engine hears of what came."""

import threading
import time
from random import Random

import pytest

from headway.core import UsageError
from headway.propose.evolve import Context, FunctionProposer, Program, Proposed, Proposer
from headway.studies.evolving.brood import Brood
from headway.studies.evolving.keeping import Keeper


class Waiting(Proposer):
    """Answer when it is let, with the seed as its idea; refuse odd seeds of a hundred and more."""

    def __init__(self, *, instant=False):
        self.instant = instant
        self.let = threading.Semaphore(0)
        self.threads = set()
        self.lock = threading.Lock()

    @property
    def name(self):
        return "waiting"

    def propose(self, context):
        with self.lock:
            self.threads.add(threading.get_ident())
        if not self.instant:
            assert self.let.acquire(timeout=20)
        if context.seed >= 100 and context.seed % 2:
            raise UsageError("odd")
        return Proposed(note=str(context.seed))

    def close(self):
        """Hold nothing."""


def context(seed):
    parent = Program(number=1, score="1", files={"a.py": "x = 1\n"})
    return Context(task="", metric="m", direction="maximize", parent=parent, seed=seed)


@pytest.fixture
def brooding(tmp_path):
    made = []

    def make(proposer, at_once=3):
        made.append((Brood([proposer], at_once=at_once, keeper=Keeper(tmp_path), random=Random(1)), proposer))
        return made[-1][0]

    yield make
    for brood, proposer in made:
        brood.close()
        proposer.let.release(50)


def taken(brood, count):
    found = []
    deadline = time.monotonic() + 20
    while len(found) < count:
        assert time.monotonic() < deadline
        if (answer := brood.take()) is not None:
            found.append(answer)
    return found


def test_an_answer_wakes_the_engine_after_it_was_kept(brooding, tmp_path):
    proposer = Waiting()
    brood, woken, seen = brooding(proposer), threading.Event(), []

    def wake():
        seen.append(([item.seed for item in Keeper(tmp_path).kept()], brood.take()))
        woken.set()

    brood.wake = wake
    brood.ask("parent", context(4))
    assert brood.take() is None
    proposer.let.release()
    assert woken.wait(20)
    ((kept, answer),) = seen
    assert kept == [4]
    assert (answer.seed, answer.parent, answer.proposed.note) == (4, "parent", "4")


def test_what_fails_wakes_the_engine_too(brooding):
    proposer = Waiting()
    brood, woken = brooding(proposer), threading.Event()
    brood.wake = woken.set
    brood.ask("parent", context(101))
    proposer.let.release()
    assert woken.wait(20)
    (answer,) = taken(brood, 1)
    assert (answer.proposed, answer.refused) == (None, "odd")


def test_requests_under_way_and_answers_that_wait_take_room(brooding):
    proposer = Waiting()
    brood = brooding(proposer, at_once=3)
    for seed in range(3):
        assert brood.room(0)
        assert not brood.room(3 - seed)
        brood.ask("parent", context(seed))
    assert not brood.room(0)
    proposer.let.release(3)
    taken(brood, 2)
    assert brood.room(0)  # the third is under way, or waits
    assert not brood.room(2)


def test_threads_are_used_again(brooding):
    proposer = Waiting()
    brood = brooding(proposer, at_once=3)
    proposer.let.release(60)
    for first in range(0, 60, 3):
        for seed in range(first, first + 3):
            brood.ask("parent", context(seed))
        assert sorted(item.seed for item in taken(brood, 3)) == list(range(first, first + 3))
    assert len(proposer.threads) <= 3


def test_as_many_are_asked_at_once_as_there_is_room_for(brooding):
    proposer = Waiting()
    brood = brooding(proposer, at_once=5)
    for seed in range(5):
        brood.ask("parent", context(seed))
    deadline = time.monotonic() + 20
    while len(proposer.threads) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    proposer.let.release(5)
    assert {item.seed for item in taken(brood, 5)} == set(range(5))


def test_who_answers_at_once_is_asked_in_the_engines_thread(brooding):
    proposer = Waiting(instant=True)
    brood = brooding(proposer)
    brood.ask("parent", context(3))
    assert [item.seed for item in taken(brood, 1)] == [3]
    assert proposer.threads == {threading.get_ident()}


def test_threads_end_with_the_session(brooding):
    proposer = Waiting()
    brood = brooding(proposer)
    before = set(threading.enumerate())
    brood.ask("parent", context(1))
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon
    brood.close()
    proposer.let.release()
    thread.join(20)
    assert not thread.is_alive()
    assert [item.seed for item in taken(brood, 1)] == [1]


@pytest.mark.parametrize(("won", "share"), [(0.5, (0.3, 0.7)), (0.1, (0.7, 0.98)), (0.0, (0.8, 0.99))])
def test_whose_programs_are_better_is_asked_more_often_and_nobody_never(tmp_path, won, share):
    random, counts = Random(3), {"good": 0, "other": 0}

    def answer(prompt, seed):
        return "Idea: none\n```python\nx = 2\n```"

    proposers = [FunctionProposer(answer, name) for name in counts]
    brood = Brood(proposers, at_once=1, keeper=Keeper(tmp_path), random=Random(1))
    for seed in range(200):
        brood.ask("parent", context(seed))
        (found,) = taken(brood, 1)
        counts[found.proposer] += 1
        brood.credit(found.proposer, better=random.random() < (0.5 if found.proposer == "good" else won))
    assert share[0] <= counts["good"] / 200 <= share[1]
