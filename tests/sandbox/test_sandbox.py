"""What an untrusted command can and cannot do. Each attack is tried from inside, and its success would be seen."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from headway.core import UsageError
from headway.sandbox import Sandbox, SandboxLimits, interpreter_paths, processes, protection

PROBLEM = protection().problem
pytestmark = pytest.mark.skipif(bool(PROBLEM), reason=f"no sandbox on this machine: {PROBLEM}")

MiB = 1024**2


@pytest.fixture
def world(tmp_path):
    """Lay out a worktree, and beside it what a candidate must not reach."""
    root = tmp_path / "trials" / "1"
    root.mkdir(parents=True)
    (root / "train.py").write_text("print(1)")
    (root / "prepare.py").write_text("honest")
    (root / "data").mkdir()
    (root / "data" / "labels").write_text("honest")
    (root / "out").mkdir()
    (root / ".git").write_text("gitdir: elsewhere")
    (root / ".headway").mkdir()
    (root / ".headway" / "store.sqlite").write_text("record")
    other = tmp_path / "trials" / "2"
    other.mkdir()
    (other / "secret").write_text("other trial")
    return root


def python(root, code, *words, limits=None, **options):
    sandbox = Sandbox(
        root=root,
        readable=interpreter_paths(sys.executable),
        limits=limits or SandboxLimits(wall_seconds=30, memory_bytes=512 * MiB),
        **{name: options.pop(name) for name in list(options) if name not in ("keep", "into", "merge", "on_output")},
    )
    return sandbox.run([sys.executable, "-I", "-c", code, *map(str, words)], **options)


def shell(root, code, *, limits=None, **options):
    limits = limits or SandboxLimits(wall_seconds=30)
    return Sandbox(root=root, limits=limits, **options).run(["/bin/sh", "-c", code])


ATTEMPT = """
import os, sys, socket, ctypes
def attempt(what):
    try: print("did it:", what())
    except OSError as error: print("refused:", error)
"""


def test_an_honest_command_runs_and_its_files_are_taken(world, tmp_path):
    code = "import sys; open('model', 'w').write('weights'); print('to out'); print('to err', file=sys.stderr)"
    code += "; sys.exit(3)"
    ended = python(world, code, scratch=["."], keep=["model"], into=tmp_path / "taken")
    assert (ended.reason, ended.code, ended.signal) == ("exit", 3, None)
    assert (ended.stdout, ended.stderr) == (b"to out\n", b"to err\n")
    assert ended.kept.files == ("model",)
    assert (tmp_path / "taken" / "model").read_text() == "weights"
    assert not (world / "model").exists()  # the host's folder was never written
    assert 0 < ended.cpu_seconds < 10
    assert ended.peak_memory_bytes > MiB


def test_streams_are_merged_in_their_order(world):
    seen = []
    sandbox = Sandbox(root=world)
    ended = sandbox.run(["sh", "-c", "echo 1; echo 2 >&2; echo 3"], merge=True, on_output=seen.append)
    assert ended.stdout == b"".join(seen) == b"1\n2\n3\n"


def test_a_signal_and_a_missing_program_are_told(world):
    ended = shell(world, "kill -SEGV $$")
    assert (ended.reason, ended.code, ended.signal) == ("signal", None, signal.SIGSEGV)
    assert Sandbox(root=world).run(["no-such-program"]).code == 127
    assert Sandbox(root=world).run(["exit"]).code == 127  # a word of the shell is no program


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_no_socket_reaches_this_machine(world, kind):
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        if kind == socket.SOCK_STREAM:
            server.listen()
        code = ATTEMPT + f"s = socket.socket(socket.AF_INET, {int(kind)}); s.settimeout(2)\n"
        code += "attempt(lambda: (s.connect(('127.0.0.1', int(sys.argv[1]))), s.send(b'x')))"
        ended = python(world, code, server.getsockname()[1])
        assert ended.code == 0
        with pytest.raises(TimeoutError):
            server.accept() if kind == socket.SOCK_STREAM else server.recv(1)


def test_no_socket_reaches_the_world_or_the_hypervisor(world):
    code = ATTEMPT + (
        "for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
        "    attempt(lambda: socket.socket(socket.AF_INET, kind).connect(('192.0.2.1', 53)))\n"
        "attempt(lambda: socket.socket(40, socket.SOCK_STREAM))\n"  # AF_VSOCK
        "attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))\n"
        "attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))\n"
        "print(sorted(name for _, name in socket.if_nameindex()))"
    )
    lines = python(world, code).stdout.decode().splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == ["refused"] * 5
    assert "['lo']" in lines[-1]


def test_a_socket_of_the_host_in_the_file_system_is_not_there(world):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0headway-test-of-sandbox")  # an abstract name, which no file system hides
        server.listen()
        code = ATTEMPT + "attempt(lambda: socket.socket(socket.AF_UNIX).connect('\\0headway-test-of-sandbox'))"
        assert python(world, code).stdout.startswith(b"refused")


def test_nothing_is_written_outside(world):
    places = [world / "new", world / "train.py", "/usr/new", "/etc/new", "/new", "/dev/new", "/root/new", "/var/new"]
    for place in [*places, "/proc/sys/kernel/core_pattern", "/proc/self/oom_score_adj", "/proc/sysrq-trigger"]:
        ended = shell(world, f"true >> {place}")  # opened only: where this succeeds, the machine stays whole
        assert ended.code != 0, place
    shell(world, f"echo bad > {world.parent}/new; echo bad > /tmp/headway-new")  # a /tmp of its own
    assert not Path("/tmp/headway-new").exists()
    assert (world / "train.py").read_text() == "print(1)"
    assert not (world / "new").exists()
    assert not (world.parent / "new").exists()


def test_store_home_other_trials_and_keys_are_not_there(world, tmp_path):
    home = Path.home()
    code = "ls -A .headway; cat .headway/store.sqlite ../2/secret; ls -A " + f"{home} {home}/.ssh /run /sys /var /home"
    ended = shell(world, code)
    assert ended.stdout.replace(b"\n", b"").replace(f"{home}:".encode(), b"") == b""
    names = shell(world, f"ls -A {tmp_path} {world.parent}").stdout.split()
    assert set(names) == {f"{tmp_path}:".encode(), b"trials", f"{world.parent}:".encode(), b"1"}


def test_what_is_hidden_in_something_shown_is_not_there(world, tmp_path):
    data = tmp_path / "data"
    (data / "holdout").mkdir(parents=True)
    (data / "holdout" / "labels").write_text("private")
    (data / "key").write_text("private")
    (data / "train").write_text("public")
    ended = shell(
        world, f"cat {data}/train {data}/holdout/* {data}/key", readable=[data], hidden=[data / "holdout", data / "key"]
    )
    assert ended.stdout == b"public"


def test_secrets_of_the_environment_are_not_there(world, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "a-secret-of-the-host")
    ended = shell(world, "env; cat /proc/*/environ", environment={"SEED": "7"})
    assert b"SEED=7" in ended.stdout
    assert b"a-secret-of-the-host" not in ended.stdout
    assert {line.split(b"=")[0] for line in shell(world, "env").stdout.splitlines()} == {
        *(b"PATH", b"HOME", b"TMPDIR", b"LANG", b"PWD")
    }


def test_a_read_only_file_cannot_be_replaced_nor_its_folder_moved(world):
    code = """
    echo bad > prepare.py; rm -f prepare.py; mv data/labels data/l2; mv data data2; rm -rf data .git
    mkdir -p data; echo bad > data/labels; ln -f prepare.py out/hard; echo bad > out/hard; ln data/labels out/labels
    mount -o remount,rw . ; umount prepare.py; umount -l data/labels; chmod 777 prepare.py
    echo fine > out/x; true"""
    ended = shell(world, code, writable=["."], readonly=["prepare.py", "data/labels"])
    assert ended.code == 0
    assert (world / "prepare.py").read_text() == "honest"
    assert (world / "prepare.py").stat().st_mode & 0o777 != 0o777
    assert (world / "data" / "labels").read_text() == "honest"
    assert (world / ".git").read_text() == "gitdir: elsewhere"
    assert (world / "out" / "x").read_text() == "fine\n"  # what is allowed works
    assert not (world / "data2").exists()


def test_a_link_out_of_the_worktree_leads_nowhere_and_is_not_taken(world, tmp_path):
    (tmp_path / "holdout").write_text("labels")
    code = (
        f"ln -s {tmp_path}/holdout out/model; cat out/model; ln -s {tmp_path} out/folder; mkfifo out/pipe; ln -s .. up"
    )
    code += "; mkdir out/sub; echo 1 > out/sub/plain; mknod out/null c 1 3; mknod out/disk b 254 0; true"
    sandbox = Sandbox(root=world, scratch=[".", "out"])
    ended = sandbox.run(["sh", "-c", code], keep=["out", "up/train.py", "/etc/passwd", "../2"], into=tmp_path / "taken")
    assert ended.stdout == b""
    assert ended.kept.files == ("out/sub/plain",)
    refused = " ".join(ended.kept.refused)
    for name in (
        "out/model: a link",
        "out/folder: a link",
        "out/pipe: a pipe",
        "up/train.py: a link",
        "/etc/passwd",
        "../2",
    ):
        assert name in refused
    assert "null" not in refused  # no device was made at all
    assert [path.name for path in (tmp_path / "taken").rglob("*") if path.is_file()] == ["plain"]


def test_a_link_of_an_earlier_run_does_not_widen_the_next_one(world):
    (world / "ckpt").symlink_to(world.parent / "2")
    with pytest.raises(UsageError, match="an earlier run may have made"):
        shell(world, "true", writable=["ckpt"])
    with pytest.raises(UsageError, match="leaves the sandbox's folder"):
        shell(world, "true", writable=["../2"])
    assert shell(world, "cat ckpt/secret", scratch=["."]).stdout == b""


def test_a_file_with_names_elsewhere_is_not_made_writable(world, tmp_path):
    (tmp_path / "cache").write_text("shared by all")
    os.link(tmp_path / "cache", world / "out" / "linked")
    with pytest.raises(UsageError, match="hard links"):
        shell(world, "true", writable=["out"])
    assert shell(world, "echo bad > out/linked", writable=["out"], readonly=["out/linked"]).code != 0
    assert (tmp_path / "cache").read_text() == "shared by all"


def test_what_is_left_in_a_writable_folder_harms_nobody(world):
    code = "cp /bin/true out/tool; chmod 6755 out/tool; mkfifo out/run.log; mkdir -p out/x/.git; ln -s / out/all"
    ended = shell(world, code, writable=["out"])
    assert (world / "out" / "tool").stat().st_mode & 0o7777 == 0o755
    assert not (world / "out" / "run.log").exists()
    assert len(ended.left) == 3
    assert Path("/usr/bin").is_dir()


FORK = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n"
# What a watch can be tried with: should it fail, this ends by itself, which a bomb does not, nor the machine under it.
FORK_SLOWLY = """
import os, time
for _ in range(300):
    if os.fork() == 0:
        time.sleep(9)
        os._exit(0)
    time.sleep(0.005)
"""


@pytest.mark.parametrize("limited", [True, False])
def test_forking_without_end_ends(world, monkeypatch, limited):
    """Once limited by the kernel, where it can; once by a watch, which a bomb would outrun."""
    if limited and protection().process_count != "limited":
        pytest.skip("no control group can be made here, so the kernel does not limit root's processes")
    if not limited:
        from headway.sandbox import groups

        monkeypatch.setattr(groups, "_own_groups", dict)
    before = len(list(Path("/proc").glob("[0-9]*")))
    limits = SandboxLimits(wall_seconds=1.5 if limited else 8, processes=40)
    code = FORK if limited else FORK_SLOWLY
    ended = python(world, code, limits=limits, environment={"MARK": f"fork-{os.getpid()}"})
    assert ended.reason in (("wall", "processes") if limited else ("processes",))
    assert ended.wall_seconds < 8
    assert processes.carrying(f"MARK=fork-{os.getpid()}") == []
    assert len(list(Path("/proc").glob("[0-9]*"))) < before + 30


def test_the_number_of_processes_is_limited(world):
    code = """
import os, time
made = 0
try:
    while made < 200:
        if os.fork() == 0: time.sleep(60)
        made += 1
except OSError: print("no more")
print(made)"""
    ended = python(world, code, limits=SandboxLimits(wall_seconds=20, processes=30))
    if protection().process_count == "limited":
        assert int(ended.stdout.split()[-1]) < 30
    else:
        assert ended.reason == "processes"


@pytest.mark.parametrize("place", ["out", "/tmp", "/dev/shm"])
def test_filling_the_disk_fails_inside(world, place):
    before = shutil.disk_usage(world).free
    code = f"for i in 1 2 3 4 5 6; do dd if=/dev/zero of={place}/$i bs=1M count=4 2>&1 || exit 9; done"
    ended = shell(world, code, scratch=["out"], limits=SandboxLimits(wall_seconds=20, scratch_bytes=10 * MiB))
    assert ended.code == 9
    assert b"No space left" in ended.stdout
    assert shutil.disk_usage(world).free > before - 8 * MiB
    assert list((world / "out").iterdir()) == []


def test_filling_a_folder_on_the_disk_ends_the_command(world):
    limits = SandboxLimits(wall_seconds=20, disk_bytes=5 * MiB, file_bytes=2 * MiB)
    code = "i=0; while true; do i=$((i+1)); head -c 1000000 /dev/urandom > out/$i; sleep 0.02; done"
    ended = shell(world, code, writable=["out"], limits=limits)
    assert ended.reason == "disk"
    assert sum(path.stat().st_size for path in (world / "out").iterdir()) < 60 * MiB


def test_a_file_grows_to_its_limit_only(world):
    code = "head -c 3000000 /dev/zero > out/big"
    ended = shell(world, code, writable=["out"], limits=SandboxLimits(wall_seconds=20, file_bytes=MiB))
    assert ended.code != 0 or ended.signal
    assert (world / "out" / "big").stat().st_size == MiB


def test_endless_output_ends_the_command(world):
    limits = SandboxLimits(wall_seconds=20, output_bytes=MiB)
    ended = shell(world, "head -c 1000000000 /dev/zero", limits=limits)
    assert ended.reason == "output"
    assert len(ended.stdout) == MiB


HOG = "held = []\nwhile True: held.append(bytearray(b'x' * 10_000_000))"
SPLIT_HOG = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        held = b"x" * 30_000_000
        time.sleep(20)
        os._exit(0)
time.sleep(20)"""


def test_a_memory_hog_fails_alone(world):
    ended = python(world, HOG, limits=SandboxLimits(wall_seconds=20, memory_bytes=100 * MiB))
    assert not ended.ok
    assert ended.reason == "memory" or b"MemoryError" in ended.stderr
    assert ended.peak_memory_bytes <= 110 * MiB


@pytest.mark.parametrize("grouped", [True, False])
def test_memory_is_counted_over_all_processes(world, monkeypatch, grouped):
    if not grouped:
        from headway.sandbox import groups

        monkeypatch.setattr(groups, "_own_groups", dict)
    elif protection().memory != "all":
        pytest.skip("this machine limits the memory of each process only")
    ended = python(world, SPLIT_HOG, limits=SandboxLimits(wall_seconds=5, memory_bytes=120 * MiB))
    assert ended.reason == "memory"
    assert ended.wall_seconds < 4
    assert ended.peak_memory_bytes <= 124 * MiB or not grouped


def test_cpu_and_wall_time_are_limited(world):
    limits = SandboxLimits(wall_seconds=20, cpu_seconds=0.3)
    ended = shell(world, "(while :; do :; done) & while :; do :; done", limits=limits)
    assert ended.reason == "cpu"
    assert ended.wall_seconds < 5
    ended = shell(world, "trap '' TERM INT HUP; sleep 60", limits=SandboxLimits(wall_seconds=0.3))
    assert ended.reason == "wall"
    assert 0.3 <= ended.wall_seconds < 2


def test_nobody_outlives_the_command(world):
    mark = f"MARK=outlive-{os.getpid()}"
    code = "setsid sleep 61 & (setsid sh -c 'trap \"\" TERM HUP; sleep 62; sleep 63') & sleep 0.05; exit 0"
    ended = shell(world, code, environment=dict([mark.split("=")]))
    assert ended.ok
    assert ended.wall_seconds < 10
    assert processes.carrying(mark) == []


def test_the_host_and_the_keeper_cannot_be_signalled_or_traced(world):
    with subprocess.Popen(["sleep", "60"]) as victim:
        code = ATTEMPT + (
            "import signal\n"
            "attempt(lambda: os.kill(int(sys.argv[1]), 9))\n"
            "attempt(lambda: os.kill(int(sys.argv[2]), 9))\n"
            "attempt(lambda: open('/proc/1/mem', 'r+b').name)\n"
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            "print('ptrace', libc.ptrace(16, 1, 0, 0), ctypes.get_errno())\n"
            "print('unshare', libc.unshare(0x10000000), ctypes.get_errno())\n"
            "os.kill(1, 9); os.kill(1, 15); print('still here', len(os.listdir('/proc')) > 0)\n"
            "print(len([name for name in os.listdir('/proc') if name.isdecimal()]))"
        )
        ended = python(world, code, victim.pid, os.getpid())
        lines = ended.stdout.decode().splitlines()
        assert ended.code == 0, ended.stderr
        assert [line.split(":")[0] for line in lines[:3]] == ["refused"] * 3
        assert lines[3:] == ["ptrace -1 1", "unshare -1 1", "still here True", "2"]
        assert victim.poll() is None
        victim.kill()


def test_killing_all_that_it_sees_ends_the_command_only(world):
    assert shell(world, "kill -9 -1; true").reason in ("exit", "signal")
    assert shell(world, "echo fine").stdout == b"fine\n"


def test_device_files_are_few_and_none_can_be_made(world):
    assert set(shell(world, "ls /dev").stdout.decode().split()) <= {
        *("console", "core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty"),
        *("urandom", "zero"),
    }
    assert shell(world, "mknod /tmp/disk b 254 0", scratch=["."]).code != 0


def test_no_capability_is_held(world):
    ended = shell(
        world, "grep Cap /proc/self/status; id -u; unshare -Ur true || echo none; grep NoNewPrivs /proc/self/status"
    )
    lines = ended.stdout.decode().split()
    assert lines[1:10:2] == ["0" * 16] * 5
    assert lines[10:] == ["1000", "none", "NoNewPrivs:", "1"]


def test_the_end_of_the_engine_ends_the_sandbox(world):
    mark = f"MARK=engine-{os.getpid()}"
    pid = os.fork()
    if pid == 0:
        try:
            shell(world, "setsid sleep 60 & sleep 61", environment=dict([mark.split("=")]))
        finally:
            os._exit(0)
    until = time.monotonic() + 20
    while len(processes.carrying(mark)) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert len(processes.carrying(mark)) >= 3
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while processes.carrying(mark) and time.monotonic() < until:
        time.sleep(0.01)
    assert processes.carrying(mark) == []
    shell(world, "true")  # sweeps what the killed one left
    assert not any(f"headway-sandbox-{pid}-" in name for name in _groups())


def _groups():
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        folder = Path("/sys/fs/cgroup") / (controllers or "unified") / path.lstrip("/")
        found += [item.name for item in folder.glob("headway-sandbox-*")]
    return found


def test_nothing_is_left_behind(world):
    open_before = len(os.listdir("/proc/self/fd"))
    running_before = processes.children(os.getpid())  # such as a resource tracker of other tests
    for code in ("true", "sleep 60"):
        shell(world, code, limits=SandboxLimits(wall_seconds=0.2))
    assert len(os.listdir("/proc/self/fd")) == open_before
    assert processes.children(os.getpid()) == running_before
    assert [name for name in _groups() if f"-{os.getpid()}-" in name] == []


def test_a_command_can_be_stopped_and_followed(world):
    with Sandbox(root=world).popen(["sh", "-c", "echo begun; sleep 60"]) as running:
        assert not running.wait(0.2)
        running.stop()
        ended = running.close()
    assert (ended.reason, ended.stdout) == ("stopped", b"begun\n")
    assert running.close() is ended


def test_an_ordinary_user_gets_the_same(tmp_path):
    """As nobody in a child of this process: the Python of this test may lie where nobody may look."""
    if os.geteuid() != 0:
        pytest.skip("the other tests run as an ordinary user already")
    folder = Path(tempfile.mkdtemp())
    (folder / "root").mkdir()
    os.chmod(folder, 0o755)
    os.chown(folder / "root", 65534, 65534)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            code = _as_nobody(folder / "root")
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    shutil.rmtree(folder)
    assert os.waitstatus_to_exitcode(status) == 0


def _as_nobody(root):
    from headway.sandbox import groups

    groups._own_groups.cache_clear()
    limits = SandboxLimits(wall_seconds=10, processes=20)
    sandbox = Sandbox(root=root, scratch=["."], limits=limits)
    os.chdir("/")
    ended = sandbox.run(["sh", "-c", "id -u; echo 1 > made; i=0; while [ $i -lt 60 ]; do i=$((i+1)); sleep 5 & done"])
    forked = b"fork" in ended.stderr.lower() or b"resource" in ended.stderr.lower()
    fine = sandbox.run(
        ["sh", "-c", "echo 1 > made; ! echo 2 > /usr/made"], keep=["made"], into=Path(tempfile.mkdtemp())
    )
    return 0 if ended.stdout == b"1000\n" and forked and fine.ok and fine.kept.files == ("made",) else 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"root": Path("/")}, "Give a worktree"),
        ({"readable": [Path("/nowhere")]}, "is not there"),
        ({"readable": [Path("/proc")]}, "more than a candidate may see"),
        ({"writable": ["missing"]}, "Make it first"),
        ({"readonly": ["missing"]}, "the command could make it"),
        ({"writable": ["out"], "scratch": ["out"]}, "in two ways"),
        ({"environment": {"A B": "1"}}, "no program can be given"),
    ],
)
def test_what_cannot_be_meant_is_refused(world, settings, message):
    with pytest.raises(UsageError, match=message):
        Sandbox(**{"root": world, **settings}).run(["true"])


def test_a_command_must_be_words(world):
    with pytest.raises(UsageError, match="list of words"):
        Sandbox(root=world).run([])
    with pytest.raises(UsageError, match="needs into="):
        Sandbox(root=world).run(["true"], keep=["x"])


@pytest.mark.parametrize(
    "settings", [{"wall_seconds": 0}, {"processes": 1.5}, {"memory_bytes": -1}, {"cpu_seconds": "1"}]
)
def test_limits_that_cannot_be_meant_are_refused(settings):
    with pytest.raises(UsageError, match=next(iter(settings))):
        SandboxLimits(**settings)


def test_limits_of_this_process_stay(world):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    shell(world, "true", limits=SandboxLimits(file_bytes=MiB))
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == before


def test_an_empty_run_costs_milliseconds(world, record_property):
    sandbox, times = Sandbox(root=world), []
    for _ in range(10):
        began = time.perf_counter()
        assert sandbox.run(["true"]).ok
        times.append(time.perf_counter() - began)
    record_property("milliseconds", 1000 * sorted(times)[5])
    print(f"an empty run in a sandbox: {1000 * min(times):.1f} ms at best, {1000 * sorted(times)[5]:.1f} ms mostly")
    assert min(times) < 1


def test_this_machine_protects():
    found = protection()
    assert found.sound, str(found)
    assert "no network" in str(found)
    assert "MISSING" not in str(found)
