"""See which files a process reads, by an audit hook: project modules, data files, installed packages, subprocesses.

Each new sight is appended to the trace file at once, one entry ended by a zero byte, so that forked children and killed
processes leave theirs too. The first letter is the kind:

    a NUMBER      an attempt begins, in a file that attempts use one after the other
    h             the hook is in place
    m PATH        a module of the project was imported
    f PATH        a file was opened for reading
    t STAMP PATH  what a file of either kind looked like at that moment: inode, size, mtime in ns, joined by commas
    w PATH        a file was opened for writing (what a trial wrote itself is no input)
    s DIR NAME    the package NAME in the site folder DIR was imported (a tab stands between them)
    x WHAT        something happened that the hook cannot look into: a subprocess, a database

This file imports nothing of Headway: it is also loaded into the interpreters that commands start.
"""

import errno
import os
import sys
import sysconfig
from functools import cache
from types import ModuleType

__all__ = ["Entry", "loaded", "own", "parse", "problem", "read", "stamp", "start", "stop", "tell"]

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

_LARGEST_KEPT = 256 * 1024  # bytes of a file that goes from one attempt to the next

_file = -1
_path = ""  # of the trace itself
_problem: OSError | None = None
_installed = False
_seen: set[bytes] = set()
_written: set[str] = set()
_ignored: tuple[str, ...] = ()
_loaded: tuple[tuple[int, str], tuple[bytes, ...]] = ((0, ""), ())  # the modules at the last look, and their entries
_sights: dict[tuple[str, int], tuple[bytes, ...]] = {}  # of modules that were imported before the trace began


def start(path: str, ignore: tuple[str, ...] = (), keep: bool = False, attempt: int = 0) -> None:
    """Trace into the file at `path` from now on; files below the folders in `ignore` are not of interest.

    A hook cannot be removed, so a forked child calls this again with a file of its own; with `keep` it does not write
    again what its parent saw. The file of an `attempt` may hold what earlier ones left; see `own`.
    """
    global _file, _ignored, _installed, _loaded, _path, _problem
    stop()
    _path = os.path.abspath(path)
    _file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o644)
    if attempt and os.fstat(_file).st_size > _LARGEST_KEPT:  # cutting it each time costs more than all else here
        os.ftruncate(_file, 0)
    ignored = (*_standard(), *_prefixes(ignore))
    if ignored != _ignored:
        _ignored = ignored
        _loaded = ((0, ""), ())
        _sights.clear()
    _seen.discard(b"h")
    if not keep:
        _problem = None
        _seen.clear()
        _written.clear()
    _write(*([b"a%d" % attempt] if attempt else []), b"h")
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)


def loaded() -> None:
    """Trace what was imported before the trace began."""
    global _loaded
    there = (len(sys.modules), next(reversed(sys.modules)))  # imports come last
    if there != _loaded[0]:
        _loaded = (there, _entries(list(sys.modules.values())))
    _write(*_loaded[1])


def _entries(modules: list[ModuleType]) -> tuple[bytes, ...]:
    found: dict[bytes, None] = {}
    for module in modules:
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and (os.path.isabs(file) or os.path.exists(file)):  # torch.ops names no file
            key = (file, id(getattr(module, "__spec__", None)))  # a module that is loaded again gets another spec
            if key not in _sights:  # the stamp is that of the first look: what was loaded is not what is there later
                _sights[key] = _sight(os.path.abspath(file), imported=True)
            found.update(dict.fromkeys(_sights[key]))
    return tuple(found)


def stop() -> None:
    """Trace nothing until `start` is called again."""
    global _file
    if _file >= 0:
        os.close(_file)
    _file = -1


def problem() -> OSError | None:
    """Return why the trace is not whole, None where it is: of what it lacks, no change would be found."""
    return _problem


def tell(path: str, what: str) -> None:
    """Add to the trace at `path` that `what` runs, which no hook can look into."""
    with open(path, "ab") as file:
        file.write(b"x" + os.fsencode(what) + b"\0")


def read(path: str) -> list[Entry]:
    """Return the entries of a trace file as (kind, rest), each once."""
    try:
        with open(path, "rb") as file:
            return parse(file.read())
    except FileNotFoundError:
        return []


def own(data: bytes, attempt: int) -> bytes:
    """Return what an attempt wrote, of the bytes of a file that attempts use one after the other."""
    mark = b"\0a%d\0" % attempt
    _, found, rest = (b"\0" + data).rpartition(mark)
    return rest if found else b""


def parse(data: bytes) -> list[Entry]:
    """Return the entries in the bytes of trace files as (kind, rest), each once."""
    return [(part[:1].decode(), os.fsdecode(part[1:])) for part in dict.fromkeys(data.split(b"\0")) if part]


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _file < 0:
        return
    if event == "open":
        name = arguments[0]
        if isinstance(name, (str, bytes)):
            _opened(os.fsdecode(name), arguments[1], arguments[2])
    elif event in _OPAQUE:
        _write(b"x" + _OPAQUE[event].encode())
    elif event == "import" and arguments[0] in _STARTERS:
        _write(b"xsubprocess")


def _opened(name: str, mode: object, flags: object) -> None:
    path = os.path.abspath(name)
    writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else False
    if not isinstance(mode, str) and isinstance(flags, int):
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
    if not writes:
        if path not in _written:
            _write(*_sight(path, imported=_by_import()))
    elif not (any(site in path for site in _SITE) or path.startswith(_HEADWAY) or path.startswith(_ignored)):
        _written.add(path)
        _write(b"w" + os.fsencode(path))


def _sight(path: str, *, imported: bool) -> tuple[bytes, ...]:
    """Return the entries for a file that was opened to read or imported; none where it is not of interest."""
    for site in _SITE:
        cut = path.find(site)
        if cut >= 0:
            package = path[cut + len(site) :].split(os.sep, 1)[0].split(".", 1)[0]
            return (b"s" + os.fsencode(path[: cut + len(site) - 1] + "\t" + package),) if imported else ()
    if path == _path or path.startswith(_HEADWAY) or path.startswith(_ignored):
        return ()
    name = os.fsencode(_source(path) if imported else path)
    return (b"m" if imported else b"f") + name, b"t" + stamp(name).encode() + b" " + name


def stamp(path: str | bytes) -> str:
    """Return what tells a file from its next version, as text; nothing where there is none.

    Two stamps are compared, and never a stamp with a clock: clocks jump, and those of file servers differ.
    """
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"{status.st_ino},{status.st_size},{status.st_mtime_ns}"


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


def _write(*entries: bytes) -> None:
    global _problem
    new = [entry for entry in entries if entry and entry not in _seen]
    if not new or _file < 0:
        return
    _seen.update(new)
    data = b"\0".join(new) + b"\0"
    try:
        if os.write(_file, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:  # a full disk must not change what the experiment does
        _problem = error


@cache
def _standard() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return _prefixes((paths["stdlib"], paths["platstdlib"], "/proc", "/dev", "/sys", "/etc", "/usr/share/zoneinfo"))


@cache
def _prefixes(folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(os.path.abspath(folder).rstrip(os.sep) + os.sep for folder in folders)
