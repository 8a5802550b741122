"""How an engine runs: what may differ from one session to the next without changing what a study finds out."""

from dataclasses import dataclass, replace

from headway.core import Limits, UsageError, hint

__all__ = ["EngineSettings", "check_backend", "with_default_memory"]

_BACKENDS = ("local", "spawn", "inline")
_MEMORY_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Set the number of workers (None: as many as fit), the backend, and how much disk checkpoints may take (bytes).

    With `retry_failed`, trials that failed in earlier sessions are run again instead of answered from the record.
    """

    workers: int | None = None
    backend: str = "local"
    checkpoint_bytes: int = 20 * 1024**3
    retry_failed: bool = False

    def __post_init__(self) -> None:
        check_backend(self.backend)
        if self.workers is not None and (type(self.workers) is not int or self.workers < 1):
            raise UsageError(
                f"workers={self.workers!r} run nothing. Give a whole number from 1, or leave it out for as many as fit."
            )


def check_backend(name: str) -> None:
    """Raise `UsageError` for a backend that there is not."""
    if name not in _BACKENDS:
        near = hint(str(name), _BACKENDS)
        raise UsageError(f"The backend {name!r} is unknown. {near}Use 'local', 'spawn' or 'inline'.")


def with_default_memory(limits: Limits) -> Limits:
    """Fill in the memory limit where none was given: nine tenths of the machine's memory."""
    if limits.memory_bytes:
        return limits
    import os

    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return limits
    return replace(limits, memory_bytes=int(total * _MEMORY_SHARE))
