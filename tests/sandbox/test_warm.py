"""What a candidate can do to the next one in a warm sandbox: by files, and by processes. Each is tried for real."""

import os
import time

import pytest

from headway.sandbox import processes, protection
from tests.sandbox.warm_stage import EVALUATOR, HONEST, result_of

PROBLEM = protection().problem
pytestmark = pytest.mark.skipif(bool(PROBLEM), reason=f"no sandbox on this machine: {PROBLEM}")


LISTING = """
import os
found = []
for top in ("/tmp", "/dev/shm", "."):
    here = os.lstat(top).st_dev  # what is mounted, such as a Python that lies below /tmp, was there before
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if os.lstat(os.path.join(folder, name)).st_dev == here]
        found += [os.path.join(folder, name) for name in files + folders]
return sorted(found)
"""


class TestFiles:
    @pytest.mark.parametrize(
        "code",
        [
            "for top in TOPS: open(top + '/left', 'w').write('x')",
            """
for top in TOPS:
    os.makedirs(top + '/a/b'); open(top + '/a/b/c', 'w').write('x')
    os.chmod(top + '/a/b', 0); os.chmod(top + '/a', 0o500)
""",
            """
for top in TOPS:
    here = os.open(top, os.O_RDONLY)
    for depth in range(1500):
        os.mkdir('d' * 100, dir_fd=here); new = os.open('d' * 100, os.O_RDONLY, dir_fd=here)
        os.close(here); here = new
    os.close(here)
""",
            """
for top in map(os.fsencode, TOPS):
    for name in (b'\\xff\\xfe', b'new\\nline', b' ', b'-rf', b'\\x01', b'..x', b'*'):
        open(top + b'/' + name, 'w').close(); os.mkdir(top + b'/' + name + b'd')
""",
            """
for top in TOPS:
    for to, name in (('/usr', 'l'), ('data', 'm'), ('nowhere', 'n'), ('l', 'k')): os.symlink(to, f'{top}/{name}')
    os.mkdir(top + '/d'); os.symlink('/tmp', top + '/d/t')
""",
            "for top in TOPS: open(top + '/one', 'w').write('x'); os.link(top + '/one', top + '/two')",
            """
for top in TOPS:
    os.mkfifo(top + '/fifo'); s = socket.socket(socket.AF_UNIX); s.bind(top + '/socket'); s.listen()
""",
            "for top in TOPS: [open(f'{top}/{n}', 'w').close() for n in range(2000)]",
        ],
        ids=["plain", "locked", "deep", "names", "links", "hard links", "special", "many"],
    )
    def test_what_a_candidate_leaves_is_gone_for_the_next(self, stage, code):
        before = stage.result(LISTING)
        stage.result(f"import os, socket\nTOPS = ('/tmp', '/dev/shm', '.')\n{code}")
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
        assert [attributes for *_, attributes in stage.result(look)] == [[], [], []]

    @pytest.mark.parametrize(
        "code",
        [
            "open(top + '/left', 'w').close()",
            "open(top + '/left', 'w').close(); os.utime(top, ns=(was.st_atime_ns, was.st_mtime_ns))",
            "os.mkdir(top + '/left'); os.rename(top + '/left', top + '/left2')",
            "os.chmod(os.path.realpath(top), 0o700)",
            "os.utime(top, ns=(was.st_atime_ns, 5))",
            "os.listdir(top)",
        ],
        ids=["file", "file and times", "folder", "rights", "times", "look"],
    )
    def test_a_folder_that_nobody_changed_for_long_is_put_back_all_the_same(self, stage, code):
        look = (
            "import os\nreturn [[(s := os.stat(top)).st_mode, s.st_mtime_ns, s.st_atime_ns, sorted(os.listxattr(top)), "
        )
        look += "os.listdir(top)] for top in ('/tmp', '/dev/shm')]"
        change = f"import os\nfor top in ('/tmp', '/dev/shm'):\n    was = os.stat(top); {code}"
        assert stage.honest()
        before = stage.result(look)
        for _ in range(2):
            for _ in range(3):
                time.sleep(0.15)
                assert stage.honest()
            stage.result(change)
            assert stage.result(look) == before
        stage.call("import os\nos.setxattr('/tmp', 'user.left', b'x')")
        assert stage.result("import os\nreturn os.listxattr('/tmp')") == []

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

    @pytest.mark.slow
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
            """
if os.fork() == 0:
    for n in range(1, 32):
        if n not in (9, 19): signal.signal(n, signal.SIG_IGN)
    time.sleep(61)
""",
            "pid = os.fork()\nif pid == 0: time.sleep(61)\nos.kill(pid, signal.SIGSTOP)",
            """
import ctypes
if os.fork() == 0:
    ctypes.CDLL(None).prctl(36, 1)
    if os.fork() == 0: time.sleep(61)
    time.sleep(61)
""",
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
        assert (result_of(called), called.output) == (3, "said\n")
        flood = "import os\nif os.fork() == 0:\n    while True: os.write(1, b'x' * 65536)\nreturn 4"
        assert result_of(stage.call(flood)) in (4, None)
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
