"""Checkpoint files: written whole or not at all, rotated, found again by step.

A file holds the number of steps done, the experiment's own state and the state of the random-number generators. torch
writes it where torch is loaded, pickle elsewhere.
"""

import os
import pickle
import sys
from pathlib import Path
from typing import Any, cast

from headway.experiments import randomness

__all__ = ["latest", "load", "save"]

_KEPT = 2  # the newest and one before it, should the newest be the one that breaks


def save(folder: Path, steps_done: int, state: object) -> Path:
    """Write a checkpoint after `steps_done` steps and remove the ones that it replaces."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{steps_done:012d}.ckpt"
    partial = folder / f".{path.name}.{os.getpid()}"
    content = {"steps": steps_done, "state": state, "random": randomness.capture()}
    try:
        with partial.open("wb") as file:
            _dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    for old in _all(folder)[:-_KEPT]:
        old.unlink(missing_ok=True)
    return path


def latest(folder: Path) -> Path | None:
    """Return the newest checkpoint of a trial, or None."""
    found = _all(folder)
    return found[-1] if found else None


def load(path: Path) -> tuple[int, object, dict[str, Any]]:
    """Return the steps done, the experiment's state and the random-number state."""
    with path.open("rb") as file:
        if file.read(2) == b"PK":  # torch's format is a zip file
            import torch

            # Weights-only loading would refuse the generators' states; the file is one that this trial wrote.
            content = torch.load(path, map_location="cpu", weights_only=False)
        else:
            file.seek(0)
            content = pickle.load(file)
    content = cast("dict[str, Any]", content)
    return content["steps"], content["state"], content["random"]


def _dump(content: object, file: Any) -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.save(content, file)
    else:
        pickle.dump(content, file, protocol=pickle.HIGHEST_PROTOCOL)


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.ckpt"))
