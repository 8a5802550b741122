"""What an experiment declares: its metric and direction, its search space, what it needs, and how one trial of it runs.

`Experiment` is abstract; `FunctionExperiment` and `CommandExperiment` are the two kinds. Both run inside a worker and
speak through a `Run`, so that the engine knows only one kind.
"""

import contextlib
import inspect
import numbers
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from headway.core import Direction, ExperimentError, Limits, Needs, Parameter, Scalar, Space, UsageError, digest
from headway.experiments.run import Run
from headway.store import find_root

__all__ = ["Experiment", "FunctionExperiment", "experiment", "registered"]

_registry: dict[str, "Experiment"] = {}


@dataclass(frozen=True, kw_only=True)
class Experiment(ABC):
    """Declare what can be run. `source` is the file that defines it, None in a notebook."""

    metric: str
    direction: Direction = "minimize"
    space: Space = field(default_factory=lambda: Space.of({}))
    needs: Needs = field(default_factory=Needs)
    limits: Limits = field(default_factory=Limits)
    source: Path | None = None

    def __post_init__(self) -> None:
        if self.direction not in ("minimize", "maximize"):
            raise ExperimentError(f"direction={self.direction!r} is unknown. Use 'minimize' or 'maximize'.")
        if not self.metric or not isinstance(self.metric, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ExperimentError(
                f"metric={self.metric!r} names nothing. Give the name under which the value is logged."
            )
        _registry[self.identity] = self

    @property
    @abstractmethod
    def name(self) -> str:
        """Return the name for people."""

    @property
    @abstractmethod
    def described(self) -> dict[str, Any]:
        """Return what makes it this experiment and no other, as JSON. Code does not count: the manifest has it."""

    @property
    def identity(self) -> str:
        """Return the digest of `described`: what candidates refer to."""
        return digest(self.described)

    @property
    def folder(self) -> Path:
        """Return the folder in which its trials run: that of its file."""
        return self.source.parent if self.source is not None else Path.cwd()

    @property
    def root(self) -> Path:
        """Return the project's root: files below it are the project's own."""
        return _root_of(self.folder)

    @property
    def has_seed_channel(self) -> bool:
        """Tell whether a seed can reach the experiment. Without one there is no noise to measure."""
        return True

    @property
    def opaque(self) -> bool:
        """Tell whether trials run in a process of their own that the worker only launches."""
        return False

    def prepare(self) -> Any:
        """Load what all trials share; `run.setup` hands it on."""
        return None

    @abstractmethod
    def run(self, run: Run) -> None:
        """Run one trial."""


@dataclass(frozen=True, kw_only=True)
class FunctionExperiment(Experiment):
    """Run a Python function of one argument, the `Run`."""

    function: Callable[[Run], Any]
    setup: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        parameters = list(inspect.signature(self.function).parameters.values())
        required = [item for item in parameters if item.default is item.empty and item.kind != item.VAR_KEYWORD]
        if len(required) != 1:
            raise ExperimentError(
                f"The experiment {self.function.__name__}{inspect.signature(self.function)} must take one argument, "
                f"the run: def {self.function.__name__}(run)."
            )
        super().__post_init__()

    @property
    def name(self) -> str:
        """Return the function's name."""
        return self.function.__qualname__

    @property
    def described(self) -> dict[str, Any]:
        """Return the function's file and name, and the metric."""
        if self.source is None:  # a notebook's function has no file whose digest could change: its code counts here
            return {
                "function": f"__main__:{self.name}",
                "code": _code_digest(self.function, self.setup),
                "metric": self.metric,
            }
        return {"function": f"{os.path.relpath(self.source, self.root)}:{self.name}", "metric": self.metric}

    def prepare(self) -> Any:
        """Call `setup`, where there is one."""
        return None if self.setup is None else self.setup()

    def run(self, run: Run) -> None:
        """Call the function. A number that it returns is reported."""
        result = self.function(run)
        if not isinstance(result, bool) and isinstance(result, numbers.Real):  # NumPy's numbers are Real as well
            run.report(float(result))

    def __call__(self, run: Run) -> Any:
        """Call the function itself, as plain Python would."""
        return self.function(run)


def experiment(
    *,
    metric: str,
    direction: Direction = "minimize",
    space: Mapping[str, Parameter | Scalar] | Space | None = None,
    setup: Callable[[], Any] | None = None,
    needs: Needs | None = None,
    limits: Limits | None = None,
) -> Callable[[Callable[[Run], Any]], FunctionExperiment]:
    """Make an experiment of a function.

    `metric` names the objective, `space` what may vary. `setup()` runs once in a warm process; each trial finds its
    result in `run.setup`. `needs` says what one trial occupies, `limits` what it may use.
    """

    def decorate(function: Callable[[Run], Any]) -> FunctionExperiment:
        file = Path(inspect.unwrap(function).__code__.co_filename)
        return FunctionExperiment(
            function=function,
            setup=setup,
            metric=metric,
            direction=direction,
            space=Space.of(space or {}),
            needs=needs or Needs(),
            limits=limits or Limits(),
            source=file.absolute() if file.is_file() and not _ephemeral(file) else None,
        )

    return decorate


def registered(identity: str) -> Experiment | None:
    """Return the experiment of that identity, once its study file was loaded."""
    return _registry.get(identity)


def _ephemeral(file: Path) -> bool:
    return file.parent.name.startswith("ipykernel_")  # where notebooks keep the source of their cells


def _code_digest(*functions: Callable[..., Any] | None) -> str:
    """Digest the source of functions, and what they name in their notebook: functions, classes, plain values."""
    seen: dict[str, str] = {}
    waiting: list[Any] = [function for function in functions if function is not None]
    while waiting:
        item = waiting.pop()
        if item.__qualname__ in seen:
            continue
        seen[item.__qualname__] = _source_of(item)
        if inspect.isclass(item):
            waiting += [value for value in vars(item).values() if inspect.isfunction(value)]
            continue
        scope: Mapping[str, Any] = getattr(item, "__globals__", {})
        for name in _names_in(item.__code__) & scope.keys():
            other = scope[name]
            if (inspect.isfunction(other) or inspect.isclass(other)) and other.__module__ == item.__module__:
                waiting.append(other)
            else:
                with contextlib.suppress(UsageError):  # what has no JSON form is none of the plain values
                    seen[f"{name} ="] = digest(scope[name])
    return digest(seen)


def _source_of(item: Any) -> str:
    try:
        return inspect.getsource(item)
    except (OSError, TypeError):
        return "" if inspect.isclass(item) else _code_text(item.__code__)


def _code_text(code: CodeType) -> str:
    constants = [_code_text(item) if isinstance(item, CodeType) else repr(item) for item in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def _names_in(code: CodeType) -> set[str]:
    inner = (_names_in(item) for item in code.co_consts if isinstance(item, CodeType))
    return set(code.co_names).union(*inner)


@cache
def _root_of(folder: Path) -> Path:
    return find_root(folder)
