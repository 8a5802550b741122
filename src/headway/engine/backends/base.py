"""The contract of a backend. `headway.testing.BackendConformance` tests every point of it."""

import contextlib
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from headway.core import ExperimentError, HeadwayError
from headway.engine.outcome import Exit
from headway.engine.spec import AttemptSpec, Origin
from headway.experiments import Experiment

__all__ = ["Backend", "BackendSetup", "Host", "Process", "WorkerLost", "cannot_load", "link_trace"]

_FRAME = re.compile(r'^ +File "(.+)", line (\d+)', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSetup:
    """Say what a backend is to run: the experiment, where workers find it, where to leave its own files, and how many
    attempts run at a time.
    """

    experiment: Experiment
    origin: Origin
    folder: Path
    threads: int
    ignore: tuple[str, ...] = ()
    workers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Name a running attempt: its process by pid and start time, and the read end of the pipe that it prints into.

    `output` is None where what it prints goes straight to the engine's own streams.
    """

    attempt: int
    pid: int
    started: float
    output: int | None


class WorkerLost(HeadwayError):
    """Say that an attempt may have begun, and that nobody can tell: what would have told is gone.

    It is over by then. What it logged is in its run log; the trial goes on in another attempt.
    """

    def __init__(self, attempt: int) -> None:
        super().__init__(f"The process that would have told of attempt {attempt} died as it began.")
        self.attempt = attempt


Host = tuple[int, float] | None
"""The process of an attempt, by pid and start time, where it is known before the attempt begins."""


class Backend(ABC):
    """Run attempts. All methods are called from the engine's event loop."""

    name: str
    stops_early: bool = True  # whether trials can wait at rungs for a decision
    in_process: bool = False  # whether attempts run in the engine's own process

    @property
    def ahead(self) -> int:
        """Return how many attempts may be started beside those that run, to wait for a worker: none saves time here."""
        return 0

    @property
    def host(self) -> Host:
        """Return the process that the next attempt is handed to, where it is there already."""
        return None

    def waiting(self, process: Process) -> bool:
        """Tell whether an attempt that was started waits for a worker: its time does not run yet."""
        del process
        return False

    @property
    def shared(self) -> bool:
        """Tell whether the next attempt would share with a running one a process whose death ends both."""
        return False

    @abstractmethod
    async def open(self, note: Callable[[str], None]) -> None:
        """Get ready to run; tell through `note` what a person should know.

        Raise `ExperimentError` when the experiment cannot load; a backend that loads it for each attempt lets these
        fail instead.
        """

    @abstractmethod
    async def start(self, spec: AttemptSpec) -> Process:
        """Start an attempt, or raise `WorkerLost`.

        What it uses is traced into `spec.trace`, what it shares with others into `spec.shared_trace`.
        """

    @abstractmethod
    async def wait(self, process: Process) -> Exit:
        """Return how an attempt ended, once it and all that it started are gone."""

    @abstractmethod
    def end(self, process: Process) -> None:
        """End an attempt and all that it started, at once. `wait` returns soon after."""

    @abstractmethod
    async def close(self) -> None:
        """End everything and free what is held."""


def cannot_load(what: str, trace: str, root: Path) -> ExperimentError:
    """Return the error that says why an experiment cannot be loaded, and which of the project's lines it came through.

    `what` is the exception as the last line of a traceback has it, `trace` the traceback, which may come from another
    process.
    """
    kind, _, message = what.partition(": ")
    if re.search(rf"^headway\.[\w.]*\b{re.escape(kind)}\b", trace, re.MULTILINE):  # ours: it says where, and what to do
        return ExperimentError(f"The experiment cannot be loaded: {message}")
    own = [(file, line) for file, line in _FRAME.findall(trace) if _is_own(file, root)]
    place = f"{os.path.relpath(own[-1][0], root)}, line {own[-1][1]}: " if own else ""
    advice = "Mend it there; --debug shows the whole traceback." if own else "--debug shows all that is known."
    return ExperimentError(f"The experiment cannot be loaded: {place}{what.rstrip('.')}. {advice}")


def _is_own(file: str, root: Path) -> bool:
    return Path(file).is_relative_to(root) and "site-packages" not in file


def link_trace(shared: Path, spec: AttemptSpec) -> None:
    """Leave the trace of what an attempt shares with others in its own folder, where it outlives the engine."""
    with contextlib.suppress(FileNotFoundError):
        if os.path.samefile(shared, spec.shared_trace):
            return
        os.unlink(spec.shared_trace)
    try:
        os.link(shared, spec.shared_trace)
    except OSError:
        shutil.copyfile(shared, spec.shared_trace)
