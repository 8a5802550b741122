import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headway.sandbox import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def spawn(code):
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    return process, process.stdout.readline()


def wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_process_is_known_by_pid_and_start_time():
    started = processes.start_time(os.getpid())
    assert started is not None
    assert started == processes.start_time(os.getpid())
    assert processes.alive(os.getpid(), started)
    assert not processes.alive(os.getpid(), started + 1)
    assert processes.start_time(2**22 + 1) is None
    assert not processes.alive(2**22 + 1, started)


def test_a_zombie_does_not_run():
    process, _ = spawn("print()")
    started = processes.start_time(process.pid)
    assert started is not None
    wait_until(lambda: not processes.alive(process.pid, started))
    assert processes.start_time(process.pid) == started  # it is still there
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_name_with_spaces_and_brackets_is_read(tmp_path):
    program = tmp_path / "a) b (c"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    with subprocess.Popen([program, "60"]) as process:
        assert processes.start_time(process.pid) is not None
        process.kill()


TREE = """
import os, sys, time
for depth in range(2):
    if os.fork():
        break
    os.setsid()
else:
    print(os.getpid(), flush=True)
data = bytearray(30_000_000)
while time.process_time() < 0.1:
    pass
time.sleep(60)
"""


def test_a_whole_tree_is_seen_and_ended_also_what_left_its_session():
    process, line = spawn(TREE)
    youngest = int(line)
    family = [process.pid, *processes.descendants(process.pid)]
    assert youngest in family
    assert len(family) == 3
    wait_until(lambda: processes.usage(process.pid).cpu_seconds > 0.15)
    assert processes.usage(process.pid).memory_bytes > 90_000_000
    starts = {pid: processes.start_time(pid) for pid in family}
    processes.end_tree(process.pid)
    assert process.wait() == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()
    wait_until(lambda: not any(processes.alive(pid, start or 0.0) for pid, start in starts.items()))


def test_ending_what_is_gone_is_no_error():
    processes.end_tree(2**22 + 1)
    processes.end_group(2**22 + 1)
    assert processes.usage(2**22 + 1) == processes.Usage(0, 0.0)
    assert processes.descendants(2**22 + 1) == []
