"""A model, what moves its weights, and how fast: all that a configuration names, put together.

The parts a configuration names are imported here, and only those. Headway notes the files that each trial loaded, so an
edit in `optimizers/muon.py` concerns the trials that ran Muon and no other.
"""

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import torch
from model import GPT
from torch import Tensor, nn, optim

# One knob sets the shape: deeper is narrower, so that all depths cost about the same and compete on equal terms.
WIDTHS = {1: 96, 2: 64, 3: 48, 4: 40}
WARM_UP_STEPS = 40
EVALUATED_AT_ONCE = 32


class Learner:
    """Learn from one batch at a time, towards a horizon that the learning rate's schedule is laid over."""

    def __init__(self, config: Mapping[str, Any], *, width: int, length: int, horizon: int) -> None:
        self.model = GPT(
            width=width,
            layers=config["layers"],
            length=length,
            norm=_part("norms", config["norm"]).Norm,
            mlp=_part("mlps", config["mlp"]).MLP,
            positions=_part("positions", config["positions"]).Positions,
        )
        self.optimizers: list[optim.Optimizer] = _part("optimizers", config["optimizer"]).build(self.model, config)
        self.schedule: Callable[[float], float] = _part("schedules", config["schedule"]).scale
        self.horizon = horizon

    def learn(self, x: Tensor, y: Tensor, step: int) -> float:
        """Take one step down, and return the loss before it, in bits per byte."""
        warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
        self._set_learning_rate(warm_up * self.schedule(step / self.horizon))
        loss = self.model.bits(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return loss.item()

    @torch.no_grad()
    def evaluate(self, x: Tensor, y: Tensor) -> float:
        """Return the mean bits per byte over these windows."""
        pieces = zip(x.split(EVALUATED_AT_ONCE), y.split(EVALUATED_AT_ONCE), strict=True)
        return sum(self.model.bits(*piece).item() * len(piece[0]) for piece in pieces) / len(x)

    def state(self) -> dict[str, Any]:
        """Return all that a later process needs to go on as if nothing had happened."""
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        return {"model": self.model.state_dict(), "optimizers": optimizers}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)

    def _set_learning_rate(self, factor: float) -> None:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("peak_lr", group["lr"]) * factor


def _part(kind: str, name: str) -> ModuleType:
    return importlib.import_module(f"{kind}.{name}")


def batch_starts(text_length: int, shape: tuple[int, int], length: int, seed: int) -> Tensor:
    """Return where the windows of each step's batch begin, in `shape`: steps by batch.

    Only the seed decides: all candidates read the same text.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, text_length - length, shape, generator=generator)
