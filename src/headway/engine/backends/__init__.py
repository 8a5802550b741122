"""Where attempts run: forked from a warm template, in a fresh interpreter each, or in the engine's own process."""

from headway.engine.backends.base import Backend, BackendSetup, Host, Process, WorkerLost
from headway.engine.backends.inline import InlineBackend
from headway.engine.backends.local import LocalBackend
from headway.engine.backends.spawn import SpawnBackend
from headway.engine.backends.standing import StandingBackend
from headway.engine.settings import check_backend

__all__ = [
    "Backend",
    "BackendSetup",
    "Host",
    "InlineBackend",
    "LocalBackend",
    "Process",
    "SpawnBackend",
    "StandingBackend",
    "WorkerLost",
    "make_backend",
]


def make_backend(name: str, setup: BackendSetup) -> Backend:
    """Return the backend of that name: local, spawn or inline.

    An experiment whose trials need no process of their own gets standing workers for `local`.
    """
    import os

    check_backend(name)
    if name == "local" and setup.experiment.standing:
        return StandingBackend(setup)
    if name == "inline":
        return InlineBackend(setup)
    if not hasattr(os, "fork"):
        return SpawnBackend(setup)
    return LocalBackend(setup, mode="spawn" if name == "spawn" else "fork")
