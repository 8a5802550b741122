"""Run a command that nobody trusts: in namespaces of its own, seeing what it was given and no more (bubblewrap)."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from headway.core import UsageError
from headway.sandbox import seccomp
from headway.sandbox.collect import Kept
from headway.sandbox.limits import SandboxLimits
from headway.sandbox.running import KEEPER, Ended, Running
from headway.sandbox.view import (
    Mount,
    linked_elsewhere,
    ordered,
    protecting,
    spread,
    straight,
    system_mounts,
)

__all__ = ["Sandbox", "bubblewrap"]

_OLDEST = (0, 8, 0)  # the first with --disable-userns, and --size
_USER = "1000"
_ALWAYS_HIDDEN = (".headway",)
_ALWAYS_READ_ONLY = (".git",)  # Git on the host runs programs that are named in it
_ETC = {
    "passwd": f"headway:x:{_USER}:{_USER}::/tmp:/bin/sh\n",
    "group": f"headway:x:{_USER}:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """Say what a command sees, may write and may use. Commands run in the folder `root`, at the path it has outside.

    - `readable`: files and folders of the host, shown read-only at their paths (`interpreter_paths` names those of a
      Python). Beside them there are /usr and a few files of /etc; no home, no store, no other trial, no network.
    - `writable`: folders in the root, or the root itself (`"."`): what is written stays, and grows up to
      `limits.disk_bytes`. The rest of the root is read-only.
    - `scratch`: folders in the root, or the root itself, in which new files may be made. They lie in memory, the kernel
      holds them to `limits.scratch_bytes`, and go with the sandbox; what is worth it is named as `keep`.
    - `readonly` and `hidden`: exceptions within what is writable, or within what is shown. `.git` is always
      read-only, `.headway` always hidden.
    - `environment`: all the variables it gets, beside PATH, HOME, TMPDIR and LANG.
    - `devices`: device files, such as /dev/nvidia0. A GPU's driver is then within the command's reach.

    Two commands that run at one time must not share a writable folder.
    """

    root: Path
    readable: Sequence[Path] = ()
    writable: Sequence[str | Path] = ()
    scratch: Sequence[str | Path] = ()
    readonly: Sequence[str | Path] = ()
    hidden: Sequence[str | Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    devices: Sequence[Path] = ()
    limits: SandboxLimits = field(default_factory=SandboxLimits)

    def run(
        self,
        command: Sequence[str],
        *,
        keep: Sequence[str] = (),
        into: Path | None = None,
        merge: bool = False,
        on_output: Callable[[bytes], None] | None = None,
    ) -> Ended:
        """Run a command to its end; copy the files and folders `keep` (paths in the root) to the folder `into`.

        `merge` puts both streams into `stdout`, in their order. Nothing of the command is left when this returns.
        Raises `UsageError` where the sandbox cannot be meant, `HeadwayError` where the machine cannot make it.
        """
        if keep and into is None:
            raise UsageError("Sandbox.run(keep=...) needs into=, the folder of the host that the files are copied to.")
        with self.popen(command, merge=merge, on_output=on_output) as running:
            running.wait()
            kept = Kept((), ())
            if keep and into is not None:
                kept = running.keep(self.root.resolve(), keep, into, self.limits.disk_bytes)
            return running.close(kept)

    def popen(
        self,
        command: Sequence[str],
        *,
        merge: bool = False,
        on_output: Callable[[bytes], None] | None = None,
        passed: Sequence[int] = (),
        inputs: Mapping[int, Callable[[bytes], None]] | None = None,
        shown: Sequence[Mount] = (),
        lasting: bool = False,
    ) -> Running:
        """Start a command. The caller steps and closes what is returned.

        `passed` are descriptors that the command gets under their numbers; `inputs` are others that are read while it
        runs, and what to do with what comes; `shown` are further mounts. `GuardedEvaluation` uses these.

        A `lasting` command keeps the sandbox for many candidates (`WarmSandbox`). It is the first process itself, which
        nobody in the sandbox can end, and reads the word to begin. What outlives its maker there (shared memory and
        semaphores of System V, message queues) cannot be made.
        """
        if not command or not all(isinstance(word, str) and "\0" not in word for word in command):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(f"The command {command!r} cannot be run. Give a list of words: ['python', 'train.py'].")
        view = self._view(shown)
        status = os.pipe()
        data = [seccomp.open_program(text.encode()) for text in _ETC.values()]
        program = seccomp.filter_program(lasting=lasting)
        filters = [] if program is None else [seccomp.open_program(program)]
        try:
            arguments = [
                *(str(bubblewrap()), *_namespaces(status[1])),
                *(word for number in filters for word in ("--seccomp", str(number))),
                *(word for name, value in self._variables().items() for word in ("--setenv", name, value)),
                *system_mounts(),
                *(
                    word
                    for name, n in zip(_ETC, data, strict=True)
                    for word in ("--ro-bind-data", str(n), f"/etc/{name}")
                ),
                *("--proc", "/proc", "--dev", "/dev"),
                *(word for device in self.devices for word in ("--dev-bind", str(device), str(device))),
                *(word for mount in view for word in mount.arguments(self.limits.scratch_bytes)),
                # Last, as nothing can be mounted afterwards. Root may write to /proc/sys without any capability.
                *("--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/"),
                *("--chdir", str(self.root.resolve()), "--", *_keeper(lasting=lasting), *command),
            ]
            return Running(
                arguments,
                limits=self.limits,
                writable=_outermost(self._paths(self.writable)),
                status=status,
                passed=(*passed, *data, *filters),
                inputs=inputs,
                on_output=on_output,
                merge=merge,
            )
        finally:
            for number in (*data, *filters):
                os.close(number)

    def _variables(self) -> Mapping[str, str]:
        for name, value in self.environment.items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or "\0" in value:
                raise UsageError(f"The environment has {name!r}={value!r}, which no program can be given.")
        return {**_ENVIRONMENT, **self.environment}

    def _paths(self, paths: Sequence[str | Path]) -> list[Path]:
        return [straight(self.root.resolve(), path) for path in paths]

    def _view(self, shown: Sequence[Mount]) -> Sequence[Mount]:
        """Return all mounts, parents first."""
        root = self.root.resolve()
        if not root.is_dir() or len(root.parts) < 3:
            raise UsageError(f"The sandbox's folder {self.root} is no folder, or one of the system's. Give a worktree.")
        writable, scratch = self._paths(self.writable), self._paths(self.scratch)
        hidden = self._hidden(root)
        readonly = self._readonly(root, hidden)
        for folder in writable:
            self._check_writable(folder, [*readonly, *hidden, *scratch])
        special = [*writable, *scratch, *readonly, *hidden]
        mounts = [
            Mount(Path("/tmp"), "scratch"),
            Mount(Path("/dev/shm"), "scratch"),
            *(self._readable(path) for path in self.readable),
            *([] if root in (*writable, *scratch) else [Mount(root, "read")]),
            *(Mount(path, "write") for path in writable),
            *(Mount(path, "scratch") for path in scratch),
            *(Mount(path, "hide") for path in hidden),
            *(Mount(path, "read") for path in readonly),
            *(mount for path in scratch for mount in spread(path, special)),
            *(
                mount
                for path in (*scratch, *readonly, *hidden)
                for mount in protecting(path, writable)
                if mount.path not in special
            ),
            *shown,
        ]
        return ordered(mounts)

    def _hidden(self, root: Path) -> list[Path]:
        """Return what is to be covered: paths in the root, and absolute ones. What is not there needs no cover."""
        wanted = [root / name for name in (*_ALWAYS_HIDDEN, *self.hidden)]
        found = [straight(root, path) if root in path.parents else path.resolve() for path in wanted]
        shown = [root, Path("/usr"), *(path.resolve() for path in self.readable)]
        covered = [path for path in found if path.exists() and any(above in path.parents for above in shown)]
        if any(path in self.readable or path == root for path in found):
            raise UsageError("The sandbox is to show and to hide one path. Leave it out of readable, or of hidden.")
        return list(dict.fromkeys(covered))

    def _readonly(self, root: Path, hidden: Sequence[Path]) -> list[Path]:
        wanted = [straight(root, name) for name in self.readonly]
        for path in wanted:
            if not path.exists():
                raise UsageError(
                    f"The read-only path {path} is not there, so the command could make it. Add it, or leave it out."
                )
        always = [root / name for name in _ALWAYS_READ_ONLY if os.path.lexists(root / name)]
        return list(
            dict.fromkeys(path for path in (*wanted, *(straight(root, path) for path in always)) if path not in hidden)
        )

    def _check_writable(self, folder: Path, covered: Sequence[Path]) -> None:
        if not folder.is_dir():
            raise UsageError(f"The writable folder {folder} is not there. Make it first.")
        linked = linked_elsewhere(folder, covered)
        if linked is not None:
            raise UsageError(
                f"{linked} has other names (hard links), so writing to it would change them too. "
                "Copy it, or make it readonly."
            )

    def _readable(self, path: Path) -> Mount:
        whole = Path(os.path.abspath(path))
        if not whole.exists():
            raise UsageError(f"The readable path {whole} is not there.")
        if len(whole.parts) < 2 or whole in (Path("/proc"), Path("/dev"), Path("/sys"), Path("/run"), Path("/etc")):
            raise UsageError(
                f"The readable path {whole} shows more than a candidate may see. Name what it needs in it."
            )
        return Mount(whole, "read")


def _keeper(*, lasting: bool) -> Sequence[str]:
    return () if lasting else ("/bin/sh", "-c", KEEPER, "sandbox")


def _outermost(paths: Sequence[Path]) -> Sequence[Path]:
    """Leave out what lies in another one, so that nothing is counted twice."""
    return [path for path in dict.fromkeys(paths) if not any(other in path.parents for other in paths)]


def _namespaces(status: int) -> Sequence[str]:
    """Return the arguments for namespaces, privileges and the tie to this process."""
    return (
        *("--unshare-all", "--unshare-user", "--disable-userns", "--uid", _USER, "--gid", _USER, "--cap-drop", "ALL"),
        *("--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "sandbox", "--clearenv"),
        *("--json-status-fd", str(status)),
    )


@cache
def bubblewrap() -> Path:
    """Return where bubblewrap is. Raises `UsageError` where there is none, or one that is too old."""
    found = shutil.which("bwrap")
    how = "Type: apt install bubblewrap   (or your system's way)."
    if found is None:
        raise UsageError(f"Code that nobody trusts runs in bubblewrap (bwrap), which is not installed. {how}")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", said)[:3])
    if version < _OLDEST:
        raise UsageError(f"{found} is {said.strip() or 'broken'}, and 0.8.0 or newer is needed. {how}")
    return Path(found)
