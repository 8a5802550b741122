"""Call git on the host: without hooks, without what the environment says of git, again where git was in its own way."""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headway.core import HeadwayError, UsageError

__all__ = ["Answer", "ask", "sayable"]

_SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
    "advice.detachedHead": "false",
    "core.splitIndex": "false",  # a temporary index would leave its shared half in .git
    "submodule.recurse": "false",  # a new worktree has no submodules, and git fails to reset them
}
_TIMEOUT_SECONDS = 120
_PAUSES = (0.01, 0.03, 0.1, 0.3, 0.6, 1.0)
# Git looks at all worktrees, and fails where another process is just making, removing or pruning one: one attempt in
# ten, where eight processes do nothing else. Adding fails in many ways then: only what will last is not repeated.
_CONTENDED = re.compile(r"\.lock': File exists|(failed to|could not|Invalid path|not a git repository).*\bworktrees\b")


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold how a call of git ended and what it said."""

    code: int
    out: bytes
    error: str

    @property
    def text(self) -> str:
        return self.out.decode(errors="surrogateescape").rstrip("\n")

    @property
    def last_line(self) -> str:
        """Return the last line of what git said, the last that names an error where advice follows it."""
        lines = [line.strip() for line in self.error.splitlines() if line.strip()]
        named = [line for line in lines if line.startswith(("fatal: ", "error: "))]
        return [f"exit code {self.code}", *lines, *named][-1].rstrip(".")

    def require(self, what: str, where: Path) -> "Answer":
        """Return itself, or raise `HeadwayError` with git's own words."""
        if self.code != 0:
            raise HeadwayError(f"`git {what}` failed in {where}: {self.last_line}.")
        return self


def ask(
    where: Path,
    *words: str,
    given: bytes = b"",
    settings: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    again: re.Pattern[str] = _CONTENDED,
) -> Answer:
    """Call git in a work tree, again after a pause where its error says, by `again`, that others were in its way."""
    for word in words:
        if not sayable(word):
            raise UsageError(
                f"Git cannot be told {word!r}, which holds what UTF-8 or a command cannot. Give another name."
            )
    fixed = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    command = ["git", "--literal-pathspecs", "-C", str(where), *fixed, *settings, *words]
    environment = _environment() | dict(variables or {})
    for pause in _PAUSES:
        answer = _call(command, given, environment)
        if answer.code == 0 or not again.search(answer.error):
            return answer
        time.sleep(pause)
    return _call(command, given, environment)


def _call(command: Sequence[str], given: bytes, environment: Mapping[str, str]) -> Answer:
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, check=False, env=environment, timeout=_TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise HeadwayError(f"{shlex.join(command)} had not ended after {_TIMEOUT_SECONDS} s, and was ended.") from error
    except OSError as error:
        raise HeadwayError(f"git cannot be started: {error.strerror}. Install it, or put it on PATH.") from error
    return Answer(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def _environment() -> dict[str, str]:
    """Return the caller's environment without what it says of git: a hook that calls us has GIT_DIR set."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return own | {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def sayable(word: str) -> bool:
    try:
        return b"\0" not in word.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
