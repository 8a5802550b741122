"""Weights & Biases offline: its service process writes the transaction log that `wandb sync` would send later."""

import json
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

_BLOCK, _HEAD = 32_768, 7  # of the transaction log, which is LevelDB's format behind a header of seven bytes


class Adapter:
    """Log through `Run.log`; console capture, system metrics and code saving are off."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_ERROR_REPORTING="false")
        os.environ.update(WANDB_DIR=str(folder), WANDB_CACHE_DIR=str(folder), WANDB_CONFIG_DIR=str(folder))
        self._run: Any = None

    def start(self) -> None:
        import wandb

        settings = wandb.Settings(
            console="off", x_disable_stats=True, x_disable_meta=True, x_disable_machine_info=True, save_code=False
        )
        self._run = wandb.init(project="bench", mode="offline", dir=str(self._folder), settings=settings)

    def write(self, values: Iterable[float]) -> None:
        log = self._run.log
        for step, value in enumerate(values):
            log({"loss": value}, step=step)

    def write_four(self, values: Iterable[float]) -> None:
        log = self._run.log
        for step, value in enumerate(values):
            log({"loss": value, "accuracy": value, "grad_norm": value, "lr": value}, step=step)

    def finish(self) -> None:
        import wandb

        self._run.finish()
        wandb.teardown()  # ends the service, so that its CPU time is counted

    def read(self, metric: str) -> Sequence[float]:
        from wandb.proto.wandb_internal_pb2 import Record

        records = (Record.FromString(data) for path in self._folder.rglob("*.wandb") for data in _records(path))
        items = (item for record in records for item in record.history.item)
        return [json.loads(item.value_json) for item in items if metric in (item.key, *item.nested_key)]


def _records(path: Path) -> Iterator[bytes]:
    """Yield the whole records: fragments of checksum (4 bytes), length (2), type (1: all, 2-4: first to last), data."""
    data, offset, parts = path.read_bytes(), _HEAD, list[bytes]()
    while offset + _HEAD <= len(data):
        if _BLOCK - offset % _BLOCK < _HEAD:
            offset += _BLOCK - offset % _BLOCK
            continue
        length, kind = struct.unpack_from("<4xHB", data, offset)
        end = offset + _HEAD + length
        if kind not in (1, 2, 3, 4) or end > len(data):
            return
        parts.append(data[offset + _HEAD : end])
        offset = end
        if kind in (1, 4):
            yield b"".join(parts)
            parts.clear()
