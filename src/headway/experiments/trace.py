"""See which files a process reads, by an audit hook: project modules, data files, installed packages, subprocesses.

Each new sight is appended to the trace file at once, one entry ended by a zero byte, so that forked children and killed
processes leave theirs too. The first letter is the kind:

    h             the hook is in place
    m PATH        a module of the project was imported
    f PATH        a file was opened for reading
    w PATH        a file was opened for writing (what a trial wrote itself is no input)
    s DIR NAME    the package NAME in the site folder DIR was imported (a tab stands between them)
    x WHAT        something happened that the hook cannot look into: a subprocess, a database

This file imports nothing of Headway: it is also loaded into the interpreters that commands start.
"""

import contextlib
import os
import sys
import sysconfig

__all__ = ["Entry", "loaded", "read", "start", "stop", "tell"]

Entry = tuple[str, str]

_OPAQUE = {
    "subprocess.Popen": "subprocess",
    "os.system": "subprocess",
    "os.posix_spawn": "subprocess",
    "os.exec": "subprocess",
    "sqlite3.connect": "sqlite3",
}
# multiprocessing starts fresh interpreters without an audit event of their own
_STARTERS = ("multiprocessing.popen_spawn_posix", "multiprocessing.popen_forkserver")
_SITE = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_HEADWAY = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

_file = -1
_installed = False
_seen: set[bytes] = set()
_written: set[str] = set()
_ignored: tuple[str, ...] = ()


def start(path: str, ignore: tuple[str, ...] = (), keep: bool = False) -> None:
    """Trace into the file at `path` from now on; files below the folders in `ignore` are not of interest.

    A hook cannot be removed, so a forked child calls this again with a file of its own; with `keep` it does not write
    again what its parent saw.
    """
    global _file, _ignored, _installed
    stop()
    _file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o644)
    paths = sysconfig.get_paths()
    standard = (paths["stdlib"], paths["platstdlib"], "/proc", "/dev", "/sys", "/etc", "/usr/share/zoneinfo")
    _ignored = tuple(os.path.abspath(folder).rstrip(os.sep) + os.sep for folder in (*standard, *ignore))
    _seen.discard(b"h")
    if not keep:
        _seen.clear()
        _written.clear()
    _write("h", "")
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)


def loaded() -> None:
    """Trace what was imported before the trace began."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str):
            _saw(os.path.abspath(file), imported=True)


def stop() -> None:
    """Trace nothing until `start` is called again."""
    global _file
    if _file >= 0:
        os.close(_file)
    _file = -1


def tell(path: str, what: str) -> None:
    """Add to the trace at `path` that `what` runs, which no hook can look into."""
    with open(path, "ab") as file:
        file.write(b"x" + os.fsencode(what) + b"\0")


def read(path: str) -> list[Entry]:
    """Return the entries of a trace file as (kind, rest), each once."""
    try:
        with open(path, "rb") as file:
            parts = file.read().split(b"\0")
    except FileNotFoundError:
        return []
    return [(part[:1].decode(), os.fsdecode(part[1:])) for part in dict.fromkeys(parts) if part]


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _file < 0:
        return
    if event == "open":
        name = arguments[0]
        if isinstance(name, (str, bytes)):
            _opened(os.fsdecode(name), arguments[1], arguments[2])
    elif event in _OPAQUE:
        _write("x", _OPAQUE[event])
    elif event == "import" and arguments[0] in _STARTERS:
        _write("x", "subprocess")


def _opened(name: str, mode: object, flags: object) -> None:
    path = os.path.abspath(name)
    writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else False
    if not isinstance(mode, str) and isinstance(flags, int):
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
    if not writes:
        _saw(path, imported=_by_import())
    elif not (any(site in path for site in _SITE) or path.startswith(_HEADWAY) or path.startswith(_ignored)):
        _written.add(path)
        _write("w", path)


def _saw(path: str, *, imported: bool) -> None:
    for site in _SITE:
        cut = path.find(site)
        if cut >= 0:
            if imported:
                package = path[cut + len(site) :].split(os.sep, 1)[0]
                _write("s", path[: cut + len(site) - 1] + "\t" + package.split(".", 1)[0])
            return
    if path.startswith(_HEADWAY) or path.startswith(_ignored) or path in _written:
        return
    if imported:
        _write("m", _source(path))
    else:
        _write("f", path)


def _by_import() -> bool:
    # frames: this function, _opened, _hook, then whoever called open; nobody, when the interpreter opens its script
    try:
        return sys._getframe(3).f_code.co_filename.startswith("<frozen importlib")  # pyright: ignore[reportPrivateUsage]
    except ValueError:
        return False


def _source(path: str) -> str:
    if path.endswith(".pyc"):
        import importlib.util

        try:
            return importlib.util.source_from_cache(path)
        except (ValueError, NotImplementedError):
            return path
    return path


def _write(kind: str, rest: str) -> None:
    entry = kind.encode() + os.fsencode(rest)
    if entry in _seen or _file < 0:
        return
    _seen.add(entry)
    with contextlib.suppress(OSError):  # a full disk must not change what the experiment does
        os.write(_file, entry + b"\0")
