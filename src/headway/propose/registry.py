"""Samplers by name: ours, and those that other packages bring under the entry-point group `headway.samplers`."""

import logging
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Protocol

from headway.core import Direction, MissingExtra, Space, UsageError, nearest
from headway.propose.grid import GridSampler
from headway.propose.optuna import OptunaSampler
from headway.propose.random import RandomSampler
from headway.propose.sampler import Sampler
from headway.propose.sobol import SobolSampler

__all__ = ["ENTRY_POINTS", "SamplerFactory", "check_sampler", "make_sampler"]

ENTRY_POINTS = "headway.samplers"
_log = logging.getLogger(__name__)


class SamplerFactory(Protocol):
    """Build a sampler for a space. What an entry point names, and what `make_sampler` takes in place of a name."""

    def __call__(self, space: Space, *, seed: int, direction: Direction) -> Sampler:
        """Return a sampler whose proposals the seed decides."""
        ...


def _grid(space: Space, *, seed: int, direction: Direction) -> Sampler:
    del direction
    return GridSampler(space, seed=seed)


def _random(space: Space, *, seed: int, direction: Direction) -> Sampler:
    del direction
    return RandomSampler(space, seed=seed)


def _sobol(space: Space, *, seed: int, direction: Direction) -> Sampler:
    del direction
    return SobolSampler(space, seed=seed)


def _tpe(space: Space, *, seed: int, direction: Direction) -> Sampler:
    return OptunaSampler(space, seed=seed, direction=direction)


_BUILT_IN: dict[str, SamplerFactory] = {"grid": _grid, "random": _random, "sobol": _sobol, "tpe": _tpe}


def check_sampler(name: str) -> None:
    """Raise what `make_sampler` would raise, without building anything: before the first trial runs, not after."""
    if name not in _BUILT_IN:
        _plugged_in(name)
    elif name == "tpe" and find_spec("optuna") is None:
        raise MissingExtra("optuna", "optuna", "The sampler 'tpe'")


def make_sampler(name: str | SamplerFactory, space: Space, *, seed: int, direction: Direction) -> Sampler:
    """Build the sampler of that name, or the one that a factory returns.

    >>> space = Space.of({"batch": 32})
    >>> make_sampler("grid", space, seed=0, direction="minimize").propose(0, [])
    {'batch': 32}
    """
    if isinstance(name, str):
        factory = _BUILT_IN.get(name) or _plugged_in(name)
    else:
        factory = name
    sampler = factory(space, seed=seed, direction=direction)
    if not isinstance(sampler, Sampler):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(
            f"The sampler {name!r} made a {type(sampler).__name__}. Expected an instance of headway.propose.Sampler: "
            "derive its class from that one."
        )
    return sampler


def _plugged_in(name: str) -> SamplerFactory:
    found = entry_points(group=ENTRY_POINTS)
    problems: list[str] = []
    for point in found:
        if point.name == name:
            try:
                return point.load()
            except Exception as error:
                problems.append(f"The plug-in {_described(point)} cannot be loaded: {type(error).__name__}: {error}.")
                _log.warning("%s It is skipped.", problems[-1])
    known = sorted({*_BUILT_IN, *(point.name for point in found)} - ({name} if problems else set[str]()))
    near = nearest(name, known)
    hint = "" if near is None else f" Did you mean {near!r}?"
    what = " ".join(problems) or f"There is no sampler {name!r}."
    raise UsageError(f"{what}{hint} Known samplers: {', '.join(known)}.")


def _described(point: EntryPoint) -> str:
    package = f" of {point.dist.name}" if point.dist is not None else ""
    return f"{point.name!r} ({point.value}{package})"
