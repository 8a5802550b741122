"""What an experiment declares: its metric and direction, its search space, what it needs, and how one trial of it runs.

`Experiment` is abstract; `FunctionExperiment` and `CommandExperiment` are the two kinds. Both run inside a worker and
speak through a `Run`, so that the engine knows only one kind.
"""

import contextlib
import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import CodeType
from typing import Any

from headway.core import (
    Direction,
    ExperimentError,
    Limits,
    Needs,
    Parameter,
    Scalar,
    Space,
    UsageError,
    call_checked,
    digest,
    suggestion,
)
from headway.experiments.run import BadMetric, Run, number_of, shown
from headway.store import find_root

__all__ = ["Experiment", "FunctionExperiment", "Standing", "experiment", "registered"]

_registry: dict[str, "Experiment"] = {}


@dataclass(kw_only=True)
class Standing:
    """Count what a standing worker's trials used elsewhere: CPU seconds in all, and the last one's peak of memory."""

    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0


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
            near = suggestion(str(self.direction), ("minimize", "maximize"))
            raise ExperimentError(f"direction={self.direction!r} is unknown. {near} Use 'minimize' or 'maximize'.")
        if not self.metric or not isinstance(self.metric, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ExperimentError(
                f'metric={self.metric!r} names nothing. Give the name under which the value is logged: metric="loss".'
            )
        for name, value, kind in (("needs", self.needs, Needs), ("limits", self.limits, Limits)):
            if not isinstance(value, kind):  # pyright: ignore[reportUnnecessaryIsInstance]
                example = "Needs(cores=2)" if kind is Needs else "Limits(wall_seconds=600)"
                raise ExperimentError(
                    f"{name}={value!r} is of type {type(value).__name__}. Write {name}=headway.{example}."
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

    @cached_property
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

    @property
    def standing(self) -> bool:
        """Tell whether one worker may perform many trials, as none of the code that is tried runs in it."""
        return False

    @contextlib.contextmanager
    def stand(self, folder: Path) -> Generator[Standing]:
        """Hold what a standing worker keeps from trial to trial; `run.setup` hands it on. `folder` is the worker's."""
        del folder
        yield Standing()

    @property
    def trust(self) -> str | None:
        """Return how far scores can be believed where nobody's code is trusted; None for a person's own code."""
        return None

    @property
    def notes(self) -> Sequence[str]:
        """Return what a person should know before trials run."""
        return ()

    @property
    def recorded(self) -> dict[str, Any]:
        """Return what a study's definition says of the experiment beside `described`, as JSON."""
        return {}

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
        if self.setup is not None and not callable(self.setup):  # pyright: ignore[reportUnnecessaryComparison]
            raise ExperimentError(
                f"setup={self.setup!r} cannot be called. Give the function itself: setup=load, and not setup=load()."
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
        """Call the function. A number that it returns is reported; what else it returns must not stand for one."""
        result = self.function(run)
        number = None if result is None or isinstance(result, bool) else number_of(result)
        if number is not None:
            run.report(number)
        elif result is not None and not run.told(self.metric):
            raise BadMetric(
                f"{self.name} returned {shown(result)}, and neither logged nor reported {self.metric!r}. Return a "
                f"number, or call run.report({self.metric}=...)."
            )

    def __call__(self, run: Run) -> Any:
        """Call the function itself, as plain Python would."""
        return self.function(run)


@call_checked('@headway.experiment(metric="loss", space={"lr": headway.Float(1e-4, 1e-1, log=True)})')
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
            space=Space.of({} if space is None else space),
            needs=Needs() if needs is None else needs,
            limits=Limits() if limits is None else limits,
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
