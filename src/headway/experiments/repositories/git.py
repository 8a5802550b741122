"""Git on the host, for candidates that nobody trusts: a worktree for each trial, a commit for each candidate.

Every call runs in a work tree of the user, without hooks, and without what the caller's environment says of git. What a
candidate left in its worktree is never read, not even its `.git`: which worktrees there are, the repository's
administrative folders say.
"""

import contextlib
import os
import re
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from headway.core import HeadwayError, UsageError
from headway.experiments.repositories.calling import Answer, ask, sayable
from headway.experiments.repositories.erasing import erase

__all__ = ["GitRepository"]

_BYTE_FOR_BYTE = ("-c", "core.autocrlf=false", "-c", "core.eol=lf")
_PASSING = re.compile(r"^(?!.*(already exists|invalid reference|No space left))", re.DOTALL)
_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PLAIN_MODES = ("100644", "100755")
_FOLDER_MODE = "040000"
_OBEYED = (".gitattributes", ".gitmodules", ".lfsconfig")  # they name filters and addresses that git uses on the host
_OUTSIDE = ("not a git repository", "must be run in a work tree")
_REMOVED = "headway-removed-"
_NAME, _EMAIL = "Headway", "headway@localhost"


@dataclass(frozen=True, slots=True)
class GitRepository:
    """Hold where an experiment's files lie in a repository: its folder, the work tree's root, the path between them.

    `prefix` is empty where the folder is the root. `common` is the folder `.git` that all worktrees share. Paths of
    files are relative to `folder`. Whatever git refuses is raised as `HeadwayError` with git's last line.
    """

    folder: Path
    top: Path
    prefix: str
    common: Path

    @classmethod
    def at(cls, folder: Path) -> "GitRepository | None":
        """Return the repository that a folder lies in; None where git is absent, or no work tree is around the folder.

        Raises `UsageError` for a repository that git refuses to read, as one of another user.
        """
        if shutil.which("git") is None:
            return None
        answer = ask(folder, "rev-parse", "--show-toplevel", "--git-common-dir")
        if answer.code != 0:
            if any(told in answer.error for told in _OUTSIDE):
                return None
            raise UsageError(f"Git cannot use the repository of {folder}: {' '.join(answer.error.split())}")
        top, common = (Path(line) for line in answer.text.split("\n")[:2])
        real = folder.resolve()
        if not real.is_relative_to(top):
            return None
        prefix = real.relative_to(top).as_posix()
        return cls(folder=real, top=top, prefix="" if prefix == "." else prefix, common=(real / common).resolve())

    def head(self) -> str:
        """Return the id of the commit that is checked out. Raises `UsageError` where there is none yet."""
        answer = self._ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if answer.code != 0:
            where = shlex.quote(str(self.top))
            raise UsageError(
                f"The repository {self.top} has no commit yet, and trials begin with one. Type: "
                f"cd {where} && git add -A && git commit -m 'First commit'"
            )
        return answer.text

    def tree(self, commit: str) -> str:
        """Return the id of the folder's content at a commit: equal in all commits that do not change the folder."""
        answer = self._ask("rev-parse", "--verify", "--quiet", f"{self._commit(commit)}:{self.prefix}")
        if answer.code != 0:
            raise UsageError(self._no_folder(commit))
        return answer.text

    def changed(self) -> list[str]:
        """Return the tracked files of the folder that differ from the last commit, staged or not."""
        below = f"{self.prefix}/" if self.prefix else ""
        return [path.removeprefix(below) for path in _changed(self.top, self.prefix)]

    def tracked(self, path: str) -> bool:
        """Tell whether git tracks the file."""
        whole = self._path(path)
        return whole in self._tell("ls-files", "-z", "--", whole).split("\0")

    def read(self, commit: str, path: str) -> str | None:
        """Return a file's text at a commit, line ends as they are; None where there is no plain file of that name.

        Raises `UsageError` for a file that is no UTF-8 text.
        """
        whole = self._path(path)
        entry = self._entries(commit, whole).get(whole)
        if entry is None or entry.mode not in _PLAIN_MODES:
            return None
        answer = self._ask("cat-file", "blob", entry.id)
        try:
            return answer.require("cat-file", self.top).out.decode()
        except UnicodeDecodeError as error:
            raise UsageError(f"{path!r} is no UTF-8 text at {commit[:12]}. Name a text file.") from error

    def add_worktree(self, place: Path, commit: str) -> Path:
        """Check a commit out into a new folder `place`, byte for byte, and return the experiment's folder in it.

        Safe beside other processes that do the same. Raises `UsageError` where the commit does not hold the folder.
        """
        words = ("worktree", "add", "--quiet", "--detach", str(place.absolute()), self._commit(commit))
        answer = ask(self.top, *words, settings=_BYTE_FOR_BYTE, again=_PASSING)
        answer.require("worktree add", self.top)
        inside = place / self.prefix
        if not inside.is_dir():
            self.remove_worktree(place)
            raise UsageError(self._no_folder(commit))
        return inside

    def remove_worktree(self, place: Path) -> None:
        """Remove a worktree with all that lies in it, whatever a candidate made of it, and git's record of it.

        No link is followed, and the tree's own `.git` is not read. Where the system does not let something go, the
        rest is removed, and git's record stays so that `tidy` tries again. Raises `UsageError` for a place that holds
        the user's own work tree.
        """
        real = _real(place)
        if any(own.is_relative_to(real) for own in (self.top, self.common)):
            raise UsageError(f"{place} holds the repository itself. Name the folder of a worktree that was added.")
        if erase(real):
            for admin, registered in self._worktrees():
                if registered == real:
                    self._forget(admin)

    def tidy(self, below: Path) -> int:
        """Remove the worktrees below a folder, as a killed engine leaves them, and count those that are gone."""
        real, count = below.resolve(), 0
        for _, place in list(self._worktrees()):
            if real in place.parents and not self.top.is_relative_to(place):
                self.remove_worktree(place)
                count += not os.path.lexists(place)
        for gone in self.common.glob(f"{_REMOVED}*"):
            erase(gone)
        return count

    def commit(self, parent: str, files: Mapping[str, str], message: str) -> str:
        """Make a commit with the parent's files, except that `files` have new texts, and return its id.

        No work tree, index or branch is touched. A file keeps its mode. The author is who git knows, else Headway.
        Raises `UsageError` for an empty message, for a path that is none of a plain file, and for a changed file that
        git itself obeys (`.gitattributes` and its like).
        """
        told = message.replace("\0", "")
        if not told.strip():
            raise UsageError("The commit's message is empty. Say in a line what the candidate tries.")
        whole = {self._path(path): text for path, text in files.items()}
        start = self._commit(parent)
        with tempfile.TemporaryDirectory(prefix="headway-git-") as scratch:
            tree = self._write_tree(start, whole, Path(scratch))
        words = ("commit-tree", "--no-gpg-sign", tree, "-p", start, "-F", "-")
        settings = ("-c", "i18n.commitEncoding=UTF-8", *self._identity())
        answer = ask(self.top, *words, given=told.encode(errors="replace"), settings=settings)
        return answer.require("commit-tree", self.top).text

    def ref(self, name: str) -> str | None:
        """Return the id that a ref (its full name, as refs/headway/12) stands at; None where there is none."""
        self._require_ref(name)
        found = self._tell("for-each-ref", "--format=%(objectname) %(refname)", name)
        ids = {full: commit for commit, _, full in (line.partition(" ") for line in found.splitlines())}
        return ids.get(name)

    def set_ref(self, name: str, commit: str, *, expected: str | None = None) -> None:
        """Let a ref stand at a commit; where `expected` is given, only if it stood there ("": if there was none).

        Raises `UsageError` that says who moved it otherwise.
        """
        self._require_ref(name)
        self._point(self.top, name, self._commit(commit), expected)

    def move_branch(self, branch: str, commit: str, *, expected: str | None) -> str | None:
        """Move a branch forward to a commit; return None, or a sentence that says why it stays and what to do.

        A work tree that has the branch checked out follows, if it is clean and no other file lies in the way; else the
        branch stays. Raises `UsageError` where it does not stand at `expected`, or the commit is not ahead of it.
        """
        name, ahead = self._require_branch(branch), self._commit(commit)
        current = self.ref(name)
        if expected is not None and (current or "") != expected:
            raise UsageError(self._moved(name, current, expected))
        if current == ahead:
            return None
        if current is not None:
            self._require_ahead(branch, current, ahead)
        places = self._checked_out(name)
        if not places:
            self._point(self.top, name, ahead, current or "")
            return None
        hindrance = _hindrance(places, current, ahead)
        if current is not None and hindrance is None:
            hindrance = self._follow(places[0], name, current, ahead)
        if hindrance is None:
            return None
        return (
            f"The branch {branch!r} was not moved: it is checked out in {places[0]}, where {hindrance}, then type: "
            f"git -C {shlex.quote(str(places[0]))} merge --ff-only {ahead[:12]}"
        )

    def _ask(self, *words: str) -> "Answer":
        return ask(self.top, *words)

    def _tell(self, *words: str) -> str:
        return ask(self.top, *words).require(words[0], self.top).text

    def _path(self, path: str) -> str:
        """Return a path of the folder as one of the work tree."""
        pure = PurePosixPath(path)
        parts = [part.lower() for part in pure.parts]
        if not parts or pure.is_absolute() or ".." in parts or ".git" in parts or not sayable(path):
            raise UsageError(f"{path!r} is no path of a file in {self.folder}. Name one relative to that folder.")
        return (PurePosixPath(self.prefix) / pure).as_posix()

    def _commit(self, name: str) -> str:
        if _FULL_ID.fullmatch(name):
            return name
        answer = None if name.startswith("-") else self._ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        if answer is None or answer.code != 0:
            raise UsageError(f"There is no commit {name!r} in {self.top}. Give a commit's id, as git log shows it.")
        return answer.text

    def _no_folder(self, commit: str) -> str:
        where = shlex.quote(str(self.folder))
        return (
            f"The commit {commit[:12]} does not hold the folder {self.prefix!r} of {self.top}. "
            f"Commit it: cd {where} && git add -A . && git commit"
        )

    def _entries(self, commit: str, below: str, *options: str) -> dict[str, "_Entry"]:
        words = ("ls-tree", "-z", "--full-tree", *options, self._commit(commit), *(("--", below) if below else ()))
        found = self._tell(*words)
        rows = (line.partition("\t") for line in found.split("\0") if line)
        return {path: _Entry(*head.split(" ")) for head, _, path in rows}

    def _write_tree(self, start: str, files: Mapping[str, str], scratch: Path) -> str:
        """Write the tree of the commit `start` with new texts of `files`, by an index of its own in `scratch`."""
        entries = self._entries(start, self.prefix, "-r", "-t")
        blobs = self._write_blobs(files, scratch)
        for path, blob in blobs.items():
            _require_plain(path, blob, entries, files)
        modes = {path: entries[path].mode if path in entries else _PLAIN_MODES[0] for path in files}
        lines = "".join(f"{modes[path]} {blob}\t{path}\0" for path, blob in blobs.items())
        index = {"GIT_INDEX_FILE": str(scratch / "index")}
        ask(self.top, "read-tree", start, variables=index).require("read-tree", self.top)
        answer = ask(self.top, "update-index", "-z", "--index-info", given=_encoded(lines), variables=index)
        ignored = re.search(r"Ignoring path (.+)", answer.require("update-index", self.top).error)
        if ignored is not None:  # git calls that a success
            raise UsageError(f"Git takes no file named {ignored[1]!r}. Give it another name.")
        return ask(self.top, "write-tree", variables=index).require("write-tree", self.top).text

    def _write_blobs(self, files: Mapping[str, str], scratch: Path) -> dict[str, str]:
        places: list[str] = []
        for number, (path, text) in enumerate(files.items()):
            place = scratch / str(number)
            try:
                place.write_bytes(text.encode())
            except UnicodeEncodeError as error:
                raise UsageError(f"The new text of {path!r} is no text: {error}. Give what UTF-8 can hold.") from error
            places.append(f"{place}\n")
        words = ("hash-object", "-w", "--no-filters", "--stdin-paths")
        answer = ask(self.top, *words, given=_encoded("".join(places))).require("hash-object", self.top)
        return dict(zip(files, answer.text.split(), strict=True))

    def _identity(self) -> Sequence[str]:
        """Return the settings of an author where the user has configured none."""
        found = self._ask("config", "-z", "--get-regexp", r"^user\.(name|email)$").text.split("\0")
        known = {name for name, _, value in (item.partition("\n") for item in found) if value.strip()}
        return () if len(known) == 2 else ("-c", f"user.name={_NAME}", "-c", f"user.email={_EMAIL}")

    def _require_ref(self, name: str) -> None:
        if not name.startswith("refs/") or self._ask("check-ref-format", name).code != 0:
            raise UsageError(f"{name!r} is no name of a ref. Expected one as 'refs/headway/12' (git check-ref-format).")

    def _require_branch(self, branch: str) -> str:
        answer = self._ask("check-ref-format", "--branch", branch)
        if answer.code != 0 or answer.text != branch:
            raise UsageError(f"{branch!r} is no name of a branch. Expected one as 'main' (git check-ref-format).")
        return f"refs/heads/{branch}"

    def _require_ahead(self, branch: str, current: str, commit: str) -> None:
        answer = self._ask("merge-base", "--is-ancestor", current, commit)
        if answer.code == 1:
            raise UsageError(
                f"The branch {branch!r} stands at {current[:12]}, which {commit[:12]} does not follow: "
                "to move it would lose commits. Name another branch, or rebase the commit."
            )
        answer.require("merge-base", self.top)

    def _point(self, at: Path, name: str, commit: str, expected: str | None) -> None:
        """Move a ref, asked for in the work tree `at`, whose reflog of HEAD then tells it too."""
        old = () if expected is None else (self._commit(expected) if expected else "",)
        answer = ask(at, "update-ref", "-m", "headway", name, commit, *old)
        if answer.code != 0 and expected is not None:
            now = self.ref(name)
            if (now or "") != expected:
                raise UsageError(self._moved(name, now, expected))
        answer.require("update-ref", self.top)

    def _moved(self, name: str, now: str | None, expected: str) -> str:
        stands = f"stands at {now[:12]}" if now else "is gone"
        wanted = f"was expected at {expected[:12]}" if expected else "was expected not to be there yet"
        return f"{name} {stands}, and {wanted}. {self._mover(name) if now else ''}Look at it, then try again."

    def _mover(self, name: str) -> str:
        words = ("log", "-1", "--no-show-signature", "--no-decorate")
        logged = self._ask(*words, "-g", "--format=%gn%x00%gs", name, "--").text
        if logged:
            who, _, why = logged.partition("\0")
            return f"It was moved by {who!r} ({why!r}). "
        return f"Its commit is by {self._ask(*words, '--format=%an', name, '--').text!r}. "

    def _checked_out(self, name: str) -> list[Path]:
        """Return the work trees that have a branch checked out, by what the administrative folders say."""
        own = [self.top] if self._ask("symbolic-ref", "--quiet", "HEAD").text == name else []
        blocks = self._tell("worktree", "list", "--porcelain").split("\n\n")
        told = [lines[0] for lines in map(str.splitlines, blocks) if f"branch {name}" in lines]
        trees = [Path(line.removeprefix("worktree ")) for line in told]
        # The tree of a submodule is listed by its folder of git.
        return [*own, *(tree for tree in trees if tree not in (self.top, self.common) and tree.is_dir())]

    def _follow(self, place: Path, name: str, old: str, new: str) -> str | None:
        """Move a branch and the clean work tree that has it checked out; return why that tree refused.

        The ref goes first, compared and swapped: `git reset --keep` would take along, unseen, what somebody commits
        at this very moment.
        """
        self._point(place, name, new, old)
        answer = ask(place, "read-tree", "-m", "-u", old, new)
        if answer.code == 0:
            return None
        self._point(place, name, old, new)
        return f"git says: {answer.last_line}. Put that right"

    def _worktrees(self) -> Iterator[tuple[Path, Path]]:
        """Yield the administrative folder and the place of each worktree that was added."""
        for admin in sorted((self.common / "worktrees").glob("*")):
            with contextlib.suppress(OSError):
                told = os.fsdecode((admin / "gitdir").read_bytes()).rstrip("\n")
                if told:
                    yield admin, _real((admin / told).parent)

    def _forget(self, admin: Path) -> None:
        """Remove an administrative folder: in one step for other processes, to which half of one is an error."""
        gone = self.common / f"{_REMOVED}{secrets.token_hex(8)}"
        try:
            os.rename(admin, gone)
        except FileNotFoundError:
            return
        except OSError as error:
            raise HeadwayError(f"{admin} cannot be removed: {error.strerror}. Type: git worktree prune") from error
        erase(gone)


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    kind: str
    id: str


def _changed(tree: Path, below: str = "") -> list[str]:
    words = ("status", "--porcelain", "-z", "--untracked-files=no", "--no-renames", *(("--", below) if below else ()))
    return [item[3:] for item in ask(tree, *words).require("status", tree).text.split("\0") if item]


def _hindrance(places: Sequence[Path], old: str | None, new: str) -> str | None:
    """Return why a work tree cannot follow its branch, and what to do; None where it can."""
    if old is None:
        return "nothing is committed yet. Move its files away"
    if len(places) > 1:
        return f"it is checked out in {places[1]} too. Check another branch out there"
    ask(places[0], "update-index", "-q", "--refresh")
    changed = _changed(places[0])
    if changed:
        return f"{_some(changed)} differ from its last commit. Put the changes aside (git stash)"
    words = ("diff-tree", "-r", "-z", "--no-renames", "--name-only", "--diff-filter=A", old, new)
    added = ask(places[0], *words).require("diff-tree", places[0]).text.split("\0")
    in_way = [path for path in added if path and os.path.lexists(places[0] / path)]  # git overwrites what it ignores
    return f"{_some(in_way)} would be overwritten, which git does not track. Move that away" if in_way else None


def _some(paths: Sequence[str]) -> str:
    return ", ".join(repr(path) for path in paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _require_plain(path: str, blob: str, entries: Mapping[str, _Entry], files: Mapping[str, str]) -> None:
    """Raise `UsageError` unless a commit of `entries` may have a new text at `path`, as one of `files`."""
    here = entries.get(path)
    if here is not None and here.mode not in _PLAIN_MODES:
        raise UsageError(f"{path!r} is no plain file but a link or a folder. Name a plain file.")
    for above in PurePosixPath(path).parents:
        entry = entries.get(above.as_posix())
        if above.as_posix() in files or (entry is not None and entry.mode != _FOLDER_MODE):
            raise UsageError(f"{path!r} lies below {above.as_posix()!r}, which is no folder. Name another place.")
    if PurePosixPath(path).name in _OBEYED and (here is None or here.id != blob):
        raise UsageError(f"{path!r} cannot be changed by a candidate: git on this machine obeys it. Leave it as it is.")


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _real(place: Path) -> Path:
    """Return a place without links on the way to it; it may be a link itself."""
    whole = Path(os.path.abspath(place))
    return whole.parent.resolve() / whole.name
