"""What a sandboxed command may use at most."""

import math
from dataclasses import dataclass, fields

from headway.core import UsageError

__all__ = ["SandboxLimits"]

_MiB, _GiB = 1024**2, 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """Limit a command and all that it starts, together where not said otherwise.

    - `wall_seconds`: from its start. `cpu_seconds`: of all its processes; infinity is no limit.
    - `memory_bytes`: of all its processes, and of each one's data segment. Files in scratch folders are memory too.
    - `processes`: processes and threads alive at one time.
    - `file_bytes`: of each file. `scratch_bytes`: in each scratch folder, `/tmp` and `/dev/shm`, which lie in memory.
    - `disk_bytes`: by which the writable folders may grow. Looked at while it runs, so it may be passed for a moment.
    - `output_bytes`: printed to both streams.
    """

    wall_seconds: float = 600.0
    cpu_seconds: float = math.inf
    memory_bytes: int = 4 * _GiB
    processes: int = 256
    file_bytes: int = _GiB
    scratch_bytes: int = _GiB
    disk_bytes: int = 2 * _GiB
    output_bytes: int = 16 * _MiB

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            seconds = field.name.endswith("seconds")
            if not (type(value) in ((int, float) if seconds else (int,)) and value > 0):
                kind = "a number of seconds" if seconds else "a whole number"
                raise UsageError(f"SandboxLimits({field.name}={value!r}) cannot be meant. Give {kind} above 0.")
