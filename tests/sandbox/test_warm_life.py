"""The life of a warm sandbox: hangs, thrown away, closed, and evaluators that cannot stay loaded in it."""

import os
import time
from pathlib import Path

import pytest

from headway.core import ExperimentError
from headway.sandbox import processes, protection
from tests.sandbox.warm_stage import EVALUATOR, HONEST, MiB, result_of

PROBLEM = protection().problem
pytestmark = pytest.mark.skipif(bool(PROBLEM), reason=f"no sandbox on this machine: {PROBLEM}")


class TestItsLife:
    def test_a_hang_is_ended_at_its_limit_and_five_more_run_at_once(self, made):
        stage = made(wall_seconds=0.5)
        called = stage.call("import time\ntime.sleep(60)")
        assert (called.passed, result_of(called)) == ("wall", None)
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
            assert result_of(called) in (None, "honest")
            assert called.passed in ("", "wall", "signal")
            assert stage.honest()
            assert stage.warm._running.pid != pid
        assert stage.warm.entered == 3

    def test_where_the_process_that_waits_for_a_candidate_is_gone_another_sandbox_is_entered_for_it(self, made):
        stage = made()
        for entered in (1, 2):
            assert stage.honest()
            assert stage.warm.entered == entered
            stage.warm.enter()
            (spare,) = processes.descendants(stage.warm._running.pid)
            os.kill(spare, 9)
            deadline = time.monotonic() + 2
            while stage.warm._running.step():
                assert time.monotonic() < deadline
        assert stage.honest()

    def test_where_nobody_asks_any_more_all_processes_end(self, made):
        stage = made()
        assert stage.honest()
        server = stage.warm._running.pid
        stage.warm._link.close()
        deadline = time.monotonic() + 2
        while processes.start_time(server) is not None and stage.warm._running.step(0.05):
            assert time.monotonic() < deadline

    @pytest.mark.slow
    def test_whoever_leaves_too_much_to_clear_away_costs_the_next_no_time_of_its_own(self, made):
        stage = made(wall_seconds=5, scratch_bytes=256 * MiB)
        stage.call("for n in range(200_000): open(f'/tmp/{n}', 'w').close()")
        called = stage.call("import time\nreturn 1")
        assert (result_of(called), called.passed) == (1, "")
        assert called.wall_seconds < 1

    @pytest.mark.slow
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

    def test_modules_are_loaded_for_candidates_where_they_can_be(self, made):
        stage = made(modules=("wave", "no.such_module"))
        assert stage.result("import sys\nreturn ['wave' in sys.modules, 'sunau' in sys.modules]") == [True, False]

    def test_files_that_its_imports_write_are_as_they_were_for_each(self, made):
        stage = made(
            "import os\nos.makedirs('/tmp/cache/deep')\nopen('/tmp/cache/deep/x', 'w').write('whole')\n" + EVALUATOR
        )
        read = "return open('/tmp/cache/deep/x').read()"
        assert stage.result(read) == "whole"
        for code in (
            "open('/tmp/cache/deep/x', 'w').write('mine')",
            "import mmap\nf = open('/tmp/cache/deep/x', 'r+b'); mmap.mmap(f.fileno(), 5)[:4] = b'mine'",
            "import os\nos.rename('/tmp/cache', '/tmp/c'); os.makedirs('/tmp/cache/deep')\n"
            "open('/tmp/cache/deep/x', 'w').write('mine')",
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
