"""The data of `triage_study.py`, and how its loading fails."""

import ctypes
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np


class Shards:
    """Hold open shards; its text has an address, as that of most objects."""


def load(cause: str | None, config: Mapping[str, Any], trial: str) -> np.ndarray[Any, Any]:
    """Return the data, or fail."""
    match cause:
        case "missing_shard":
            name = ["train", "validation", "extra"][config["layers"] % 3]
            raise FileNotFoundError(
                f"{Shards()} has no {name} shard {config['heads']}: /data/{trial}/{name}-{config['heads']}.bin"
            )
        case "broken_settings":
            return np.full(8, read_settings('{"warmup": ' + "[" * config["layers"] + " oops"))
        case "lost_connection":
            raise ConnectionResetError(f"10.0.{config['layers']}.{config['heads']}:{8000 + config['workers']} hung up")
        case "segfault":
            ctypes.string_at(0)
        case "leaves":
            os._exit(4)
        case _:
            return np.linspace(0.0, 1.0, 64).reshape(8, 8)
    raise AssertionError(cause)


def read_settings(text: str) -> float:
    """Read a number, deep in the standard library."""
    return float(json.loads(text)["warmup"])


def whiten(data: np.ndarray[Any, Any], cause: str | None) -> np.ndarray[Any, Any]:
    """Divide by the covariance's root, which may not exist."""
    noise = np.zeros((8, 8)) if cause == "singular_whitening" else np.eye(8)
    return np.linalg.inv(noise) @ data
