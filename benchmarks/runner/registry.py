"""Which benchmarks there are: the modules of this package that hold a function under `@benchmark`."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import benchmarks
from benchmarks.runner.context import Context
from benchmarks.runner.results import Result

__all__ = ["Benchmark", "benchmark", "discover"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Hold one benchmark: its module's name, what it claims, and how to run it."""

    name: str
    claim: str
    run: Callable[[Context], Result]


def benchmark(claim: str) -> Callable[[Callable[[Context], Result]], Benchmark]:
    """Make a benchmark of a function. `claim` is what `--list` says of it, in one line."""

    def decorate(function: Callable[[Context], Result]) -> Benchmark:
        return Benchmark(name=function.__module__.rpartition(".")[2], claim=claim, run=function)

    return decorate


def discover() -> dict[str, Benchmark]:
    """Import the modules beside the runner and return their benchmarks. One that cannot be imported fails when run."""
    found = (_load(info.name) for info in pkgutil.iter_modules(benchmarks.__path__) if not info.ispkg)
    return {item.name: item for item in found if item is not None}


def _load(name: str) -> Benchmark | None:
    if name.startswith("_"):
        return None
    try:
        module = importlib.import_module(f"benchmarks.{name}")
    except Exception as error:  # a broken benchmark is reported by name; the others still run
        return _broken(name, error)
    return next((item for item in vars(module).values() if isinstance(item, Benchmark) and item.name == name), None)


def _broken(name: str, error: Exception) -> Benchmark:
    def fail(context: Context) -> Result:
        del context
        raise error

    return Benchmark(name=name, claim=f"cannot be imported: {error!r}", run=fail)
