"""What a candidate can do in a warm sandbox by memory, to the next one and to the server, and what it can answer."""

import os

import pytest

from headway.sandbox import protection
from tests.sandbox.warm_stage import EVALUATOR, MiB, result_of

PROBLEM = protection().problem
pytestmark = pytest.mark.skipif(bool(PROBLEM), reason=f"no sandbox on this machine: {PROBLEM}")


class TestMemory:
    def test_what_is_patched_in_memory_is_whole_for_the_next(self, stage):
        patch = "import builtins, random, sys\nKNOWN['best'] = 2\nKNOWN.clear()\nrandom.random = lambda: 0\n"
        patch += "builtins.open = None\nsys.modules['json'].dumps = lambda x: '\"forged\"'\n"
        patch += "for frame in sys._current_frames().values(): frame.f_globals.clear()"
        stage.call(patch)
        assert stage.result("import json\nreturn [KNOWN, random.random() > 0, json.dumps(1)]") == [
            {"best": 1},
            True,
            "1",
        ]

    def test_the_process_of_the_next_candidate_is_not_there_yet(self, stage):
        """It is made beforehand, but after this one has gone."""
        look = "import os\nreturn [sorted(int(n) for n in os.listdir('/proc') if n.isdigit()), os.getpid()]"
        for _ in range(5):
            pids, own = stage.result(look)
            assert pids == [1, own]

    def test_the_server_can_be_neither_read_nor_written(self, stage):
        code = """
import ctypes, os, signal
found = {}
def attempt(name, what):
    try: found[name] = f"did it: {what()!r}"
    except (OSError, AssertionError) as error: found[name] = "refused"
for name in ("mem", "environ", "maps", "fd/0", "fd/1", "fd/3", "fd/4", "cwd/..", "auxv", "syscall", "stack", "io"):
    attempt(name, lambda: open(f"/proc/1/{name}", "rb").read(1))
for number in range(20): attempt(f"write {number}", lambda: open(f"/proc/1/fd/{number}", "wb"))
attempt("root", lambda: os.listdir("/proc/1/root"))
attempt("map_files", lambda: os.listdir("/proc/1/map_files") or 1 / 0)
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    assert libc.syscall(*arguments) != -1
import platform
ptrace, vm_read, getfd = (101, 310, 438) if platform.machine() == "x86_64" else (117, 270, 438)
attempt("ptrace", lambda: call(ptrace, 16, 1, 0, 0))
attempt("seize", lambda: call(ptrace, 0x4206, 1, 0, 0))
attempt("process_vm_readv", lambda: call(vm_read, 1, 0, 0, 0, 0, 0))
attempt("pidfd_getfd", lambda: call(getfd, os.pidfd_open(1), 0, 0))
return found
"""
        found = stage.result(code)
        assert {name: what for name, what in found.items() if what != "refused"} == {}
        assert stage.honest()

    def test_a_candidate_has_no_descriptor_of_the_servers(self, stage):
        code = "import os\nfound = {}\nfor n in os.listdir('/proc/self/fd'):\n"
        code += "    try: found[n] = os.readlink('/proc/self/fd/' + n).split(':')[0]\n    except OSError: pass\n"
        code += "return found"
        found = stage.result(code)
        assert sorted(found.values()) == ["/dev/null", "pipe", "pipe", "pipe"]  # its input, both streams, its result
        assert [found[n] for n in ("0", "1", "2")] == ["/dev/null", "pipe", "pipe"]

    @pytest.mark.parametrize("call", ["shmget", "semget", "msgget", "mq_open"])
    def test_what_outlives_a_process_in_its_namespace_cannot_be_made(self, stage, call):
        code = f"""
import ctypes, platform
numbers = {{"shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180)}}[{call!r}]
number = numbers[platform.machine() != "x86_64"]
libc = ctypes.CDLL(None, use_errno=True)
arguments = {{"mq_open": (b"left", 0o102, 0o600, None), "msgget": (77, 0o1600)}}.get({call!r}, (77, 1, 0o1600))
return [libc.syscall(number, *arguments), ctypes.get_errno()]
"""
        assert stage.result(code) == [-1, 38]

    def test_keys_cannot_be_kept(self, stage):
        code = "import ctypes\nlibc = ctypes.CDLL(None)\n"
        code += "return [libc.syscall(n, b'user', b'left', b'x', 1, -3) for n in (248, 250)]"
        if os.uname().machine == "x86_64":
            assert stage.result(code) == [-1, -1]

    def test_sockets_without_a_file_and_ports_are_free_for_the_next(self, stage):
        bind = "import socket\na = socket.socket(socket.AF_UNIX); a.bind('\\0left'); a.listen()\n"
        bind += "b = socket.socket(); b.bind(('127.0.0.1', 4242)); b.listen()\n"
        bind += "c = socket.create_connection(('127.0.0.1', 4242)); d, _ = b.accept(); d.close(); c.close()\nreturn 1"
        for _ in range(3):
            assert stage.result(bind) == 1  # a port whose connection was closed is held for a minute

    def test_memory_beyond_the_limit_fails_the_candidate_alone(self, stage):
        called = stage.call("x = []\nwhile True: x.append(bytearray(1 << 24))")
        assert called.passed == "memory" or "MemoryError" in called.output
        assert stage.honest()
        assert called.memory_bytes > 100 * MiB

    def test_shared_memory_beyond_the_limit_is_told_as_memory(self, stage):
        called = stage.call(
            "import mmap\nx = []\nwhile True:\n    x.append(mmap.mmap(-1, 1 << 24)); x[-1].write(b'x' * (1 << 24))"
        )
        assert called.passed == "memory", called
        assert stage.honest()

    def test_files_in_memory_are_held_to_their_room(self, stage):
        called = stage.call("open('/tmp/x', 'wb').write(b'x' * 100_000_000)")
        assert "No space left" in called.output
        assert stage.honest()
        assert stage.warm.entered == stage.before


EVERYWHERE = """
import os
for number in range(3, 20):
    try: os.write(number, {})
    except OSError: pass
os._exit(0)
"""


class TestAnswers:
    def test_a_flood_of_output_passes_its_limit(self, made):
        stage = made(output_bytes=MiB)
        called = stage.call("while True: print('x' * 1000)")
        assert called.passed == "output"
        assert result_of(called) is None
        assert 0 < len(called.output) <= 65536
        assert stage.result("print('x' * 100_000)\nreturn 1") == 1
        assert stage.call("print('x' * 100)\nprint('last')").output.endswith("last\n")

    @pytest.mark.parametrize(
        ("code", "passed"),
        [
            ("return 'x' * 2_000_000", "output"),
            (EVERYWHERE.format("b'x' * 3_000_000"), "output"),
            (EVERYWHERE.format("b'[' * 500_000 + b'\\n'"), ""),
            (EVERYWHERE.format("b'1' * 500_000 + b'\\n'"), ""),
            (EVERYWHERE.format("b'\\xff\\0{{\\n'"), ""),
            ("import os\nos._exit(0)", ""),
        ],
        ids=["large", "larger", "deep", "long number", "no JSON", "none"],
    )
    def test_what_is_no_result_is_none(self, stage, code, passed):
        called = stage.call(code)
        assert (called.passed, result_of(called)) == (passed, None)
        assert stage.honest()

    def test_what_json_cannot_say_is_the_candidates_exception(self, stage):
        for code in (
            "return {1, 2}",
            "x = []\nx.append(x)\nreturn x",
            "x = 1\nfor _ in range(100_000): x = [x]\nreturn x",
        ):
            called = stage.call(code)
            assert result_of(called) is None
            assert called.code == 1 or called.code < 0
        assert stage.result("return float('nan')") != 0
        assert stage.honest()

    def test_how_it_ended_is_told(self, stage):
        assert stage.call("raise ValueError('on purpose')").output.endswith("ValueError: on purpose\n")
        assert stage.call("import os\nos._exit(3)").code == 3
        assert stage.call("raise SystemExit('words')").output == "words\n"
        assert stage.call("raise SystemExit('words')").code == 1
        assert stage.call("import sys\nsys.exit()").code == 0
        assert stage.call("import os\nos.abort()").code == -6
        assert stage.call("raise KeyboardInterrupt").code == 1

    def test_its_seed_reaches_it_and_nothing_of_another(self, made):
        stage = made("import numpy\n" + EVALUATOR, environment={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})
        code = "import os, numpy\nreturn [os.environ['HEADWAY_SEED'], random.random(), numpy.random.rand()]"
        first, again, other = stage.result(code, 7), stage.result(code, 7), stage.result(code, 8)
        assert first == again
        assert first[0] == "7"
        assert all(a != b for a, b in zip(first, other, strict=True))

    def test_what_it_used_is_told_with_what_its_children_used(self, stage):
        burn = "import os, time\ndef burn():\n    end = time.process_time() + .2\n"
        burn += "    while time.process_time() < end: pass\n"
        called = stage.call(burn + "if os.fork() == 0:\n    burn(); os._exit(0)\nburn()\nos.wait()")
        assert called.cpu_seconds > 0.35
        wild = (
            burn
            + "if os.fork() == 0:\n    os.setsid(); burn(); time.sleep(60)\ntime.sleep(.8)\nx = bytearray(60_000_000)"
        )
        called = stage.call(wild)  # nobody waits for that child
        assert called.cpu_seconds > 0.15
        assert called.memory_bytes > 60_000_000

    def test_time_on_the_processor_is_limited(self, made):
        stage = made(cpu_seconds=1)
        assert stage.call("while True: pass").passed == "cpu"
        assert stage.honest()
