"""Score what a candidate left, in a process that it never ran in, and believe nobody else about the score."""

import json
import math
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from headway.core import HeadwayError, UsageError, digest, digest_bytes
from headway.sandbox.bubblewrap import Sandbox
from headway.sandbox.collect import collect
from headway.sandbox.limits import SandboxLimits
from headway.sandbox.result_pipe import ResultPipe
from headway.sandbox.running import Ended
from headway.sandbox.view import Mount

__all__ = ["Bound", "GuardedEvaluation", "Scored", "checked"]

_OUTPUTS = Path("/candidate")
_LARGEST_EVALUATOR, _MOST_EVALUATOR_FILES = 4 * 1024**3, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Say between which values a metric can lie at all. A value outside is no result, however good it looks."""

    minimum: float = -math.inf
    maximum: float = math.inf

    def __post_init__(self) -> None:
        if not self.minimum <= self.maximum:
            raise UsageError(f"Bound(minimum={self.minimum!r}, maximum={self.maximum!r}) holds no value.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Hold the metrics, or None and the `problem`. `forged` counts lines in the result pipe that had no nonce."""

    metrics: Mapping[str, float] | None
    problem: str = ""
    forged: int = 0
    ended: Ended | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedEvaluation:
    """Evaluate by a copy of the evaluator that no candidate can reach, in a sandbox of its own.

    `make` copies the evaluator's files to a folder that is named by their digest, which is checked before and after
    each score. The command runs in that folder; `{outputs}` in its words, and the variable HEADWAY_OUTPUTS, stand for
    the folder in which it sees, read-only, what the candidate left. It reports through the module `headway_result`.
    """

    folder: Path
    digest: str
    command: Sequence[str]
    metrics: Mapping[str, Bound]
    readable: Sequence[Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    limits: SandboxLimits = field(default_factory=SandboxLimits)

    @classmethod
    def make(
        cls,
        source: Path,
        files: Sequence[str],
        into: Path,
        *,
        command: Sequence[str],
        metrics: Mapping[str, Bound],
        readable: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        limits: SandboxLimits | None = None,
    ) -> "GuardedEvaluation":
        """Copy `files` (files and folders in `source`) below the folder `into`, which candidates must not see.

        `readable` are the evaluator's data, such as a holdout, and its Python (`interpreter_paths`).
        """
        if not metrics:
            raise UsageError(
                "A guarded evaluation without metrics measures nothing. Give metrics={'loss': Bound(minimum=0)}."
            )
        into.mkdir(parents=True, exist_ok=True)
        fresh = into / f"new-{secrets.token_hex(8)}"
        fresh.mkdir()
        taken = collect(str(source), files, fresh, _LARGEST_EVALUATOR, most_entries=_MOST_EVALUATOR_FILES)
        if taken.refused:
            raise UsageError(f"The evaluator in {source} cannot be copied: {'; '.join(taken.refused)}.")
        mark = _digest_folder(fresh)
        folder = into / mark
        try:
            fresh.rename(folder)
        except OSError:  # the copy of an earlier study, which `score` checks
            _remove(fresh)
        return cls(
            folder=folder,
            digest=mark,
            command=tuple(command),
            metrics=dict(metrics),
            readable=tuple(readable),
            environment=dict(environment or {}),
            limits=limits or SandboxLimits(),
        )

    def score(self, outputs: Path) -> Scored:
        """Score what lies in the folder `outputs`, when nothing of the candidate runs any more.

        Raises `HeadwayError` where the evaluator's copy is not what it was.
        """
        self._check()
        strange = _not_plain(outputs)
        if strange:
            return Scored(metrics=None, problem=f"the candidate left {strange}, and only files and folders are scored")
        with ResultPipe() as pipe:
            ended = pipe.run(
                self._sandbox(pipe),
                [word.replace("{outputs}", str(_OUTPUTS)) for word in self.command],
                shown=(Mount(_OUTPUTS, "read", outputs.resolve()),),
            )
        self._check()
        return self._judge(ended, pipe)

    def _sandbox(self, pipe: ResultPipe) -> Sandbox:
        return Sandbox(
            root=self.folder,
            readable=self.readable,
            limits=self.limits,
            environment=pipe.environment(
                {"PYTHONDONTWRITEBYTECODE": "1", **self.environment, "HEADWAY_OUTPUTS": str(_OUTPUTS)}
            ),
        )

    def _check(self) -> None:
        found = _digest_folder(self.folder)
        if found != self.digest:
            raise HeadwayError(
                f"The evaluator's copy {self.folder} was changed: its digest is {found}. Delete it and run again."
            )

    def _judge(self, ended: Ended, pipe: ResultPipe) -> Scored:
        def none(problem: str) -> Scored:
            return Scored(metrics=None, problem=problem, forged=pipe.forged, ended=ended)

        if pipe.flooded:
            return none("more was written to the result pipe than a result has")
        if not ended.ok:
            return none(f"the evaluator ended by {ended.reason} ({ended.signal if ended.code is None else ended.code})")
        if len(pipe.results) != 1:
            return none(f"the evaluator reported {len(pipe.results)} results, and one is expected")
        try:
            metrics = checked(json.loads(pipe.results[0]), self.metrics)
        except ValueError as error:
            return none(str(error))
        return Scored(metrics=metrics, forged=pipe.forged, ended=ended)


def checked(values: object, bounds: Mapping[str, Bound]) -> Mapping[str, float]:
    """Return the declared metrics; raise `ValueError` that says why where one is no finite number in its bounds.

    >>> checked({"loss": 0.5}, {"loss": Bound(minimum=0)})
    {'loss': 0.5}
    """
    if not isinstance(values, dict):
        raise ValueError("the result is no object of metrics")
    given = cast(dict[str, object], values)
    found: dict[str, float] = {}
    for name, bound in bounds.items():
        value = given.get(name)
        if value is None:
            raise ValueError(f"the metric {name} is missing")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"the metric {name} is {_short(value)}, which is no number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise ValueError(f"the metric {name} is {_short(value)}, which is not finite")
        if not bound.minimum <= number <= bound.maximum:
            raise ValueError(f"the metric {name} is {number:g}, outside {bound.minimum:g} to {bound.maximum:g}")
        found[name] = number
    return found


def _short(value: object) -> str:
    try:
        return repr(value)[:60]
    except ValueError:  # Python does not write out integers of thousands of digits
        return "a huge integer"


def _digest_folder(folder: Path) -> str:
    """Digest the files of a folder by path, content, and whether they can be run."""
    found: dict[str, list[str | bool]] = {}
    for at, folders, files in os.walk(folder):
        for name in (*files, *(name for name in folders if os.path.islink(os.path.join(at, name)))):
            path = Path(at, name)
            mode = path.lstat().st_mode
            content = digest_bytes(path.read_bytes()) if stat.S_ISREG(mode) else f"not a file: {stat.S_IFMT(mode):o}"
            found[str(path.relative_to(folder))] = [content, bool(mode & stat.S_IXUSR)]
    return digest(found)


def _not_plain(folder: Path) -> str:
    """Name something in a folder that is neither a file nor a folder."""
    if folder.is_symlink() or not folder.is_dir():
        return f"no folder {folder.name}"
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            mode = os.lstat(os.path.join(at, name)).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                return f"{os.path.relpath(os.path.join(at, name), folder)}, a link, pipe, socket or device"
    return ""


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)
