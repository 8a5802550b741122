"""What one candidate can do to the next one in a warm sandbox, to its server, and to the host. Each is tried for real."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

from headway.core import ExperimentError
from headway.sandbox import Sandbox, SandboxLimits, WarmSandbox, interpreter_paths, processes, protection

PROBLEM = protection().problem
pytestmark = pytest.mark.skipif(bool(PROBLEM), reason=f"no sandbox on this machine: {PROBLEM}")

MiB = 1024**2
DRIVER = """
import importlib.util
def prepare(evaluator):
    spec = importlib.util.spec_from_file_location("evaluator", evaluator)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda request: module.evaluate(request["program"])
"""
EVALUATOR = """
import random
KNOWN = {"best": 1}
def evaluate(path):
    names = {"KNOWN": KNOWN, "random": random}
    exec(compile(open(path).read(), path, "exec"), names)
    return names["f"]()
"""
HONEST = "def f(): return 'honest'"


class Stage:
    """A warm sandbox, and the folder that it is made of."""

    def __init__(self, root, evaluator=EVALUATOR, *, environment=None, **limits):
        self.root = root
        self.tree = root / "tree"
        self.tree.mkdir(parents=True)
        (root / "driver.py").write_text(DRIVER)
        (self.tree / "evaluator.py").write_text(evaluator)
        (self.tree / "data").mkdir()
        (self.tree / "data" / "labels").write_text("labels")
        (self.tree / "link").symlink_to("data/labels")
        given = {"wall_seconds": 10, "memory_bytes": 512 * MiB, "processes": 64, "scratch_bytes": 64 * MiB}
        sandbox = Sandbox(
            root=root,
            readable=interpreter_paths(sys.executable),
            scratch=("tree",),
            environment={"PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            limits=SandboxLimits(**{**given, **limits}),
        )
        words = [str(self.tree / "evaluator.py")]
        self.warm = WarmSandbox(sandbox, sys.executable, root / "driver.py", self.tree, words)

    def call(self, body, seed=0):
        """Evaluate a candidate: the body of a function, with an indentation."""
        text = (
            body if body.startswith("def f") else f"def f():\n    {body.strip().replace(chr(10), chr(10) + '    ')}\n"
        )
        argument = {"program": str(self.tree / "program.py")}
        return self.warm.call({"program.py": text}, seed=seed, argument=argument)

    def result(self, body, seed=0):
        called = self.call(body, seed)
        assert (called.code, called.passed) == (0, ""), (called, called.output)
        return called.result

    def honest(self):
        """Tell that the next candidate runs as if nobody had been there before."""
        called = self.call(HONEST)
        assert (called.code, called.passed, called.result) == (0, "", "honest"), called
        assert called.wall_seconds < 2
        return True


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp("warm"))
    with stage.warm:
        yield stage


@pytest.fixture
def stage(shared):
    """Give each test the same sandbox, entered, and tell how often it has been entered before."""
    shared.warm.enter()
    shared.before = shared.warm.entered
    return shared


@pytest.fixture
def made(tmp_path):
    """Make sandboxes of a test's own."""
    stages = []

    def make(*arguments, **options):
        stages.append(Stage(tmp_path / str(len(stages)), *arguments, **options))
        return stages[-1]

    yield make
    for item in stages:
        item.warm.close()


LISTING = """
import os
found = []
for top in ("/tmp", "/dev/shm", "."):
    for folder, folders, files in os.walk(top):
        found += [os.path.join(folder, name) for name in files + folders]
return sorted(found)
"""


class TestFiles:
    @pytest.mark.parametrize(
        "code",
        [
            "for top in ('/tmp', '/dev/shm', '.'): open(top + '/left', 'w').write('x')",
            "for top in ('/tmp', '/dev/shm', '.'):\n    os.makedirs(top + '/a/b'); open(top + '/a/b/c', 'w').write('x')\n"
            "    os.chmod(top + '/a/b', 0); os.chmod(top + '/a', 0o500)",
            "for top in ('/tmp', '/dev/shm', '.'):\n    here = os.open(top, os.O_RDONLY)\n    for depth in range(1500):\n"
            "        os.mkdir('d' * 100, dir_fd=here); new = os.open('d' * 100, os.O_RDONLY, dir_fd=here)\n"
            "        os.close(here); here = new\n    os.close(here)",
            "for top in (b'/tmp', b'/dev/shm', b'.'):\n    for name in (b'\\xff\\xfe', b'new\\nline', b' ', b'-rf', b'\\x01', b'..x', b'*'):\n"
            "        open(top + b'/' + name, 'w').close(); os.mkdir(top + b'/' + name + b'd')",
            "for top in ('/tmp', '/dev/shm', '.'):\n    os.symlink('/usr', top + '/l'); os.symlink('data', top + '/m')\n"
            "    os.symlink('nowhere', top + '/n'); os.symlink('l', top + '/k'); os.mkdir(top + '/d'); os.symlink('/tmp', top + '/d/t')",
            "for top in ('/tmp', '/dev/shm', '.'):\n    open(top + '/one', 'w').write('x'); os.link(top + '/one', top + '/two')",
            "for top in ('/tmp', '/dev/shm', '.'):\n    os.mkfifo(top + '/fifo'); s = socket.socket(socket.AF_UNIX)\n"
            "    s.bind(top + '/socket'); s.listen()",
            "for top in ('/tmp', '/dev/shm', '.'):\n    [open(f'{top}/{n}', 'w').close() for n in range(2000)]",
        ],
        ids=["plain", "locked", "deep", "names", "links", "hard links", "special", "many"],
    )
    def test_what_a_candidate_leaves_is_gone_for_the_next(self, stage, code):
        before = stage.result(LISTING)
        stage.result(f"import os, socket\n{code}")
        assert stage.result(LISTING) == before
        assert stage.warm.entered == stage.before
        assert (stage.tree / "data" / "labels").read_text() == "labels"
        assert sorted(os.listdir(stage.tree)) == ["data", "evaluator.py", "link"]

    def test_a_scratch_folder_with_other_rights_attributes_or_times_is_put_back(self, stage):
        look = "import os\nreturn [[(s := os.stat(top)).st_mode, top > '/' and s.st_mtime_ns, os.access(top, os.W_OK), "
        look += "sorted(os.listxattr(top))] for top in ('/tmp', '/dev/shm', '.')]"
        before = stage.result(look)
        stage.result("import os\nfor top in ('/tmp', '/dev/shm', '.'): os.utime(top, (5, 5))")
        assert stage.result(look) == before
        stage.result("import os\nfor top in ('/tmp', '/dev/shm', '.'): os.chmod(os.path.realpath(top), 0o555)")
        assert stage.result(look) == before
        stage.call("import os\nfor top in ('/tmp', '/dev/shm', '.'): os.setxattr(top, 'user.left', b'x')")
        assert stage.result(look) == before

    def test_a_link_of_the_repository_leads_where_it_did(self, stage):
        stage.result("import os\nos.unlink('link'); open('link', 'w').write('mine')")
        assert stage.result("return open('link').read()") == "labels"
        stage.result("import os\nos.unlink('link'); os.symlink('/etc/passwd', 'link')")
        assert stage.result("return open('link').read()") == "labels"

    def test_a_folder_above_what_is_shown_cannot_be_put_in_its_place(self, stage):
        top = "/" + "/".join(stage.tree.parts[1:3])
        code = f"import os\nos.rename({top!r}, '/tmp/away')\nos.makedirs({str(stage.tree)!r})\n"
        code += f"open({str(stage.tree / 'evaluator.py')!r}, 'w').write('mine')"
        called = stage.call(code)
        assert called.code in (0, 1)
        assert stage.result("return open('evaluator.py').read()") == EVALUATOR
        assert stage.result(f"import os\nreturn os.path.samefile('.', {str(stage.tree)!r})")

    def test_a_folder_on_the_way_to_the_tree_keeps_nothing(self, stage):
        if stage.tree.parts[1] != "tmp":
            pytest.skip("the tree does not lie in a scratch folder here")
        code = f"import os\nopen({str(stage.tree.parents[1] / 'left')!r}, 'w').write('x')"
        stage.call(code)
        assert "left" not in stage.result(f"import os\nreturn os.listdir({str(stage.tree.parents[1])!r})")

    def test_a_file_that_is_open_and_deleted_takes_no_memory_from_the_next(self, made):
        stage = made()
        fill = "import os\nf = open('/tmp/x', 'wb'); os.unlink('/tmp/x'); f.write(b'x' * 60_000_000); f.flush()\n"
        for _ in range(20):  # together more than it may use
            stage.result(fill + "if os.fork() == 0:\n    os.setsid(); import time; time.sleep(60)\nreturn 1")
        assert stage.warm.entered == 1

    def test_files_and_folders_of_the_repository_cannot_be_written(self, stage):
        for code in (
            "open('evaluator.py', 'a')",
            "open('data/new', 'w')",
            "os.rename('data', 'x')",
            "os.unlink('evaluator.py')",
        ):
            called = stage.call(f"import os\n{code}")
            assert called.code == 1
            assert "Error: [Errno" in called.output
        assert stage.honest()

    def test_what_lies_in_the_way_of_a_candidates_file_fails_that_candidate_alone(self, stage):
        called = stage.warm.call({"data/program.py": HONEST}, seed=0, argument={"program": "x"})
        assert (called.code, called.passed) == (1, "")
        assert "Read-only file system" in called.output
        assert stage.honest()
        assert stage.warm.entered == stage.before


class TestProcesses:
    @pytest.mark.parametrize(
        "code",
        [
            "subprocess.Popen(['sleep', '61.25'], start_new_session=True)",
            "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(61)\n    os._exit(0)",
            "if os.fork() == 0:\n    for n in range(1, 32):\n        if n not in (9, 19): signal.signal(n, signal.SIG_IGN)\n    time.sleep(61)",
            "pid = os.fork()\nif pid == 0: time.sleep(61)\nos.kill(pid, signal.SIGSTOP)",
            "import ctypes\nif os.fork() == 0:\n    ctypes.CDLL(None).prctl(36, 1)\n    if os.fork() == 0: time.sleep(61)\n    time.sleep(61)",
            "import threading\nthreading.Thread(target=time.sleep, args=(61,), daemon=True).start()",
        ],
        ids=["session", "double fork", "ignores signals", "stopped", "subreaper", "thread"],
    )
    def test_what_a_candidate_started_is_gone_when_its_result_is_there(self, stage, code):
        inside = (
            "import os\nreturn sorted(int(n) for n in os.listdir('/proc') if n.isdigit() and int(n) != os.getpid())"
        )
        assert stage.result(f"import os, signal, subprocess, time\n{code}\nreturn 7") == 7
        deadline = time.monotonic() + 1
        while len(left := processes.descendants(stage.warm._running.pid)) > 1:  # the spare alone
            assert time.monotonic() < deadline, left
        assert stage.result(inside) == [1]
        assert stage.warm.entered == stage.before

    def test_one_that_keeps_the_pipes_open_holds_nothing_up(self, stage):
        began = time.monotonic()
        code = "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(61)\nprint('said')\nreturn 3"
        called = stage.call(code)
        assert (called.result, called.output) == (3, "said\n")
        flood = "import os\nif os.fork() == 0:\n    while True: os.write(1, b'x' * 65536)\nreturn 4"
        assert stage.call(flood).result in (4, None)
        assert time.monotonic() - began < 5
        assert stage.honest()

    def test_nobody_can_end_or_stop_the_server(self, stage):
        for code in (
            "os.kill(-1, signal.SIGKILL)",
            "[os.kill(1, number) for number in range(1, 65) if number not in (32, 33)]",
            "os.kill(os.getppid(), signal.SIGSTOP)",
            "os.killpg(1, signal.SIGKILL)",
            "signal.pidfd_send_signal(os.pidfd_open(1), signal.SIGKILL)",
        ):
            called = stage.call(f"import os, signal\ntry:\n    {code}\nexcept OSError: pass\nreturn 5")
            assert called.code in (0, -9), called
            assert stage.honest()
        assert stage.warm.entered == stage.before

    def test_a_signal_that_the_evaluator_handles_does_not_reach_it_in_the_server(self, made):
        handler = "\nimport signal\ndef handle(*_):\n    KNOWN['best'] = 2\nsignal.signal(signal.SIGUSR1, handle)\n"
        stage = made(EVALUATOR + handler)
        code = "import os, signal, time\nos.kill(1, signal.SIGUSR1); os.kill(1, signal.SIGINT)\nreturn KNOWN['best']"
        assert stage.result(code) == 1
        assert stage.result("return KNOWN['best']") == 1
        assert stage.result("import os, signal\nos.kill(os.getpid(), signal.SIGUSR1)\nreturn KNOWN['best']") == 2
        assert stage.warm.entered == 1

    def test_a_fork_bomb_ends_with_its_candidate(self, made):
        stage = made(wall_seconds=2)
        called = stage.call("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass")
        assert called.passed in ("wall", "processes")
        assert stage.honest()
        called = stage.call("import os\nwhile True: os.fork()")
        assert called.code != 0 or called.passed
        assert stage.honest()

    def test_limits_priority_and_processors_of_the_server_are_not_the_next_ones(self, stage):
        look = "import os, resource\nreturn [resource.getrlimit(resource.RLIMIT_NOFILE), os.getpriority(0, 0), "
        look += "sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0)]"
        before = stage.result(look)
        for code in (
            "resource.prlimit(1, resource.RLIMIT_NOFILE, (9, 9))",
            "resource.prlimit(1, resource.RLIMIT_CPU, (1, 1))",
            "os.setpriority(os.PRIO_PROCESS, 1, 15)",
            "os.sched_setaffinity(1, {min(os.sched_getaffinity(0))})",
            "os.sched_setscheduler(1, os.SCHED_BATCH, os.sched_param(0))",
        ):
            stage.call(f"import os, resource\n{code}")
            assert stage.result(look) == before

    def test_what_a_process_has_of_its_own_ends_with_it(self, stage):
        look = "import os, signal\nmask = os.umask(0)\nos.umask(mask)\nreturn [mask, os.getcwd(), "
        look += "os.environ.get('LEFT'), signal.getitimer(signal.ITIMER_REAL), os.getsid(0) == os.getpid()]"
        before = stage.result(look)
        code = "import os, signal, fcntl\nos.umask(0o777); os.environ['LEFT'] = 'x'; signal.alarm(1)\n"
        code += "fcntl.flock(os.open('evaluator.py', os.O_RDONLY), fcntl.LOCK_EX); os.chdir('/')"
        stage.result(code)
        assert stage.result(look) == before
        assert (
            stage.result("import fcntl\nfcntl.flock(open('evaluator.py'), fcntl.LOCK_EX | fcntl.LOCK_NB)\nreturn 1")
            == 1
        )
        time.sleep(1.1)
        assert stage.honest()


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
        code += "    try: found[n] = os.readlink('/proc/self/fd/' + n).split(':')[0]\n    except OSError: pass\nreturn found"
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
arguments = (b"left", 0o102, 0o600, None) if {call!r} == "mq_open" else (77, 1, 0o1600) if {call!r} != "msgget" else (77, 0o1600)
return [libc.syscall(number, *arguments), ctypes.get_errno()]
"""
        assert stage.result(code) == [-1, 38]

    def test_keys_cannot_be_kept(self, stage):
        code = "import ctypes\nlibc = ctypes.CDLL(None)\nreturn [libc.syscall(n, b'user', b'left', b'x', 1, -3) for n in (248, 250)]"
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


class TestAnswers:
    def test_a_flood_of_output_passes_its_limit(self, made):
        stage = made(output_bytes=MiB)
        called = stage.call("while True: print('x' * 1000)")
        assert called.passed == "output"
        assert called.result is None
        assert 0 < len(called.output) <= 65536
        assert stage.result("print('x' * 100_000)\nreturn 1") == 1
        assert stage.call("print('x' * 100)\nprint('last')").output.endswith("last\n")

    @pytest.mark.parametrize(
        ("code", "passed"),
        [
            ("return 'x' * 2_000_000", "output"),
            (
                "import os\nfor n in range(3, 20):\n    try: os.write(n, b'x' * 3_000_000)\n    except OSError: pass\nos._exit(0)",
                "output",
            ),
            (
                "import os\nfor n in range(3, 20):\n    try: os.write(n, b'[' * 500_000)\n    except OSError: pass\nos._exit(0)",
                "",
            ),
            (
                "import os\nfor n in range(3, 20):\n    try: os.write(n, b'1' * 500_000)\n    except OSError: pass\nos._exit(0)",
                "",
            ),
            (
                "import os\nfor n in range(3, 20):\n    try: os.write(n, b'\\xff\\0{')\n    except OSError: pass\nos._exit(0)",
                "",
            ),
            ("import os\nos._exit(0)", ""),
        ],
        ids=["large", "larger", "deep", "long number", "no JSON", "none"],
    )
    def test_what_is_no_result_is_none(self, stage, code, passed):
        called = stage.call(code)
        assert (called.passed, called.result) == (passed, None)
        assert stage.honest()

    def test_what_json_cannot_say_is_the_candidates_exception(self, stage):
        for code in (
            "return {1, 2}",
            "x = []\nx.append(x)\nreturn x",
            "x = 1\nfor _ in range(100_000): x = [x]\nreturn x",
        ):
            called = stage.call(code)
            assert called.result is None
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
        burn = "import os, time\ndef burn():\n    end = time.process_time() + .2\n    while time.process_time() < end: pass\n"
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


class TestItsLife:
    def test_a_hang_is_ended_at_its_limit_and_five_more_run_at_once(self, made):
        stage = made(wall_seconds=0.5)
        called = stage.call("import time\ntime.sleep(60)")
        assert (called.passed, called.result) == ("wall", None)
        assert 0.5 <= called.wall_seconds < 1.5
        began = time.monotonic()
        assert [stage.result(f"return {n}") for n in range(5)] == [0, 1, 2, 3, 4]
        assert time.monotonic() - began < 0.5
        assert stage.warm.entered == 1

    def test_where_the_server_is_stopped_or_ended_from_outside_another_sandbox_is_entered(self, made):
        stage = made(wall_seconds=0.3)
        for number in (19, 9):
            assert stage.honest()
            stage.warm.enter()
            pid = stage.warm._running.pid
            os.kill(pid, number)
            called = stage.call(HONEST)
            assert called.result in (None, "honest")
            assert called.passed in ("", "wall", "signal")
            assert stage.honest()
            assert stage.warm._running.pid != pid
        assert stage.warm.entered == 3

    def test_whoever_leaves_too_much_to_clear_away_costs_the_next_no_time_of_its_own(self, made):
        stage = made(wall_seconds=5, scratch_bytes=256 * MiB)
        stage.call("for n in range(200_000): open(f'/tmp/{n}', 'w').close()")
        called = stage.call("import time\nreturn 1")
        assert (called.result, called.passed) == (1, "")
        assert called.wall_seconds < 1

    def test_two_hundred_calls_leave_no_process_descriptor_or_control_group(self, made):
        stage = made()
        stage.honest()
        before, groups = len(os.listdir("/proc/self/fd")), control_groups()
        inside = "import os\nreturn [len(os.listdir('/proc/self/fd')), len(os.listdir('/proc'))]"
        opened = stage.result(inside)
        for number in range(200):
            assert stage.result(f"import os\nos.fork() or os._exit(0)\nreturn {number}") == number
        assert stage.result(inside) == opened
        assert len(os.listdir("/proc/self/fd")) == before
        assert control_groups() == groups
        family = {pid: processes.start_time(pid) or 0.0 for pid in processes.descendants(stage.warm._running.pid)}
        server = stage.warm._running.pid
        stage.warm.close()
        assert not [pid for pid, started in family.items() if processes.alive(pid, started)]
        assert processes.start_time(server) is None
        assert len(set(control_groups())) == len(set(groups)) - bool(groups)
        assert stage.warm.entered == 1

    def test_a_closed_one_is_entered_again(self, made):
        stage = made()
        stage.warm.close()
        stage.warm.close()
        assert stage.honest()
        stage.warm.close()
        assert stage.honest()
        stage.warm.enter()
        stage.warm.enter()
        assert stage.honest()
        assert stage.warm.entered == 2


def control_groups():
    return sorted(path.name for path in Path("/sys/fs/cgroup").glob(f"*/**/headway-sandbox-{os.getpid()}-*"))


class TestEvaluators:
    @pytest.mark.parametrize(
        ("imports", "words"),
        [
            (
                "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
                "start threads",
            ),
            ("import subprocess\nsubprocess.Popen(['sleep', '60'])", "start processes"),
            ("FILE = open(__file__)", "leave .*evaluator.py open"),
            ("import tempfile\nFILE = tempfile.TemporaryFile()", "open"),
            ("import os\nENDS = os.pipe()", "leave pipe:.* open"),
            ("import socket\nS = socket.socket()", "leave socket:.* open"),
            ("import mmap\nM = mmap.mmap(-1, 4096)", "share memory"),
            ("import multiprocessing\nV = multiprocessing.Value('i')", "open|share memory"),
            ("open('/tmp/x', 'wb').write(b'x' * 20_000_000)", "write .* bytes"),
            ("import os\nos.mkfifo('/tmp/fifo')", "no plain file"),
            ("NOISE = random.random()", "draw random numbers"),
            ("NOISE = random.random()\nrandom.seed(1)", "draw random numbers"),
            ("import os\nSEED = int(os.environ['HEADWAY_SEED'])", "ask for HEADWAY_SEED"),
            ("import os\nSEED = os.getenv('HEADWAY_SEED', 0)", "ask for HEADWAY_SEED"),
        ],
    )
    def test_one_whose_forks_would_share_something_does_not_stay_loaded(self, made, imports, words):
        stage = made(f"import random\n{imports}\n{EVALUATOR}")
        stage.warm.enter()
        assert stage.warm.unfit
        with pytest.raises(ExperimentError, match=f"cannot stay loaded: its imports .*({words})"):
            stage.honest()
        assert stage.warm.entered == 1

    def test_one_that_seeds_reads_the_environment_or_a_random_device_stays_loaded(self, made):
        imports = "import os, random\nrandom.seed(42)\nNOISE = random.random()\nALL = dict(os.environ)\n"
        stage = made(imports + "R = open('/dev/urandom', 'rb')\nprint('loaded')\n" + EVALUATOR)
        assert stage.honest()
        assert stage.call(HONEST).output == ""

    def test_files_that_its_imports_write_are_as_they_were_for_each(self, made):
        stage = made(
            "import os\nos.makedirs('/tmp/cache/deep')\nopen('/tmp/cache/deep/x', 'w').write('whole')\n" + EVALUATOR
        )
        read = "return open('/tmp/cache/deep/x').read()"
        assert stage.result(read) == "whole"
        for code in (
            "open('/tmp/cache/deep/x', 'w').write('mine')",
            "import mmap\nf = open('/tmp/cache/deep/x', 'r+b'); mmap.mmap(f.fileno(), 5)[:4] = b'mine'",
            "import os\nos.rename('/tmp/cache', '/tmp/c'); os.makedirs('/tmp/cache/deep'); open('/tmp/cache/deep/x', 'w').write('mine')",
            "import shutil\nshutil.rmtree('/tmp/cache')",
        ):
            stage.result(code)
            assert stage.result(read) == "whole"
        entered = stage.warm.entered
        stage.result("open('/tmp/cache/deep/y', 'w').write('mine')\nimport os\nos.chmod('/tmp/cache/deep', 0)")
        assert stage.result("import os\nreturn os.listdir('/tmp/cache/deep')") == ["x"]
        assert stage.warm.entered == entered == 5

    @pytest.mark.parametrize(
        ("evaluator", "words"),
        [
            ("import nothing_of_the_kind", "ModuleNotFoundError: No module named 'nothing_of_the_kind'"),
            ("def evaluate(:", "SyntaxError"),
            ("raise SystemExit(3)", "SystemExit: 3"),
            (
                "import os\nprint('last words', flush=True)\nos._exit(4)",
                "it ended, or did not get ready in time.\nlast words",
            ),
        ],
    )
    def test_one_that_cannot_be_loaded_says_why(self, made, evaluator, words):
        stage = made(evaluator)
        for _ in range(2):
            with pytest.raises(ExperimentError) as caught:
                stage.honest()
            assert words in str(caught.value)
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(ExperimentError):
            stage.warm.enter()
        assert len(os.listdir("/proc/self/fd")) == before
