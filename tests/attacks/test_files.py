"""Attacks on files: what is read-only stays as it is, and what is not the candidate's is not there."""

from tests.attacks.arena import Arena, Told
from tests.attacks.guarded import ATTACKS, came_to_nothing

OUTSIDE = ("tree", "repository", "elsewhere")


@ATTACKS.before("""
import os, shutil
for name in ("score.py", "prepare.py", "labels.json", "points.json", "data/words.txt", "headway.toml", ".gitignore"):
    attempt(f"write {name}", lambda: open(name, "a").write("[]"))
    attempt(f"truncate {name}", os.truncate, name, 0)
    attempt(f"remove {name}", os.remove, name)
    attempt(f"mode {name}", os.chmod, name, 0o777)
    attempt(f"times {name}", os.utime, name, (0, 0))
    open("mine", "w").write("[[0, 0]]")
    attempt(f"replace {name}", os.replace, "mine", name)
    attempt(f"move {name}", os.rename, name, "moved")
    attempt(f"mapped {name}", lambda: __import__("mmap").mmap(os.open(name, os.O_RDWR), 1))
""")
def test_read_only_files_can_be_neither_written_nor_replaced(told: Told):
    for name in ("score.py", "prepare.py", "labels.json", "points.json", "data/words.txt", "headway.toml"):
        assert told.refused(*(f"{what} {name}" for what in ("write", "truncate", "remove", "mode", "times", "replace")))
        assert told.refused(f"move {name}", f"mapped {name}")
    came_to_nothing(told)


@ATTACKS.before("""
import shutil
attempt("rename data", os.rename, "data", "old")
attempt("rename tree", os.rename, "../tree", "../old")
attempt("rename from above", os.rename, os.getcwd(), os.getcwd() + "-old")
libc = __import__("ctypes").CDLL(None)
attempt("exchange", lambda: libc.renameat2(-100, b"data", -100, b"sub", 2) and 1 / 0)
attempt("remove data", shutil.rmtree, "data")
attempt("new in data", lambda: open("data/more.txt", "w"))
""")
def test_a_folder_cannot_be_renamed_to_put_another_in_its_place(told: Told):
    assert told.refused("rename data", "rename tree", "rename from above", "exchange", "remove data", "new in data")
    came_to_nothing(told)


@ATTACKS.before("""
os.symlink("score.py", "soft")
attempt("through a link", lambda: open("soft", "a"))
os.symlink("data", "folder")
attempt("through a link of a folder", lambda: open("folder/words.txt", "w"))
attempt("hard link", os.link, "score.py", "hard")
attempt("hard link of what a link means", os.link, "/proc/self/cwd/score.py", "hard")
for root in ("/proc/self/root", "/proc/1/root", "/proc/thread-self/root", f"/proc/{os.getppid()}/root"):
    attempt(f"{root} tree", lambda: open(root + os.path.abspath("score.py"), "a"))
    attempt(f"{root} repository", lambda: open(f"{root}{repository}/score.py", "a"))
attempt("cwd of the keeper", lambda: open("/proc/1/cwd/tree/score.py", "a"))
number = os.open("score.py", os.O_RDONLY)
attempt("reopened", lambda: open(f"/proc/self/fd/{number}", "a"))
attempt("mode by descriptor", os.fchmod, number, 0o777)
""")
def test_no_other_name_of_a_file_makes_it_writable(told: Told):
    assert told.refused("through a link", "through a link of a folder", "hard link", "hard link of what a link means")
    roots = [name for name in told.attempts if name.startswith("/proc")]
    assert len(roots) == 6
    assert told.refused(*roots, "cwd of the keeper", "reopened", "mode by descriptor")
    came_to_nothing(told)


@ATTACKS.before("""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *words):
    if getattr(libc, name)(*words) != 0: raise OSError(ctypes.get_errno(), name)
attempt("unshare", call, "unshare", 0x10000000 | 0x00020000)
attempt("bind", call, "mount", b"/tmp", b"data", None, 4096, None)
attempt("remount", call, "mount", None, b"/", None, 32 | 4096, None)
attempt("umount", call, "umount2", b"data", 2)
attempt("chroot", os.chroot, "/tmp")
attempt("root", os.setuid, 0)
attempt("device", lambda: os.mknod("device", 0o60666, os.makedev(254, 0)) or open("device"))
for number in range(440, 452):
    libc.syscall(number, -1, 0, 0, 0, 0)
attempt("open_tree", lambda: 1 / 0 if libc.syscall(428, -100, b"data", 1) < 0 else "opened")
attempt("setns", lambda: call("setns", os.open("/proc/1/ns/mnt", os.O_RDONLY), 0))
""")
def test_no_mount_and_no_namespace_can_be_made(told: Told):
    assert told.refused("unshare", "bind", "remount", "umount", "chroot", "root", "device", "open_tree", "setns")
    came_to_nothing(told)


@ATTACKS.before("""
import glob
runs = os.path.join(store, "runs")
own = os.getcwd().split("/")
attempt("list", lambda: [name for name in os.listdir(runs) if name not in own][0])
for up in ("../../..", "../../../..", "../../../../.."):
    attempt(f"up {up}", lambda: [path for path in os.listdir(up) if path not in own][0])
for number in range(1, 40):
    for part in ("model.json", "train.py", "json.py"):
        try: open(f"{runs}/{number}/1/work/tree/{part}", "w").write('{"weight": 3, "bias": -1}')
        except OSError: pass
attempt("write", lambda: open(f"{runs}/1/1/work/tree/model.json", "w"))
attempt("beside", lambda: open("../other", "w"))
""")
def test_other_trials_are_neither_seen_nor_written(told: Told):
    assert told.refused("list", "up ../../..", "up ../../../..", "up ../../../../..", "write", "beside")
    came_to_nothing(told)


@ATTACKS.before("""
import glob, sqlite3
print("searched", len(glob.glob("/proc/*/environ")))
attempt("holdout", lambda: open(holdout).read())
attempt("holdout above", lambda: open("../" * 40 + holdout).read())
attempt("link", lambda: os.symlink(holdout, "seen") or open("seen").read())
for pattern in ("/proc/*/root", "/proc/*/cwd"):
    attempt(pattern, lambda: [open(place + holdout).read() for place in glob.glob(pattern)])
def environments():
    told = [open(path).read() for path in glob.glob("/proc/*/environ")]
    return [text for text in told if "ATTACK_SECRET" in text][0]
attempt("environments", environments)
record = f"file:{store}/store.sqlite?mode=ro"
attempt("record", lambda: sqlite3.connect(record, uri=True).execute("SELECT * FROM studies").fetchall())
attempt("store", lambda: [name for name in os.listdir(store) if name != "runs"][0])
attempt("repository", os.listdir, repository)
attempt("home", os.listdir, os.path.dirname(repository) + "/home")
lines = [open(path).read() for path in glob.glob("/proc/*/cmdline")]
attempt("command lines", lambda: [line for line in lines if "-m\\0pytest" in line or "headway.engine" in line][0])
for name in ("/proc/kcore", "/dev/mem", "/proc/kmsg", "/dev/kmsg"):
    attempt(name, lambda: open(name, "rb").read(9))
""")
def test_the_holdout_is_not_read_by_any_way(told: Told, guarded: Arena):
    names = ("holdout", "holdout above", "link", "/proc/*/root", "/proc/*/cwd", "environments", "record", "store")
    assert told.refused(*names, "repository", "home", "command lines")
    assert told.refused("/proc/kcore", "/dev/mem", "/proc/kmsg", "/dev/kmsg")
    came_to_nothing(told)
    secret = guarded.token
    assert f'"secret": "{secret}"' not in told.printed


@ATTACKS.before("""
import subprocess
pointer = open(".git").read() if os.path.isfile(".git") else "none"
where = pointer.partition(":")[2].strip()
attempt("follow", os.listdir, where or "/none")
attempt("common", os.listdir, repository + "/.git")
def run(*words): return subprocess.run(words, capture_output=True, text=True, check=True).stdout
attempt("git log", run, "git", "log", "--all")
attempt("git here", run, "git", f"--git-dir={repository}/.git", "cat-file", "-p", "HEAD")
attempt("write pointer", lambda: open(".git", "w").write("gitdir: /tmp/evil"))
attempt("replace pointer", lambda: os.replace("train.py", ".git"))
attempt("hook", lambda: open(".git/hooks/post-checkout", "w"))
""")
def test_git_objects_and_hooks_are_out_of_reach(told: Told):
    assert told.refused("follow", "common", "git log", "git here", "write pointer", "replace pointer", "hook")
    came_to_nothing(told)


@ATTACKS.before("""
strange = ("new\\nline", "tab\\tname", "\\x1b[31mred", "\\udcff\\udcfe", "-rf", "$(touch x)", "a" * 255, "\\u202e")
for name in strange:
    for place in ("../results", "."):
        attempt(f"file {len(name)}", lambda: open(f"{place}/{name}", "w").write("x"))
        try: os.mkfifo(f"{place}/{name} pipe"[-255:])
        except OSError: pass
for number in range(3_000):
    os.symlink("/etc/passwd", f"../results/\\x1b[2Jlink {number}")
deep = "../results"
for _ in range(60):
    deep += "/d"
    os.mkdir(deep)
open(deep + "/deep", "w").write("x")
""")
def test_strange_names_and_thousands_of_links_are_told_in_a_few_plain_lines(told: Told):
    came_to_nothing(told)
    left = [flag for flag in told.flags if flag.startswith("of what it left")]
    assert 1 <= len(left) <= 10, len(left)
    assert all(flag.isprintable() for flag in told.flags), told.flags[:5]
