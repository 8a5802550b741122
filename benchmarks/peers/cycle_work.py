"""The trial that `cycle` times: load a data set, build a small model and its optimizer, take one step."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy
import torch
from torch import Tensor, nn

__all__ = ["CLASSES", "Data", "first_step", "load"]

CLASSES, BATCH, WIDTH = 10, 128, 128


class Data(NamedTuple):
    """Hold a data set: one row an example."""

    inputs: Tensor
    labels: Tensor


def load() -> Data:
    """Read all of the data set, whose folder the environment names."""
    folder = Path(os.environ["BENCH_DATA"])
    inputs, labels = (torch.from_numpy(numpy.load(folder / f"{name}.npy")) for name in ("inputs", "labels"))
    return Data(inputs, labels)


def first_step(data: Data, rate: float) -> float:
    """Build the model and the optimizer, take one step, and return the loss."""
    features = data.inputs.shape[1]
    model = nn.Sequential(nn.Linear(features, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(),
                          nn.Linear(WIDTH, CLASSES))  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    chosen = torch.randint(len(data.inputs), (BATCH,))
    loss = nn.functional.cross_entropy(model(data.inputs[chosen]), data.labels[chosen])
    loss.backward()
    optimizer.step()
    return loss.item()
