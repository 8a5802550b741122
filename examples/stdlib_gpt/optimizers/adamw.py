"""AdamW (Loshchilov and Hutter, 2017) for all weights, with weight decay for the matrices only."""

from collections.abc import Mapping
from typing import Any

from torch import nn, optim


def build(model: nn.Module, config: Mapping[str, Any]) -> list[optim.Optimizer]:
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim == 2], "weight_decay": config["weight_decay"]},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [optim.AdamW(groups, lr=config["lr"], betas=(0.9, 0.99), fused=True)]
