"""Muon (Jordan et al., 2024) for the matrices inside the blocks, AdamW for all else: embeddings and gains.

Momentum as in SGD, but each update is replaced by the nearest orthogonal matrix, so that all directions move equally
far, also those that the gradient hardly speaks of.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn, optim


def build(model: nn.Module, config: Mapping[str, Any]) -> list[optim.Optimizer]:
    inside = {name for name, p in model.named_parameters() if name.startswith("blocks.") and p.ndim == 2}
    matrices = [p for name, p in model.named_parameters() if name in inside]
    others = [p for name, p in model.named_parameters() if name not in inside]
    return [
        Muon(matrices, lr=config["lr"], momentum=config["momentum"]),
        optim.AdamW(others, lr=config["lr"], betas=(0.9, 0.99), weight_decay=0.0, fused=True),
    ]


class Muon(optim.Optimizer):
    """Step along the orthogonalised momentum. Takes matrices only."""

    def __init__(self, matrices: Iterable[Tensor], *, lr: float, momentum: float) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step. Matrices of one shape go together: small products are cheaper by the batch."""
        for group in self.param_groups:
            for matrices in _by_shape(group["params"]):
                updates = orthogonalise(torch.stack([self._direction(m, group["momentum"]) for m in matrices]))
                # An orthogonal matrix has entries of about 1 / sqrt(its larger side). This makes them .2, as large as
                # AdamW's steps (Liu et al., 2025, "Muon is scalable for LLM training"): one range of `lr` suits both.
                size = 0.2 * max(updates.shape[1:]) ** 0.5
                for matrix, update in zip(matrices, updates, strict=True):
                    matrix.add_(update, alpha=-group["lr"] * size)

    def _direction(self, matrix: Tensor, momentum: float) -> Tensor:
        """Take the gradient into the running average, and return where both together point (Nesterov)."""
        gradient, state = matrix.grad, self.state[matrix]
        assert gradient is not None
        if not state:
            state["average"] = torch.zeros_like(matrix)
        average: Tensor = state["average"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(average, momentum)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Send the singular values of each matrix to about 1, by five Newton-Schulz steps with Jordan's coefficients."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    for _ in range(5):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


def _by_shape(matrices: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
    for matrix in matrices:
        shapes[matrix.shape].append(matrix)
    return shapes.values()
