"""Stochastic gradient descent with Nesterov momentum: what there was before Adam, and what transformers do not like."""

from collections.abc import Mapping
from typing import Any

from torch import nn, optim

# Gradients are far smaller than Adam's steps, which have unit scale. With this, one range of `lr` is fair to all.
STEP_SCALE = 100


def build(model: nn.Module, config: Mapping[str, Any]) -> list[optim.Optimizer]:
    return [optim.SGD(model.parameters(), lr=STEP_SCALE * config["lr"], momentum=0.9, nesterov=True)]
