"""Random-number state of Python, NumPy and torch: seeded before a trial, saved and restored with its checkpoints.

A library that is imported after the seeding is seeded at that moment, so that lazy imports do not lose the seed.
"""

import importlib.abc
import importlib.machinery
import random
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

__all__ = ["capture", "restore", "seed_everything"]


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch, now where they are loaded and else when they are imported."""
    random.seed(seed)
    for name in ("numpy.random", "torch"):
        if name in sys.modules:
            _seed_module(name, sys.modules[name], seed)
        elif (waiting := _waiting.get(name)) is not None and waiting in sys.meta_path:
            waiting.seed = seed  # an engine that runs its trials in its own process seeds for each of them
        else:
            _waiting[name] = _SeedOnImport(name, seed)
            sys.meta_path.insert(0, _waiting[name])


def capture() -> dict[str, Any]:
    """Return the state of all generators that are loaded."""
    state: dict[str, Any] = {"python": random.getstate()}
    if (numpy_random := sys.modules.get("numpy.random")) is not None:
        state["numpy"] = numpy_random.get_state()
    if (torch := sys.modules.get("torch")) is not None:
        state["torch"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore(state: dict[str, Any]) -> None:
    """Set the generators to a captured state."""
    random.setstate(state["python"])
    if "numpy" in state:
        import numpy

        numpy.random.set_state(state["numpy"])
    if "torch" in state:
        import torch

        torch.set_rng_state(state["torch"])
        if "cuda" in state:
            torch.cuda.set_rng_state_all(state["cuda"])


def _seed_module(name: str, module: ModuleType, seed: int) -> None:
    if name == "torch":
        module.manual_seed(seed)
    else:
        module.seed(seed % 2**32)


class _SeedOnImport(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, seed: int) -> None:
        self._name, self.seed = name, seed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            _seed_after(spec.loader, fullname, self.seed)
        return spec


_waiting: dict[str, _SeedOnImport] = {}


def _seed_after(loader: Any, name: str, seed: int) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        _seed_module(name, module, seed)

    loader.exec_module = exec_module
