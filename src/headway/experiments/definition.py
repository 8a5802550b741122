"""What an experiment declares: its metric and direction, its search space, what it needs, and how one trial of it runs.

`Experiment` is abstract; `FunctionExperiment` and `CommandExperiment` are the two kinds. Both run inside a worker and
speak through a `Run`, so that the engine knows only one kind.
"""

import inspect
import numbers
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.core import Direction, ExperimentError, Limits, Needs, Parameter, Scalar, Space, digest
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
        return find_root(self.folder)

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
            return {"function": f"__main__:{self.name}", "code": _code_digest(self.function), "metric": self.metric}
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


def _code_digest(function: Callable[..., Any]) -> str:
    """Digest a function's source and that of the functions and classes of its notebook that it names."""
    seen: dict[str, str] = {}
    waiting: list[Any] = [function]
    while waiting:
        item = waiting.pop()
        code = getattr(item, "__code__", None)
        if item.__qualname__ in seen:
            continue
        try:
            seen[item.__qualname__] = inspect.getsource(item)
        except (OSError, TypeError):
            seen[item.__qualname__] = "" if code is None else code.co_code.hex()
        names = () if code is None else code.co_names
        found = [getattr(item, "__globals__", {}).get(name) for name in names]
        waiting += [
            other
            for other in found
            if inspect.isfunction(other) or inspect.isclass(other)
            if other.__module__ == item.__module__
        ]
    return digest(seen)
