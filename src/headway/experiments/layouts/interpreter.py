"""Which interpreter a repository's commands get: `uv run` where uv is, else the repository's own Python."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from headway.core import UsageError

__all__ = ["command_words", "environment_of", "path_of", "python_of", "run_python"]

_PYTHON = re.compile(r"python[\d.]*")


def python_of(root: Path) -> str:
    """Return the Python in the repository's `.venv`, else the one that runs Headway.

    The path is absolute, as a trial's tree has no environment of its own, and not resolved: a virtual environment is
    known by the path by which its Python is called.
    """
    own = root.absolute() / ".venv" / "bin" / "python"
    return str(own) if os.access(own, os.X_OK) else sys.executable


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
        words = words[2:]
        if not words or words[0].startswith("-"):
            raise UsageError(
                f"The command {command!r} gives flags to uv, which is not installed. Install uv, or name python."
            )
        if words[0].endswith(".py"):
            words = ["python", *words]
    if _PYTHON.fullmatch(words[0]):
        words[0] = python_of(root)
    return tuple(words)


def environment_of(root: Path) -> dict[str, str]:
    """Return what a command of the repository gets beside the usual environment.

    Trials run in trees without a `.venv`: uv is pointed at the repository's, and told to leave it as it is, since
    trials that run side by side must not install into it.
    """
    environment = {"PYTHONUNBUFFERED": "1"}
    own = root.absolute() / ".venv"
    if own.is_dir():
        environment |= {"UV_PROJECT_ENVIRONMENT": str(own), "UV_NO_SYNC": "1"}
    return environment
