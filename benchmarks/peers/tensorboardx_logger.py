"""tensorboardX: event files, with the native checksum (the `crc32c` package).

Its queue keeps the default of ten events: a longer one costs as much CPU and loses more when the process is killed.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any


class Adapter:
    """Log through `SummaryWriter.add_scalar`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def start(self) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(self._folder))

    def write(self, values: Iterable[float]) -> None:
        add = self._writer.add_scalar
        for step, value in enumerate(values):
            add("loss", value, step)

    def write_four(self, values: Iterable[float]) -> None:
        add = self._writer.add_scalar
        for step, value in enumerate(values):
            add("loss", value, step)
            add("accuracy", value, step)
            add("grad_norm", value, step)
            add("lr", value, step)

    def finish(self) -> None:
        self._writer.close()

    def read(self, metric: str) -> Sequence[float]:
        from tensorboardX.proto.event_pb2 import Event

        events = (Event.FromString(record) for path in self._folder.glob("events.*") for record in _records(path))
        return [value.simple_value for event in events for value in event.summary.value if value.tag == metric]


def _records(path: Path) -> Iterator[bytes]:
    """Yield the whole records of a TFRecord file: length (8 bytes), its checksum (4), data, its checksum (4)."""
    data = path.read_bytes()
    offset = 0
    while offset + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, offset)
        if offset + 16 + length > len(data):
            return
        yield data[offset + 12 : offset + 12 + length]
        offset += 16 + length
