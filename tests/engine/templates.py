"""The templates that this process has started: other children, such as a resource tracker, may be there too."""

import os
from pathlib import Path

from headway.sandbox import processes

__all__ = ["own_templates"]


def own_templates() -> list[int]:
    return [pid for pid in processes.children(os.getpid()) if b"headway.engine.template" in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
