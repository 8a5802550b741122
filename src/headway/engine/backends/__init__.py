"""Where attempts run: forked from a warm template, in a fresh interpreter each, or in the engine's own process."""

from headway.engine.backends.base import Backend, BackendSetup, Process
from headway.engine.backends.inline import InlineBackend
from headway.engine.backends.local import LocalBackend
from headway.engine.backends.spawn import SpawnBackend

__all__ = ["Backend", "BackendSetup", "InlineBackend", "LocalBackend", "Process", "SpawnBackend", "make_backend"]


def make_backend(name: str, setup: BackendSetup) -> Backend:
    """Return the backend of that name: local, spawn or inline."""
    import os

    from headway.core import UsageError

    match name:
        case "local":
            return LocalBackend(setup) if hasattr(os, "fork") else SpawnBackend(setup)
        case "spawn":
            return LocalBackend(setup, mode="spawn") if hasattr(os, "fork") else SpawnBackend(setup)
        case "inline":
            return InlineBackend(setup)
        case _:
            raise UsageError(f"The backend {name!r} is unknown. Use 'local', 'spawn' or 'inline'.")
