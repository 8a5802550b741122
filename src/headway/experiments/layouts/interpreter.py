"""Which interpreter a repository's commands get: `uv run` where uv is, else the repository's own Python.

In the sandbox nothing can be installed: there `uv run` becomes the Python of the repository's environment.
"""

import os
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from headway.core import UsageError

__all__ = ["command_words", "environment_of", "path_of", "python_of", "run_python", "uv_notes", "without_uv"]

_PYTHON = re.compile(r"python[\d.]*")
_INLINE = re.compile(r"^# /// script\s*$.*?^#\s*dependencies\s*=\s*\[(?!\s*\])", re.MULTILINE | re.DOTALL)
# Flags of uv that say which packages are installed, or how loudly: an environment that stands answers them.
_FLAGS = {
    "--frozen", "--locked", "--no-sync", "--exact", "--offline", "--active", "--dev", "--no-dev", "--all-extras",
    "--all-groups", "--all-packages", "--quiet", "-q", "--verbose", "-v", "--no-progress", "--managed-python",
}  # fmt: skip
_FLAGS_WITH_A_VALUE = {"--extra", "--group", "--only-group", "--no-group", "--package", "--python", "-p"}


def python_of(root: Path) -> str:
    """Return the Python in the repository's `.venv`, else the one that runs Headway.

    The path is absolute, as a trial's tree has no environment of its own, and not resolved: a virtual environment is
    known by the path by which its Python is called.
    """
    own = _environment(root)
    return sys.executable if own is None else str(own / "bin" / "python")


def path_of(root: Path) -> str:
    """Return a PATH on which `python3` is the repository's Python, for scripts that call it by name."""
    return os.pathsep.join([os.path.dirname(python_of(root)), os.environ.get("PATH", os.defpath)])


def run_python(root: Path, *words: str) -> tuple[str, ...]:
    """Return `uv run WORDS` where uv is installed, else the repository's Python with the words."""
    return ("uv", "run", *words) if shutil.which("uv") else (python_of(root), *words)


def command_words(root: Path, command: str | Sequence[str]) -> tuple[str, ...]:
    """Return a command that a repository names as words: `uv run` and `python` become what there is of them.

    Raises `UsageError` for an empty command, one that cannot be split, or one that needs a shell.
    """
    try:
        words = shlex.split(command) if isinstance(command, str) else list(command)
    except ValueError as error:
        raise UsageError(f"The command {command!r} cannot be split into words: {error}.") from error
    if not words:
        raise UsageError("The command is empty. Write it as in a shell: 'python train.py'.")
    if any(word in ("&&", "||", "|", ";", ">", "<", "&", "2>&1") for word in words):
        raise UsageError(f"The command {command!r} needs a shell. Put it into a script and name that: 'bash run.sh'.")
    if words[:2] == ["uv", "run"] and not shutil.which("uv"):
        words = list(_with_own_python(root, words[2:]))
    if _PYTHON.fullmatch(words[0]):
        words[0] = python_of(root)
    return tuple(words)


def without_uv(root: Path, words: Sequence[str]) -> tuple[str, ...]:
    """Return a command as it runs where nothing can be installed: for `uv run`, the repository's own Python.

    A repository without an environment that needs no packages gets the Python that runs Headway (`uv_notes` says so).
    Raises `UsageError` where it needs some, and for flags by which uv would run it otherwise.
    """
    if tuple(words[:2]) != ("uv", "run"):
        return tuple(words)
    plain = _with_own_python(root, words[2:])
    if _environment(root) is None and (needed := _needs(root, plain)):
        raise UsageError(
            f"{root} is run by uv and has no environment yet, and nothing can be installed where trials run. It needs "
            f"{needed}. Type: cd {shlex.quote(str(root))} && uv sync   (or make a virtual environment in .venv)"
        )
    return plain


def uv_notes(root: Path, words: Sequence[str]) -> tuple[str, ...]:
    """Return what a person should know of a command of uv that runs without it."""
    if tuple(words[:2]) != ("uv", "run") or _environment(root) is not None:
        return ()
    return (f"{root.name} has no .venv and needs no packages: its code runs with Headway's own Python, not by uv.",)


def environment_of(root: Path) -> dict[str, str]:
    """Return what a command of the repository gets beside the usual environment.

    Trials run in trees without a `.venv`: uv is pointed at the repository's, and told to leave it as it is, since
    trials that run side by side must not install into it.
    """
    environment = {"PYTHONUNBUFFERED": "1", "PATH": path_of(root)}
    own = _environment(root)
    if own is not None:
        environment |= {"UV_PROJECT_ENVIRONMENT": str(own), "UV_NO_SYNC": "1"}
    return environment


def _environment(root: Path) -> Path | None:
    """Return the `.venv` of the repository: in its folder, or where its project begins that the folder is a part of."""
    start = root.absolute()
    for folder in (start, *start.parents):
        own = folder / ".venv"
        if os.access(own / "bin" / "python", os.X_OK):
            return own
        if any((folder / name).exists() for name in ("pyproject.toml", ".git")):
            return None
    return None


def _with_own_python(root: Path, words: Sequence[str]) -> tuple[str, ...]:
    """Return what follows `uv run`, begun by an interpreter or program of the repository's environment."""
    plain = _after_flags(words)
    python = python_of(root)
    if plain[0] == "-m" or plain[0].endswith(".py"):
        return (python, *plain)
    if _PYTHON.fullmatch(plain[0]):
        return (python, *plain[1:])
    program = Path(python).with_name(plain[0])
    return (str(program), *plain[1:]) if program.is_file() else plain


def _after_flags(words: Sequence[str]) -> tuple[str, ...]:
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-m":
        flag, _, value = rest.pop(0).partition("=")
        if flag == "--":
            break
        if flag in _FLAGS_WITH_A_VALUE:
            rest = rest if value else rest[1:]
        elif flag not in _FLAGS:
            raise UsageError(
                f"The command 'uv run {' '.join(words)}' gives {flag} to uv, and trials run without uv. Name python: "
                "python train.py"
            )
    if not rest:
        raise UsageError("The command 'uv run' names nothing to run. Name a script: 'uv run train.py'.")
    return tuple(rest)


def _needs(root: Path, words: Sequence[str]) -> str:
    """Return the packages that a command's project or script names, in words; empty where it names none."""
    for name in (word for word in words if word.endswith(".py")):
        path = root / name
        if path.is_file() and _INLINE.search(path.read_text(encoding="utf-8", errors="replace")):
            return f"the packages that {name} names"
    folder = next((at for at in (root, *root.parents) if (at / "pyproject.toml").is_file()), None)
    if folder is None:
        return ""
    try:
        data: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return ""
    project: object = data.get("project")
    given: object = cast("dict[str, Any]", project).get("dependencies") if isinstance(project, dict) else None
    return ", ".join(str(item) for item in cast("list[object]", given)) if isinstance(given, list) else ""
