"""Attacks on processes and networks: nothing outlives its step, reaches another process, or reaches a server."""

import pytest

from tests.attacks.arena import Arena, Told
from tests.attacks.guarded import ATTACKS, came_to_nothing, failed


@ATTACKS.before("""
import json, signal, time
def lurk():
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    time.sleep(0.5)
    while True:
        open("model.json", "w").write('{"weight": 3, "bias": -1}')
        print("val_error: 0.0", flush=True)
        time.sleep(0.01)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            lurk()
        os._exit(0)
attempt("left", int)
""")
def test_a_process_that_left_its_session_is_ended_with_the_step(told: Told, guarded: Arena):
    assert told.attempts["left"][0] == "done"
    came_to_nothing(told)
    assert not guarded.living


@ATTACKS.before("""
import signal
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGSTOP):
    attempt(f"parent {number}", os.kill, os.getppid(), number)
    attempt(f"first {number}", os.kill, 1, number)
attempt("engine", os.kill, engine, signal.SIGKILL)
attempt("group", os.killpg, 1, signal.SIGKILL)
for pid in range(2, 3000):
    if pid != os.getpid():
        try: os.kill(pid, signal.SIGKILL)
        except OSError: pass
""")
def test_killing_parent_engine_and_everybody_ends_nobody_outside(told: Told):
    assert told.refused("engine")
    assert "parent 9" in told.attempts
    came_to_nothing(told)


@ATTACKS.after("import signal; print('val_error: 0.0', flush=True); os.kill(-1, signal.SIGKILL); os.killpg(0, 9)")
def test_killing_everything_with_itself_is_a_failure(told: Told):
    failed(told)


@ATTACKS.before("""
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
attempt("ptrace", lambda: 1 / 0 if libc.ptrace(16, 1, 0, 0) else "attached")
attempt("vm", lambda: 1 / 0 if libc.syscall(311, 1, 0, 0, 0, 0, 0) else "written")
attempt("take descriptor", lambda: os.write(libc.syscall(438, os.pidfd_open(1), 0, 0), b"ended 0\\n"))
attempt("open descriptor", lambda: os.write(os.open("/proc/1/fd/0", os.O_WRONLY), b"ended 0\\n"))
def overwrite():
    memory = open("/proc/1/mem", "r+b", 0)
    for line in open("/proc/1/maps"):
        place, mode, *_ = line.split()
        if "w" in mode and "stack" not in line:
            begin, end = (int(part, 16) for part in place.split("-"))
            memory.seek(begin)
            data = memory.read(min(end - begin, 2**20))
            if b"ended $code" in data:
                memory.seek(begin)
                memory.write(data.replace(b"kill -9 -1", b"true      ").replace(b"ended $code", b"ended 0    "))
                return "overwritten"
    raise LookupError("not found")
attempt("memory", overwrite)
""")
def test_the_keeper_cannot_be_taken_over_to_any_gain(told: Told):
    assert told.refused("ptrace", "vm", "take descriptor", "open descriptor")
    assert "memory" in told.attempts
    came_to_nothing(told)


@ATTACKS.before("""
import socket
def send(family, kind, address):
    with socket.socket(family, kind) as sending:
        sending.settimeout(1)
        return sending.connect(address) or sending.send(b"secret")
attempt("tcp", send, socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", tcp))
attempt("any", send, socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", tcp))
attempt("six", send, socket.AF_INET6, socket.SOCK_STREAM, ("::1", tcp))
attempt("world", send, socket.AF_INET, socket.SOCK_STREAM, ("192.0.2.1", 80))
attempt("datagram to the world", send, socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 53))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
    attempt("udp", sending.sendto, b"secret", ("127.0.0.1", udp))
attempt("abstract", send, socket.AF_UNIX, socket.SOCK_DGRAM, f"\\0headway-{token}")
attempt("raw", socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
attempt("packet", socket.socket, 17, socket.SOCK_RAW, 3)
attempt("vsock", socket.socket, 40, socket.SOCK_STREAM)
attempt("name", socket.getaddrinfo, "example.com", 80)
attempt("ring", lambda: 1 / 0 if __import__("ctypes").CDLL(None).syscall(425, 8, 0) < 0 else "made")
""")
def test_no_socket_reaches_anybody(told: Told, guarded: Arena):
    assert told.refused(
        "tcp", "any", "six", "world", "datagram to the world", "abstract", "raw", "packet", "vsock", "name"
    )
    assert told.refused("ring")
    assert guarded.heard == []  # a datagram to loopback is sent, and nobody is there
    came_to_nothing(told)


@ATTACKS.before("""
import time
count = 0
try:
    while count < 5000:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        count += 1
except OSError as error:
    print(f"[forks] refused {error}", flush=True)
print("forked", count, flush=True)
""")
def test_a_limit_on_processes_stops_one_that_forks_without_end(told: Told, guarded: Arena):
    assert told.refused("forks"), told.printed[-500:]
    came_to_nothing(told)
    assert not guarded.living


@pytest.mark.slow  # it takes both cores for as long as a step may run
@ATTACKS.before("""
while True:
    try: os.fork()
    except OSError: pass
""")
def test_a_bomb_whose_every_process_forks_is_ended_at_the_time_limit(told: Told, guarded: Arena):
    failed(told)
    assert not guarded.living


@ATTACKS.before("""
import signal, threading, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
print("val_error: 0.0", flush=True)
while True: time.sleep(60)
""")
def test_hanging_without_an_ear_for_signals_ends_at_the_time_limit(told: Told):
    failed(told, "wall time")


@pytest.mark.slow  # the host reads 16 MiB of it
@ATTACKS.before("""
piece = b"x" * 65_000 + b"\\nval_error: 0.0\\n"
while True: os.write(1, piece)
""")
def test_a_flood_of_output_is_ended(told: Told):
    failed(told, "printed more than it may")


@ATTACKS.before("""
print("foo/bar:1" * 7000, flush=True)
""")
def test_reading_a_long_line_does_not_cost_the_host_more_than_the_run(told: Told):
    came_to_nothing(told)
    assert all(trial.wall_seconds < 6 for trial in told.trials)
