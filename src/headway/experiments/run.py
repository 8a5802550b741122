"""The handle that an experiment is given: its configuration and seed, and where its curves, checkpoints and files go.

Everything that a run says goes through its run log; what the engine wants comes back through the log's header. Outside
of Headway (`python train.py`) a detached run does the same work and records nothing.
"""

import contextlib
import math
import operator
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from headway.core import DiskError, ExperimentError, Reason
from headway.experiments import checkpoints, randomness
from headway.store import UNLIMITED, Signal, own_writes

__all__ = [
    "EXIT_NO_DISK",
    "EXIT_PAUSED",
    "UNSET",
    "BadMetric",
    "Paused",
    "Run",
    "RunChannel",
    "Settings",
    "number_of",
    "shown",
]

EXIT_NO_DISK, EXIT_PAUSED = 74, 75  # EX_IOERR and EX_TEMPFAIL of sysexits.h
UNSET: Any = object()  # told from None, which somebody may report by mistake
_PIECE = 1024 * 1024  # bytes
_LONGEST_SHOWN = 100  # characters of a value in a message: it may be an array
_WAIT_SECONDS = (0.0005, 0.005)  # first and longest sleep while the engine decides at a rung


class RunChannel(Protocol):
    """Carry what a run says to the engine and what the engine wants of it. `store.RunLog` is one."""

    def point(self, metric: str, step: int, value: float) -> None:
        """Record one value of a curve."""
        ...

    def mark(self, kind: str, **data: Any) -> None:
        """Record a thing that is no point."""
        ...

    def disk_refused(self, number: int) -> None:
        """Record that the store's disk refused a write, by its `errno`: the attempt is cut short, and no result."""
        ...

    def wait_at(self, step: int) -> None:
        """Tell that the run waits after `step` steps; 0 ends the waiting."""
        ...

    @property
    def granted(self) -> int:
        """Return how many steps are granted."""
        ...

    @property
    def signal(self) -> int:
        """Return what the engine wants: a `Signal`."""
        ...


class Paused(SystemExit):
    """End an experiment's function after its checkpoint is safe, or a command's script without a traceback.

    Not an `Exception`, so that no handler swallows it.
    """

    def __init__(self) -> None:
        super().__init__(EXIT_PAUSED)


class BadMetric(ExperimentError):
    """Say which metric is no number, or which step is no whole one."""


class StepsFailed(Exception):
    """Carry why a repository's steps came to no value, and the last lines that they printed."""

    def __init__(self, reason: Reason, message: str, tail: Sequence[str]) -> None:
        self.reason = reason
        self.tail = list(tail)
        super().__init__(message)


class Settings(Mapping[str, Any]):
    """Hold a configuration: `config["lr"]` and `config.lr` are the same."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # pickle and copy ask for these before there are values
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(
                f"The configuration has no {name!r}; it has {', '.join(self._values)}. A conditional parameter exists "
                f"only where its condition holds: use config.get({name!r})."
            ) from None

    def __repr__(self) -> str:
        return f"Settings({self._values})"


class Run:
    """Be the one argument of an experiment. `config`, `seed` and `setup` come in; curves, files and a result go out."""

    def __init__(
        self,
        channel: RunChannel,
        *,
        config: Mapping[str, Any],
        seed: int,
        folder: Path,
        checkpoint_folder: Path | None,
        setup: Any = None,
        rungs: tuple[float, ...] = (),
        patch: Mapping[str, str] | None = None,
    ) -> None:
        self.config = Settings(config)
        self.patch = dict(patch or {})  # the files that the candidate changes, by path, with their new text
        self.seed = seed
        self.setup = setup
        self.step = 0
        self.stopped = False
        self._folder = folder
        self._channel = channel
        self._checkpoint_folder = checkpoint_folder
        self._rungs = rungs
        self._first = 0
        self._random: dict[str, Any] | None = None
        self._limit = UNLIMITED
        self._saved_at = -1
        self._saves = False
        self._told: set[str] = set()

    @property
    def folder(self) -> Path:
        """Return a folder of this attempt's own, for files that nobody needs later; `artifact` keeps one."""
        with self._refusals_told(), own_writes(self._folder):
            os.makedirs(self._folder, exist_ok=True)
        return self._folder

    def log(self, /, step: int | None = None, **metrics: float) -> None:
        """Record values of curves at `step`; without it, at the current step of `steps`.

        A value is a number, or a tensor or array that holds one; True counts as 1. Text and None are refused, which
        ends the trial; NaN and infinity are recorded, and a trial whose objective they are has failed.
        """
        at = self.step if step is None else step if type(step) is int else _whole(step)
        point = self._channel.point
        for name, value in metrics.items():
            point(name, at, value if type(value) is float else _number(f"metric {name!r}", value))
        self._told.update(metrics)

    def report(self, value: float = UNSET, /, **metrics: float) -> None:
        """Report the objective, by name or as the one value. The last report counts."""
        named = {name: _number(f"metric {name!r}", item) for name, item in metrics.items()}
        if value is not UNSET:
            named[""] = _number("objective", value)
        if not named:
            raise BadMetric("run.report() got no value. Give the objective: run.report(0.5), or run.report(loss=0.5).")
        self._channel.mark("report", values=named, step=self.step)
        self._told.update(named)

    def remark(self, about: str, text: str, **data: Any) -> None:
        """Keep a remark with the trial: what was done to it (`seed`), or what a person should look at (`flag`)."""
        self._channel.mark("remark", about=about, text=text, data=data)

    def told(self, metric: str) -> bool:
        """Tell whether this metric was logged, or it or the one unnamed value was reported."""
        return metric in self._told or "" in self._told

    def steps(self, n: int) -> Iterator[int]:
        """Yield the steps from where the restored checkpoint left off up to `n`, the full horizon.

        Ends early when the engine stops the trial; the code after the loop then reports what there is.
        """
        self._channel.mark("horizon", steps=n, start=self._first)
        if self._random is not None:
            randomness.restore(self._random)
        self._limit = self._next_rung(self._first, n)
        for step in range(self._first, n):
            self.step = step
            yield step
            if step + 1 == n or not self._may_go_on(step + 1, n):
                self._channel.mark("steps", done=step + 1)
                return
        self._channel.mark("steps", done=max(n, 0))  # nothing was left to do: the checkpoint stood at the end

    def checkpoint(
        self, state: Mapping[str, Any] | Callable[[], Mapping[str, Any]], *, every: int | None = None
    ) -> None:
        """Save `state` and the random-number generators, so that the trial can go on from the step after this one.

        Call it at the end of a step. With `every`, it saves at multiples of that many steps and whenever the engine
        needs it; give a function then, so that the state is only built when it is saved.
        """
        self._saves = True
        if self._checkpoint_folder is None:
            return
        done = self.step + 1
        asked = self._channel.signal != Signal.NONE or done == self._limit
        if every is not None and done % every and not asked:
            return
        built = state() if callable(state) else state
        with self._refusals_told():
            path = checkpoints.save(self._checkpoint_folder, done, built)
        self._saved_at = done
        self._channel.mark("checkpoint", step=done, bytes=path.stat().st_size)

    def restore(self) -> Any:
        """Return the state of the newest checkpoint of this trial, or None; `steps` then goes on after it.

        A checkpoint that the disk damaged counts for nothing: the one before it does, else the trial begins anew.
        """
        if self._checkpoint_folder is None:
            return None
        with self._refusals_told():
            found = checkpoints.newest(self._checkpoint_folder, self._tell_damage)
        if found is None:
            return None
        self._first, self._random = found.steps, found.random
        self.step = max(self._first - 1, 0)
        self._channel.mark("restored", step=self._first)
        return found.state

    def input(self, path: str | os.PathLike[str]) -> Path:
        """Declare a file or folder that the result depends on, and return its path.

        Needed where other than Python code reads it (polars, pyarrow, safetensors, a subprocess).
        """
        found = Path(path).absolute()
        if not found.exists():
            raise ExperimentError(f"The input {found} does not exist. Give a path relative to {Path.cwd()}.")
        self._channel.mark("input", path=str(found))
        return found

    def artifact(self, path: str | os.PathLike[str], name: str | None = None) -> Path:
        """Keep a copy of a file that the trial made, in the store under `name`."""
        source = Path(path)
        if not source.is_file():
            raise ExperimentError(
                f"The artifact {source} is no file. Write it first, then call run.artifact({path!r})."
            )
        kept = Path(name or source.name)
        if kept.is_absolute() or ".." in kept.parts:
            raise ExperimentError(f"The artifact's name {name!r} leaves its folder. Give one such as 'plots/loss.png'.")
        target = self.folder / "artifacts" / kept
        with self._refusals_told(), source.open("rb") as file:
            with own_writes(target):
                target.parent.mkdir(parents=True, exist_ok=True)
            if source.absolute() != target.absolute():
                _copy(file, target)
        self._channel.mark("artifact", name=str(kept), path=str(target))
        return target

    @contextlib.contextmanager
    def _refusals_told(self) -> Generator[None]:
        """Tell the engine where the disk refuses what Headway itself writes: that is no result of the trial."""
        try:
            yield
        except DiskError as error:
            self._channel.disk_refused(error.number)
            raise

    def _tell_damage(self, step: int, problem: str) -> None:
        self._channel.mark("damaged checkpoint", step=step, problem=problem)

    def _next_rung(self, done: int, n: int) -> int:
        reached = [step for step in (max(1, math.ceil(n * rung)) for rung in self._rungs) if step > done]
        return min(min(reached, default=UNLIMITED), UNLIMITED)

    def _may_go_on(self, done: int, n: int) -> bool:
        if done >= self._limit and self._channel.signal == Signal.NONE:
            self._wait_for_grant(done)
            self._limit = self._next_rung(done, n)
        signal = self._channel.signal
        if signal == Signal.STOP:
            self.stopped = True
            return False
        if signal == Signal.PAUSE and (self._saved_at == done or not self._saves):
            self._channel.mark("steps", done=done)
            self._channel.mark("paused")
            raise Paused
        return True

    def _wait_for_grant(self, done: int) -> None:
        self._channel.wait_at(done)
        sleep, longest = _WAIT_SECONDS
        while self._channel.granted <= done and self._channel.signal == Signal.NONE:
            time.sleep(sleep)
            sleep = min(2 * sleep, longest)
        self._channel.wait_at(0)


def number_of(value: object) -> float | None:
    """Return what a number, or a tensor or array of one element, is as a float; None for text and all else."""
    if isinstance(value, str | bytes):
        return None
    # What arrays and tensors of all libraries have; float() warns of a tensor with a gradient, as a loss mostly is.
    item = getattr(value, "item", None)
    try:
        return float(item() if callable(item) else value)  # type: ignore[arg-type]  # pyright: ignore
    except (TypeError, ValueError, OverflowError, RuntimeError):  # torch raises the last one
        return None


def shown(value: object) -> str:
    """Return a value as a message shows it, with its type."""
    text = " ".join(repr(value).split())
    return f"{text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + '…'} of type {type(value).__name__}"


def _copy(source: BinaryIO, target: Path) -> None:
    """Copy a file; only what is written is Headway's own, and the disk of the source may be another."""
    with own_writes(target):
        file = target.open("wb", buffering=0)
    with file:
        while rest := memoryview(source.read(_PIECE)):
            with own_writes(target):
                while rest:
                    rest = rest[file.write(rest) :]


def _number(what: str, value: object) -> float:
    number = number_of(value)
    if number is not None:
        return number
    if isinstance(value, str):
        raise BadMetric(
            f"The {what} is the text {value[:_LONGEST_SHOWN]!r}. Expected a number, such as 0.5 without quotes."
        )
    raise BadMetric(f"The {what} is {shown(value)}. Expected a number, or a tensor or array of one element.")


def _whole(step: object) -> int:
    try:
        return operator.index(step)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    except TypeError:
        number = number_of(step)
    if number is None or not number.is_integer():
        raise BadMetric(
            f"The step is {shown(step)}. Expected a whole number, and metrics by name: run.log(3, loss=0.5)."
        )
    return int(number)
