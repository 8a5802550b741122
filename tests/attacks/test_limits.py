"""Attacks on memory and disk, in a study with little of both: what takes too much is ended, and honest work goes on."""

import pytest

from tests.attacks.arena import Arena, Told, git
from tests.attacks.attacks import Attacks
from tests.attacks.guarded import GOOD, came_to_nothing, failed
from tests.attacks.playing import chosen, play
from tests.attacks.tiny import GUARDED

ATTACKS = Attacks(path="train.py", source=GUARDED["train.py"])
MEMORY = 256 * 1024**2


@pytest.fixture(scope="module")
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, protected: None) -> Arena:
    arena = Arena.lay_out(tmp_path_factory.mktemp("small"), GUARDED)
    play(arena, {**chosen(request, ATTACKS), **GOOD}, memory_bytes=MEMORY)
    return arena


@pytest.fixture
def told(request: pytest.FixtureRequest, small: Arena) -> Told:
    return small.told(request.function.__name__)


@ATTACKS.before("""
kept = []
try:
    while True: kept.append(bytearray(b"x") * 2**24)
except MemoryError:
    print("[memory] refused", len(kept), flush=True)
kept.clear()
""")
def test_memory_of_one_process_ends_at_the_limit(told: Told):
    if told.decision == "failed":
        failed(told, "memory")
    else:
        assert told.refused("memory")
        came_to_nothing(told)


@ATTACKS.before("""
import time
for _ in range(16):
    if os.fork() == 0:
        kept = bytearray(b"x") * (128 * 2**20)
        time.sleep(60)
time.sleep(3)
""")
def test_memory_of_many_processes_is_limited_together(told: Told):
    failed(told, "memory")


@ATTACKS.before("""
piece = b"x" * 2**22
def fill(folder):
    with open(folder + "/filling", "wb") as file:
        for _ in range(200): file.write(piece)
for place in (".", "/tmp", "../results", "/dev/shm"):
    attempt(f"fill {place}", fill, place)
    os.remove(place + "/filling")
""")
def test_no_folder_takes_more_than_its_share(told: Told):
    assert told.refused("fill .", "fill /tmp", "fill ../results", "fill /dev/shm")
    came_to_nothing(told)


@ATTACKS.before("""
piece = b"x" * 2**22
for place in (".", "/tmp", "../results", "/dev/shm"):
    try:
        with open(place + "/filling", "wb") as file:
            for _ in range(200): file.write(piece)
    except OSError: pass
""")
def test_all_folders_together_take_no_more_than_the_memory(told: Told):
    failed(told)


@ATTACKS.before("""
count = 0
try:
    for count in range(50_000): os.close(os.open(f"../results/{count}", os.O_CREAT))
except OSError: pass
print("made", count, flush=True)
""")
def test_fifty_thousand_files_do_not_hold_up_the_host(told: Told):
    assert told.decision in ("failed", "identical", "rejected")
    if told.decision != "failed":
        came_to_nothing(told)


@ATTACKS.before("""
import time
for _ in range(60):
    if os.fork() == 0:
        time.sleep(60)
time.sleep(4)
""")
def test_a_run_that_the_engine_itself_ends_leaves_no_worktree_either(told: Told, small: Arena):
    failed(told, "memory")  # as the engine counts, shared pages several times
    assert len(git(small.repository, "worktree", "list").splitlines()) == 1


def test_honest_work_beside_them_is_accepted_and_nothing_is_left(small: Arena):
    assert small.told("good").decision == "accepted (guarded)"
    assert small.living == []
    assert list(small.store.glob("runs/*/*/work")) == []
