"""Git plumbing for untrusted candidates, on real repositories: the user's is not touched, and theirs not obeyed."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import pytest

from headway.core import HeadwayError, UsageError
from headway.experiments.repositories import calling
from headway.experiments.repositories.git import GitRepository

_ADDER = """
import sys
from pathlib import Path
from headway.experiments.repositories.git import GitRepository

top, base, name, turns = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
repository = GitRepository.at(top)
head = repository.head()
for turn in range(turns):
    place = base / f"{name}-{turn}" / "tree"
    tree = repository.add_worktree(place, head)
    assert (tree / "a.py").read_text() == "x = 1\\n"
    commit = repository.commit(head, {"a.py": f"x = {name}{turn}\\n"}, f"{name} {turn}")
    repository.set_ref(f"refs/headway/{name}-{turn}", commit, expected="")
    if turn % 2:
        repository.remove_worktree(place)
"""


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Let git know no user, and no settings but those that a test makes."""
    folder = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("GIT_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("EMAIL", raising=False)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def top(tmp_path) -> Path:
    return _begin(tmp_path / "repository")


def git(folder, *words) -> str:
    return subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True).stdout.strip()


def _begin(top: Path) -> Path:
    top.mkdir(parents=True)
    git(top, "init", "--quiet", "--initial-branch", "main")
    _write(top, {"a.py": "x = 1\n", "b.py": "y = 2\n", "sub/train.py": "lr = 3\n", "run.sh": "echo hi\n"})
    (top / "run.sh").chmod(0o755)
    return _commit_all(top, "first")


def _write(top: Path, files) -> None:
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(text.encode())


def _commit_all(top: Path, message: str) -> Path:
    git(top, "add", "-A")
    git(top, "-c", "user.name=Ada", "-c", "user.email=ada@x", "commit", "--quiet", "-m", message)
    return top


def at(folder) -> GitRepository:
    found = GitRepository.at(folder)
    assert found is not None
    return found


def registered(top: Path) -> int:
    """Count the worktrees that were added, by what git itself says."""
    return git(top, "worktree", "list", "--porcelain").count("worktree ") - 1


def state(top: Path) -> tuple:
    """Return all that must not change when a candidate becomes a commit."""
    index = (top / ".git/index").read_bytes()
    return index, git(top, "status", "--porcelain"), git(top, "for-each-ref"), sorted(os.listdir(top))


def _remove_without_rights(base: Path) -> int:
    """Return 0 where a worktree of closed folders goes, as one whom rights bind: root becomes somebody else."""
    try:
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        top, place = _begin(base / "top"), base / "tree"
        at(top).add_worktree(place, at(top).head())
        _write(place, {"closed/in/file": ""})
        for name in ("run.sh", "closed/in", "closed", "sub", ""):
            (place / name).chmod(0)
        at(top).remove_worktree(place)
        return int(place.exists()) + registered(top)
    except BaseException:
        traceback.print_exc()
        return 99


class TestAt:
    def test_the_root_has_no_prefix_and_a_subfolder_has_one(self, top):
        assert (at(top).top, at(top).prefix, at(top).folder) == (top, "", top)
        assert (at(top / "sub").top, at(top / "sub").prefix) == (top, "sub")
        assert at(top / "sub").common == at(top).common == top / ".git"

    def test_a_link_to_the_folder_leads_to_the_same_repository(self, top, tmp_path):
        (tmp_path / "link").symlink_to(top / "sub")
        assert at(tmp_path / "link") == at(top / "sub")

    def test_no_repository_a_bare_one_and_the_folder_of_git_are_none(self, top, tmp_path):
        git(tmp_path, "init", "--quiet", "--bare", "bare")
        (tmp_path / "plain").mkdir()
        for folder in (tmp_path / "plain", tmp_path / "bare", top / ".git"):
            assert GitRepository.at(folder) is None

    def test_a_machine_without_git_has_no_repository(self, top, monkeypatch):
        monkeypatch.setenv("PATH", "/nonexistent")
        assert GitRepository.at(top) is None

    def test_git_gone_meanwhile_is_an_error_that_says_so(self, top, monkeypatch):
        repository = at(top)
        monkeypatch.setenv("PATH", "/nonexistent")
        with pytest.raises(HeadwayError, match="git cannot be started"):
            repository.head()

    def test_a_repository_that_git_refuses_is_an_error_in_its_words(self, top):
        (top / ".git/config").write_text("[core\n")
        with pytest.raises(UsageError, match="bad config line 1"):
            GitRepository.at(top)

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
    def test_a_repository_of_another_user_says_what_to_type(self, top):
        os.chown(top, 65534, 65534)
        with pytest.raises(UsageError, match=r"dubious ownership.*safe\.directory"):
            GitRepository.at(top)

    def test_a_linked_worktree_of_the_user_and_a_submodule_are_work_trees(self, top, tmp_path):
        git(top, "worktree", "add", "-b", "side", str(tmp_path / "side"))
        side = at(tmp_path / "side" / "sub")
        assert (side.top, side.prefix, side.common) == (tmp_path / "side", "sub", top / ".git")
        outer = _begin(tmp_path / "outer")
        git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(top), "inner")
        inner = at(outer / "inner")
        git(outer, "config", "--global", "submodule.recurse", "true")
        assert (at(outer).add_worktree(tmp_path / "outer tree", "HEAD") / "a.py").is_file()
        tree = inner.add_worktree(tmp_path / "tree", inner.head())
        assert (tree / "a.py").is_file()
        inner.remove_worktree(tmp_path / "tree")
        assert not (tmp_path / "tree").exists()


class TestHead:
    def test_it_is_the_full_id(self, top):
        assert at(top).head() == git(top, "rev-parse", "HEAD")

    def test_without_a_commit_it_says_how_to_make_one(self, tmp_path):
        git(tmp_path, "init", "--quiet")
        with pytest.raises(UsageError, match=r"has no commit yet.*git add -A && git commit"):
            at(tmp_path).head()

    def test_the_tree_is_equal_where_a_commit_changes_other_folders(self, top):
        whole, sub, first = at(top), at(top / "sub"), at(top).head()
        other = whole.commit(first, {"a.py": "x = 5\n"}, "elsewhere")
        assert sub.tree(first) == sub.tree(other) == git(top, "rev-parse", "HEAD:sub")
        assert whole.tree(first) == git(top, "rev-parse", "HEAD^{tree}") != whole.tree(other)


class TestChanged:
    def test_staged_and_unstaged_files_count_and_others_do_not(self, top):
        assert at(top).changed() == []
        _write(top, {"a.py": "x = 9\n", "b.py": "y = 9\n", "new.py": "z\n", "sub/ü ñ.py": "z\n", "sub/other.py": "z\n"})
        (top / "run.sh").unlink()
        git(top, "add", "b.py", "sub/ü ñ.py")
        assert at(top).changed() == ["a.py", "b.py", "run.sh", "sub/ü ñ.py"]
        assert at(top / "sub").changed() == ["ü ñ.py"]

    def test_a_file_that_was_only_touched_has_not_changed(self, top):
        os.utime(top / "a.py", (1, 1))
        assert at(top).changed() == []

    def test_a_folder_named_like_a_pattern_is_taken_by_its_letters(self, top):
        _write(top, {"[a-z]*/t.py": "1", "b/t.py": "1", ":(top)x/t.py": "1"})
        _commit_all(top, "odd")
        _write(top, {"b/t.py": "2"})
        assert at(top / "[a-z]*").changed() == []
        assert at(top / "b").changed() == ["t.py"]
        assert at(top / ":(top)x").read("HEAD", "t.py") == "1"

    def test_tracked_means_the_file_itself(self, top):
        _write(top, {"new.py": "", "sub/ü.py": ""})
        git(top, "add", "sub/ü.py")
        assert [at(top).tracked(path) for path in ("a.py", "./sub/train.py", "sub", "new.py", "*.py")] == [
            True,
            True,
            False,
            False,
            False,
        ]
        assert at(top / "sub").tracked("ü.py")
        assert not at(top / "sub").tracked("a.py")


class TestRead:
    def test_the_text_of_a_commit_stays_as_it_was(self, top):
        first = at(top).head()
        _write(top, {"a.py": "x = 2\n"})
        _commit_all(top, "second")
        assert at(top).read(first, "a.py") == "x = 1\n"
        assert at(top).read("HEAD", "a.py") == "x = 2\n"
        assert at(top / "sub").read(first, "train.py") == "lr = 3\n"

    def test_what_is_no_plain_file_is_none(self, top):
        (top / "link").symlink_to("a.py")
        _commit_all(top, "link")
        assert [at(top).read("HEAD", path) for path in ("gone.py", "sub", "link", "a.py/x")] == [None] * 4

    def test_bytes_that_are_no_text_are_refused(self, top):
        (top / "blob").write_bytes(b"\xff\xfe\x00")
        _commit_all(top, "blob")
        with pytest.raises(UsageError, match="'blob' is no UTF-8 text"):
            at(top).read("HEAD", "blob")

    @pytest.mark.parametrize("commit", ["nothing", "--help", "", "HEAD^{tree}", "a\0b"])
    def test_a_commit_that_is_none_is_refused(self, top, commit):
        with pytest.raises(UsageError):
            at(top).read(commit, "a.py")

    def test_an_id_without_a_commit_is_told_in_git_s_words(self, top):
        with pytest.raises(HeadwayError, match="not a tree object"):
            at(top).read("0123456789" * 4, "a.py")


class TestWorktrees:
    def test_a_worktree_holds_the_commit_and_leaves_no_trace(self, top, tmp_path):
        before = state(top)
        place = tmp_path / "trials" / "1" / "tree"
        assert at(top).add_worktree(place, at(top).head()) == place
        assert (place / "a.py").read_text() == "x = 1\n"
        assert os.access(place / "run.sh", os.X_OK)
        assert registered(top) == 1
        at(top).remove_worktree(place)
        assert not place.exists()
        assert registered(top) == 0
        assert state(top) == before
        assert not list((top / ".git").glob("headway-removed-*"))

    def test_the_folder_of_an_experiment_below_the_root_is_returned(self, top, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        tree = at(top / "sub").add_worktree(Path("relative/tree"), at(top).head())
        assert tree.resolve() == tmp_path / "relative/tree/sub"
        assert os.listdir(tree) == ["train.py"]
        at(top / "sub").remove_worktree(Path("relative/tree"))
        assert registered(top) == 0

    def test_a_commit_without_the_folder_is_refused_and_leaves_nothing(self, top, tmp_path):
        (top / "fresh").mkdir()
        with pytest.raises(UsageError, match="does not hold the folder 'fresh'"):
            at(top / "fresh").add_worktree(tmp_path / "tree", at(top).head())
        assert not (tmp_path / "tree").exists()
        assert registered(top) == 0

    def test_a_place_that_holds_something_is_refused_and_kept(self, top, tmp_path):
        _write(tmp_path, {"tree/mine": "1"})
        with pytest.raises(HeadwayError, match="already exists"):
            at(top).add_worktree(tmp_path / "tree", at(top).head())
        assert (tmp_path / "tree/mine").read_text() == "1"

    def test_no_hook_and_no_monitor_of_the_repository_runs(self, top, tmp_path):
        for name in ("post-checkout", "reference-transaction", "post-index-change", "pre-commit", "monitor"):
            hook = top / ".git/hooks" / name
            hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran-{name}\n")
            hook.chmod(0o755)
        git(top, "config", "core.fsmonitor", str(top / ".git/hooks/monitor"))
        repository = at(top)
        repository.add_worktree(tmp_path / "tree", repository.head())
        commit = repository.commit(repository.head(), {"a.py": "2"}, "m")
        repository.set_ref("refs/headway/1", commit)
        assert repository.changed() == []
        assert repository.move_branch("main", commit, expected=repository.head()) is None
        assert not list(tmp_path.glob("ran-*"))

    def test_many_processes_add_and_remove_at_the_same_moment(self, top, tmp_path):
        names = [f"p{number}" for number in range(6)]
        workers = [
            subprocess.Popen([sys.executable, "-c", _ADDER, str(top), str(tmp_path / "w"), name, "6"], stderr=-1)
            for name in names
        ]
        for worker in workers:
            _, error = worker.communicate(timeout=120)
            assert worker.returncode == 0, error.decode()
        assert registered(top) == len(names) * 3
        refs = git(top, "for-each-ref", "--format=%(subject)", "refs/headway").splitlines()
        assert sorted(refs) == sorted(f"{name} {turn}" for name in names for turn in range(6))
        assert at(top).tidy(tmp_path / "w") == len(names) * 3

    def test_a_lock_that_another_process_holds_is_waited_for(self, top):
        commit = at(top).commit(at(top).head(), {"a.py": "2"}, "m")
        lock = top / ".git/refs/headway/1.lock"
        _write(top, {".git/refs/headway/1.lock": ""})
        threading.Timer(0.3, lock.unlink).start()
        at(top).set_ref("refs/headway/1", commit)
        assert at(top).ref("refs/headway/1") == commit

    def test_a_hanging_git_is_ended_and_told(self, top, tmp_path, monkeypatch):
        repository = at(top)
        _write(tmp_path, {"bin/git": "#!/bin/sh\nexec sleep 60\n"})
        (tmp_path / "bin/git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        monkeypatch.setattr(calling, "_TIMEOUT_SECONDS", 0.2)
        with pytest.raises(HeadwayError, match="had not ended after"):
            repository.head()


class TestWhatCandidatesLeave:
    @pytest.fixture
    def place(self, top, tmp_path) -> Path:
        return at(top).add_worktree(tmp_path / "trials" / "tree", at(top).head())

    def test_links_are_removed_and_never_followed(self, top, tmp_path, place):
        _write(tmp_path, {"outside/kept": "1"})
        (place / "link").symlink_to(tmp_path / "outside")
        (place / "sub" / "up").symlink_to("..")
        (place / "file").symlink_to(tmp_path / "outside/kept")
        at(top).remove_worktree(place)
        assert not place.exists()
        assert (tmp_path / "outside/kept").read_text() == "1"

    def test_a_place_that_became_a_link_is_only_unlinked(self, top, tmp_path, place):
        os.rename(place, tmp_path / "elsewhere")
        place.symlink_to(tmp_path / "elsewhere")
        at(top).remove_worktree(place)
        assert not os.path.lexists(place)
        assert (tmp_path / "elsewhere/a.py").is_file()
        assert registered(top) == 0

    @pytest.mark.parametrize("kind", ["gone", "another repository", "a link", "rubbish"])
    def test_its_file_of_git_is_not_believed(self, top, tmp_path, place, kind):
        victim = _begin(tmp_path / "victim")
        other = at(victim).add_worktree(tmp_path / "other", at(victim).head())
        told = (other / ".git").read_text()
        (place / ".git").unlink()
        if kind == "another repository":
            (place / ".git").write_text(told)
        elif kind == "a link":
            (place / ".git").symlink_to(victim / ".git")
        elif kind == "rubbish":
            (place / ".git").write_bytes(b"\xff\0")
        at(top).remove_worktree(place)
        assert (registered(top), registered(victim)) == (0, 1)
        assert not place.exists()
        assert (other / "a.py").is_file()

    def test_a_repository_inside_it_is_not_obeyed(self, top, tmp_path, place):
        (place / ".git").unlink()
        git(place, "init", "--quiet")
        git(place, "config", "core.fsmonitor", f"touch {tmp_path}/ran")
        git(place, "config", "core.worktree", str(tmp_path))
        at(top).remove_worktree(place)
        assert not place.exists()
        assert not (tmp_path / "ran").exists()

    def test_trees_deeper_than_any_path_and_any_recursion_go(self, top, place):
        at_first = os.open(".", os.O_RDONLY)
        try:
            os.chdir(place)
            for _ in range(3000):
                os.mkdir("deep")
                os.chdir("deep")
        finally:
            os.fchdir(at_first)
            os.close(at_first)
        at(top).remove_worktree(place)
        assert not place.exists()

    def test_pipes_sockets_and_odd_names_go(self, top, place):
        os.mkfifo(place / "pipe")
        (place / os.fsdecode(b"\xff\n")).mkdir()
        (place / os.fsdecode(b"\xff\n") / "-rf").touch()
        at(top).remove_worktree(place)
        assert not place.exists()

    def test_files_and_folders_without_any_rights_go(self, monkeypatch):
        with tempfile.TemporaryDirectory() as shared:
            monkeypatch.setenv("HOME", shared)
            os.chmod(shared, 0o777)
            child = os.fork()
            if child == 0:
                os._exit(_remove_without_rights(Path(shared)))
            _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0

    def test_what_the_system_keeps_stays_registered_and_is_tried_again(self, top, tmp_path, place, monkeypatch):
        refuse, unlink = [True], os.unlink

        def unlink_unless(name, **options):
            if refuse[0] and name == "a.py":
                raise PermissionError(1, "Operation not permitted")
            unlink(name, **options)

        monkeypatch.setattr(os, "unlink", unlink_unless)
        at(top).remove_worktree(place)
        assert os.listdir(place) == ["a.py"]
        assert registered(top) == 1
        assert at(top).tidy(tmp_path / "trials") == 0
        refuse[0] = False
        assert at(top).tidy(tmp_path / "trials") == 1
        assert registered(top) == 0

    def test_removing_twice_or_what_was_never_added_is_quiet(self, top, tmp_path, place):
        at(top).remove_worktree(place)
        at(top).remove_worktree(place)
        at(top).remove_worktree(tmp_path / "never" / "there")

    def test_the_repository_itself_is_never_removed(self, top, tmp_path):
        for place in (top, tmp_path, top / ".git", top / "sub" / "..", Path("/")):
            with pytest.raises(UsageError, match="holds the repository itself"):
                at(top).remove_worktree(place)
        assert (top / "a.py").is_file()


class TestTidy:
    def test_what_a_killed_engine_left_goes_and_others_stay(self, top, tmp_path):
        repository, base = at(top), tmp_path / "trials"
        for place in ("trials/1/tree", "trials/2/tree", "trials-mine/tree"):
            repository.add_worktree(tmp_path / place, repository.head())
        (base / "2/tree/.git").unlink()
        killed = subprocess.Popen(
            [sys.executable, "-c", _ADDER, str(top), str(base), "k", "1000"],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while not (base / "k-4").exists():
            assert killed.poll() is None
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        time.sleep(0.2)  # its git is no child of ours, and may take a moment to be gone
        assert repository.tidy(base) >= 4
        assert [path for path in base.rglob("*") if path.is_file()] == []
        assert registered(top) == 1
        assert (tmp_path / "trials-mine/tree/a.py").is_file()
        assert repository.tidy(base) == 0

    def test_a_worktree_whose_making_was_cut_short_goes_too(self, top, tmp_path):
        repository, base = at(top), tmp_path / "trials"
        repository.add_worktree(base / "1/tree", repository.head())
        (top / ".git/worktrees/tree/locked").write_text("initializing")
        (top / ".git/worktrees/tree/commondir").unlink()
        (base / "1/tree/a.py").unlink()
        (top / ".git/worktrees/barely").mkdir()
        assert repository.tidy(base) == 1
        assert not (base / "1/tree").exists()
        assert repository.add_worktree(base / "2/tree", repository.head()).is_dir()

    def test_a_work_tree_that_the_user_works_in_stays(self, top, tmp_path):
        own = tmp_path / "mine" / "tree"
        git(top, "worktree", "add", "-b", "side", str(own))
        assert at(own / "sub").tidy(tmp_path / "mine") == 0
        assert (own / "a.py").is_file()

    def test_a_link_to_the_folder_names_the_same_trees(self, top, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        at(top).add_worktree(tmp_path / "link/tree", at(top).head())
        assert at(top).tidy(tmp_path / "link") == 1
        assert os.listdir(tmp_path / "real") == []


class TestCommit:
    def test_only_the_named_files_change_and_nothing_of_the_user_is_touched(self, top):
        _write(top, {"a.py": "edited\n", "b.py": "staged\n"})
        git(top, "add", "b.py")
        before, first = state(top), at(top).head()
        commit = at(top).commit(first, {"a.py": "x = 7\n", "deep/er/ü ñ.py": "new"}, "Try seven\n\nBecause.")
        assert state(top) == before
        assert git(top, "diff", "--name-status", "-z", first, commit) == "M\0a.py\0A\0deep/er/ü ñ.py\0"
        assert (at(top).read(commit, "a.py"), at(top).read(commit, "deep/er/ü ñ.py")) == ("x = 7\n", "new")
        assert git(top, "show", "-s", "--format=%P|%s|%b", commit) == f"{first}|Try seven|Because."
        git(top, "fsck", "--strict")

    def test_paths_are_those_of_the_experiment_s_folder(self, top):
        commit = at(top / "sub").commit("HEAD", {"train.py": "lr = 4\n", "more.py": "1\n"}, "m")
        assert git(top, "diff", "--name-only", "HEAD", commit).split() == ["sub/more.py", "sub/train.py"]

    def test_modes_are_kept(self, top):
        commit = at(top).commit("HEAD", {"run.sh": "echo ho\n", "a.py": "1"}, "m")
        assert [line[:6] for line in git(top, "ls-tree", commit, "run.sh", "a.py").splitlines()] == ["100644", "100755"]

    @pytest.mark.parametrize("convert", ["true", "input", "false"])
    def test_line_ends_are_kept_byte_for_byte_there_and_back(self, top, tmp_path, convert):
        git(top, "config", "core.autocrlf", convert)
        git(top, "config", "core.eol", "crlf")
        texts = {"crlf.txt": "a\r\nb\r\n", "lf.txt": "a\nb\n", "both.txt": "a\r\nb\nc\r", "empty": ""}
        commit = at(top).commit("HEAD", texts, "m")
        tree = at(top).add_worktree(tmp_path / "tree", commit)
        for name, text in texts.items():
            assert (tree / name).read_bytes() == text.encode()
            assert at(top).read(commit, name) == text

    def test_attributes_that_convert_do_not_alter_what_is_committed(self, top):
        _write(top, {".gitattributes": "* text=auto\n*.py filter=shout ident\n"})
        git(top, "config", "filter.shout.clean", "tr a-z A-Z")
        _commit_all(top, "attributes")
        commit = at(top).commit("HEAD", {"a.py": "quiet\r\n"}, "m")
        assert at(top).read(commit, "a.py") == "quiet\r\n"

    def test_a_commit_without_a_change_has_the_parent_s_tree(self, top):
        for files in ({}, {"a.py": "x = 1\n"}):
            commit = at(top).commit("HEAD", files, "nothing")
            assert commit != at(top).head()
            assert at(top).tree(commit) == at(top).tree("HEAD")

    def test_the_author_is_the_configured_one_else_headway(self, top):
        def author(commit):
            return git(top, "show", "-s", "--format=%an <%ae>|%cn <%ce>", commit)

        nobody = at(top).commit("HEAD", {"a.py": "2"}, "m")
        assert author(nobody) == "Headway <headway@localhost>|Headway <headway@localhost>"
        git(top, "config", "user.name", "Zoë")
        assert author(at(top).commit("HEAD", {"a.py": "2"}, "m")).startswith("Headway <headway@localhost>|")
        git(top, "config", "user.email", "zoe@x")
        assert author(at(top).commit("HEAD", {"a.py": "2"}, "m")) == "Zoë <zoe@x>|Zoë <zoe@x>"

    def test_settings_of_the_user_about_commits_do_not_matter(self, top):
        for name, value in {
            "commit.gpgSign": "true",
            "gpg.program": "/bin/false",
            "i18n.commitEncoding": "latin1",
            "core.splitIndex": "true",
            "commit.cleanup": "strip",
            "user.useConfigOnly": "true",
        }.items():
            git(top, "config", name, value)
        commit = at(top).commit("HEAD", {"a.py": "2"}, "Größe\n\n# not a comment\0\n")
        assert git(top, "-c", "i18n.commitEncoding=utf-8", "show", "-s", "--format=%B", commit) == (
            "Größe\n\n# not a comment"
        )
        assert not list((top / ".git").glob("sharedindex.*"))

    @pytest.mark.parametrize("message", ["", " \n", "\0"])
    def test_an_empty_message_is_refused(self, top, message):
        with pytest.raises(UsageError, match="message is empty"):
            at(top).commit("HEAD", {}, message)

    @pytest.mark.parametrize(
        "path", ["", ".", "/etc/passwd", "../a.py", "sub/../../x", ".git/config", "sub/.GIT/hooks/x", "a\0b", "\ud800"]
    )
    def test_a_path_that_is_none_of_the_folder_is_refused(self, top, path):
        with pytest.raises(UsageError, match="is no path of a file"):
            at(top / "sub").commit("HEAD", {path: "1"}, "m")

    def test_a_path_that_git_takes_for_its_own_folder_elsewhere_is_refused(self, top):
        with pytest.raises(UsageError, match="no file named 'git~1/config'"):
            at(top).commit("HEAD", {"a.py": "2", "git~1/config": "1"}, "m")

    def test_links_folders_and_what_lies_below_files_are_refused(self, top):
        (top / "link").symlink_to("/etc")
        _commit_all(top, "link")
        for path in ("link", "link/passwd", "sub", "a.py/b"):
            with pytest.raises(UsageError, match=r"no plain file|is no folder"):
                at(top).commit("HEAD", {path: "1"}, "m")
        with pytest.raises(UsageError, match="'new/x' lies below 'new'"):
            at(top).commit("HEAD", {"new": "1", "new/x": "1"}, "m")

    def test_files_that_git_obeys_may_stay_and_not_change(self, top):
        _write(top, {"sub/.gitattributes": "*.bin binary\n"})
        _commit_all(top, "attributes")
        at(top).commit("HEAD", {"sub/.gitattributes": "*.bin binary\n", "a.py": "2"}, "m")
        for path in ("sub/.gitattributes", ".gitattributes", ".gitmodules", ".lfsconfig"):
            with pytest.raises(UsageError, match="git on this machine obeys it"):
                at(top).commit("HEAD", {path: "* filter=lfs\n"}, "m")

    def test_text_that_no_file_can_hold_is_refused(self, top):
        with pytest.raises(UsageError, match=r"'a\.py' is no text"):
            at(top).commit("HEAD", {"a.py": "\ud800"}, "m")

    def test_thousands_of_files_make_one_commit(self, top):
        files = {f"many/{number}/{'long' * 40}.py": f"{number}\n" for number in range(3000)}
        commit = at(top).commit("HEAD", files, "many")
        assert at(top).read(commit, f"many/2999/{'long' * 40}.py") == "2999\n"


class TestRefs:
    @pytest.fixture
    def commits(self, top) -> list[str]:
        return [at(top).head(), *(at(top).commit("HEAD", {"a.py": text}, text) for text in ("2", "3"))]

    def test_a_ref_stands_where_it_was_put(self, top, commits):
        assert at(top).ref("refs/headway/1") is None
        at(top).set_ref("refs/headway/1", commits[1])
        at(top).set_ref("refs/headway/10", commits[2])
        assert at(top).ref("refs/headway/1") == commits[1]
        assert at(top).ref("refs/headway") is None
        git(top, "pack-refs", "--all")
        assert at(top).ref("refs/headway/10") == commits[2]

    def test_it_moves_only_from_where_it_was_expected(self, top, commits):
        at(top).set_ref("refs/headway/1", commits[0], expected="")
        at(top).set_ref("refs/headway/1", commits[1], expected=commits[0])
        for expected in ("", commits[0]):
            with pytest.raises(UsageError, match=rf"stands at {commits[1][:12]}, and was expected"):
                at(top).set_ref("refs/headway/1", commits[2], expected=expected)
        with pytest.raises(UsageError, match="refs/headway/2 is gone"):
            at(top).set_ref("refs/headway/2", commits[2], expected=commits[0])
        assert at(top).ref("refs/headway/1") == commits[1]

    def test_the_error_says_who_moved_it(self, top, commits):
        words = ("-c", "user.name=Grace", "-c", "user.email=g@x", "branch", "-f")
        git(top, *words, "side", commits[0])
        git(top, *words, "side", commits[1])
        with pytest.raises(UsageError, match="moved by 'Grace' \\('branch: Reset to"):
            at(top).set_ref("refs/heads/side", commits[2], expected=commits[0])
        at(top).set_ref("refs/headway/1", commits[1])
        with pytest.raises(UsageError, match="Its commit is by 'Headway'"):
            at(top).set_ref("refs/headway/1", commits[2], expected="")

    @pytest.mark.parametrize("name", ["main", "refs/heads/a..b", "refs/", "-d", "refs/x/y.lock", "", "refs/h\0/1"])
    def test_a_name_that_is_none_of_a_ref_is_refused(self, top, commits, name):
        with pytest.raises(UsageError):
            at(top).ref(name)
        with pytest.raises(UsageError):
            at(top).set_ref(name, commits[0])

    def test_of_many_that_expect_the_same_one_wins(self, top, commits):
        outcomes: list[str] = []

        def claim():
            try:
                at(top).set_ref("refs/headway/1", commits[1], expected="")
                outcomes.append("won")
            except UsageError:
                outcomes.append("lost")

        threads = [threading.Thread(target=claim) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["lost"] * 7 + ["won"]


class TestMoveBranch:
    @pytest.fixture
    def ahead(self, top) -> str:
        return at(top).commit("HEAD", {"a.py": "x = 2\n", "new/ü.py": "n\n", "run.sh": "echo ho\n"}, "accepted")

    def test_a_branch_that_nobody_has_checked_out_moves_alone(self, top, ahead):
        first, before = at(top).head(), state(top)[:2]
        assert at(top).move_branch("headway/best", first, expected="") is None
        assert at(top).move_branch("headway/best", ahead, expected=first) is None
        assert at(top).move_branch("headway/best", ahead, expected=None) is None
        assert at(top).ref("refs/heads/headway/best") == ahead
        assert state(top)[:2] == before

    def test_a_clean_tree_follows_its_branch(self, top, ahead):
        os.utime(top / "a.py", (1, 1))
        _write(top, {"untracked": "mine\n"})
        assert at(top / "sub").move_branch("main", ahead, expected=at(top).head()) is None
        assert at(top).head() == ahead
        assert (top / "a.py").read_text() == "x = 2\n"
        assert (top / "new/ü.py").read_text() == "n\n"
        assert (top / "run.sh").stat().st_mode & stat.S_IXUSR
        assert git(top, "status", "--porcelain") == "?? untracked"
        assert git(top, "log", "-g", "-1", "--format=%gs", "HEAD") == "headway"

    @pytest.mark.parametrize("stage", [False, True])
    def test_a_tree_with_changes_stays_as_it_is(self, top, ahead, stage):
        _write(top, {"b.py": "mine\n"})
        if stage:
            git(top, "add", "b.py")
        before = state(top)
        told = at(top).move_branch("main", ahead, expected=None)
        assert told is not None
        assert f"checked out in {top}, where 'b.py' differ" in told
        assert f"git -C {top} merge --ff-only {ahead[:12]}" in told
        assert state(top) == before
        git(top, "stash")
        git(top, "merge", "--ff-only", ahead[:12])

    @pytest.mark.parametrize("ignored", [False, True])
    def test_a_file_that_git_does_not_track_is_not_overwritten(self, top, ahead, ignored):
        _write(top, {"new/ü.py": "mine\n"})
        if ignored:
            _write(top, {".git/info/exclude": "new\n"})
        told = at(top).move_branch("main", ahead, expected=None)
        assert told is not None
        assert "'new/ü.py' would be overwritten" in told
        assert (top / "new/ü.py").read_text() == "mine\n"
        assert at(top).head() != ahead

    def test_another_work_tree_follows_or_keeps_its_branch(self, top, tmp_path, ahead):
        side = tmp_path / "si de"
        git(top, "worktree", "add", "-b", "side", str(side))
        git(top, "branch", "side2")
        assert at(top).move_branch("side2", ahead, expected=None) is None
        _write(side, {"b.py": "mine\n"})
        told = at(top).move_branch("side", ahead, expected=at(top).head())
        assert told is not None
        assert f"git -C '{side}' merge" in told
        git(side, "checkout", "b.py")
        assert at(top).move_branch("side", ahead, expected=at(top).head()) is None
        assert (side / "a.py").read_text() == "x = 2\n"
        assert git(side, "status", "--porcelain") == git(top, "status", "--porcelain") == ""
        assert git(side, "log", "-g", "-1", "--format=%gs", "HEAD") == "headway"

    def test_a_work_tree_that_is_gone_holds_no_branch(self, top, tmp_path, ahead):
        git(top, "worktree", "add", "-b", "side", str(tmp_path / "side"))
        os.rename(tmp_path / "side", tmp_path / "away")
        assert at(top).move_branch("side", ahead, expected=None) is None
        assert at(top).ref("refs/heads/side") == ahead

    def test_a_branch_checked_out_twice_stays(self, top, tmp_path, ahead):
        git(top, "worktree", "add", "--force", str(tmp_path / "side"), "main")
        told = at(top).move_branch("main", ahead, expected=None)
        assert told is not None
        assert str(tmp_path / "side") in told
        assert at(top).head() != ahead

    def test_a_branch_of_a_submodule_moves_with_its_tree(self, top, tmp_path, ahead):
        at(top).set_ref("refs/heads/ahead", ahead)
        outer = _begin(tmp_path / "outer")
        git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(top), "inner")
        assert at(outer / "inner").move_branch("main", ahead, expected=None) is None
        assert (outer / "inner/a.py").read_text() == "x = 2\n"

    def test_a_tree_that_git_cannot_change_keeps_its_branch(self, top, ahead):
        first = at(top).head()
        _write(top, {".git/index.lock": ""})
        told = at(top).move_branch("main", ahead, expected=first)
        assert told is not None
        assert "index.lock" in told
        assert at(top).head() == first

    def test_it_says_who_was_faster_and_never_goes_back(self, top, ahead):
        first = at(top).head()
        _write(top, {"b.py": "y = 3\n"})
        _commit_all(top, "faster")
        with pytest.raises(UsageError, match=r"moved by 'Ada' \('commit: faster'\)"):
            at(top).move_branch("main", ahead, expected=first)
        with pytest.raises(UsageError, match="would lose commits"):
            at(top).move_branch("main", ahead, expected=None)
        with pytest.raises(UsageError, match="would lose commits"):
            at(top).move_branch("main", first, expected=at(top).head())

    def test_a_branch_that_has_no_commit_yet_stays(self, top, ahead):
        git(top, "checkout", "--quiet", "--orphan", "empty")
        told = at(top).move_branch("empty", ahead, expected="")
        assert told is not None
        assert "nothing is committed yet" in told

    @pytest.mark.parametrize("branch", ["", "-d", "a..b", "@{-1}", "a b", "HEAD", "x\0"])
    def test_a_name_that_is_none_of_a_branch_is_refused(self, top, ahead, branch):
        with pytest.raises(UsageError):
            at(top).move_branch(branch, ahead, expected=None)


class TestCallersEnvironment:
    def test_a_hook_of_the_user_may_run_us(self, top, tmp_path, monkeypatch):
        other = _begin(tmp_path / "other")
        before, first = state(other), at(top).head()
        for name, value in {
            "GIT_DIR": str(other / ".git"),
            "GIT_WORK_TREE": str(other),
            "GIT_INDEX_FILE": str(other / ".git/index"),
            "GIT_OBJECT_DIRECTORY": str(other / ".git/objects"),
            "GIT_PREFIX": "sub/",
            "GIT_AUTHOR_NAME": "Mallory",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "core.bare",
            "GIT_CONFIG_VALUE_0": "true",
            "GIT_LITERAL_PATHSPECS": "0",
        }.items():
            monkeypatch.setenv(name, value)
        assert at(top).head() == first
        assert at(top).changed() == []
        commit = at(top).commit(first, {"a.py": "2"}, "m")
        at(top).set_ref("refs/headway/1", commit, expected="")
        at(top).add_worktree(tmp_path / "tree", commit)
        assert (tmp_path / "tree/a.py").read_text() == "2"
        assert at(top).move_branch("main", commit, expected=first) is None
        at(top).remove_worktree(tmp_path / "tree")
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            monkeypatch.delenv(name)
        assert state(other) == before
        assert registered(top) == registered(other) == 0
        assert git(top, "log", "-1", "--format=%an") == "Headway"

    def test_another_language_does_not_matter(self, top, tmp_path, monkeypatch):
        monkeypatch.setenv("LANGUAGE", "de")
        monkeypatch.setenv("LC_MESSAGES", "de_DE.UTF-8")
        assert GitRepository.at(tmp_path) is None
        assert at(top).head()
