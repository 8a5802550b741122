"""Headway: an execution engine for AI research. Ideas in, validated answers out.

import headway

@headway.experiment(metric="loss", space={"lr": headway.Float(1e-4, 1e-1, log=True)})
def train(run):
    ...
    run.report(loss=loss)

headway.Study(train, budget="30 trials").run()
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.core import Budget, Choice, Float, HeadwayError, Int, Limits, Needs
    from headway.experiments import Run, command, current_run, experiment, log, report
    from headway.store import Store
    from headway.studies import Study

__version__ = "0.1.0"

__all__ = [
    "Budget",
    "Choice",
    "Float",
    "HeadwayError",
    "Int",
    "Limits",
    "Needs",
    "Run",
    "Store",
    "Study",
    "command",
    "current_run",
    "experiment",
    "log",
    "report",
]

_ROOMS = {
    "headway.core": ("Budget", "Choice", "Float", "HeadwayError", "Int", "Limits", "Needs"),
    "headway.experiments": ("Run", "command", "current_run", "experiment", "log", "report"),
    "headway.store": ("Store",),
    "headway.studies": ("Study",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        from headway.core.names import nearest

        near = nearest(name, __all__)
        known = f"It exports: {', '.join(__all__)}." if near is None else f"Did you mean {near!r}?"
        # Without the module as `obj`: Python would add a suggestion of its own.
        raise AttributeError(f"module 'headway' has no attribute {name!r}. {known}", name=name, obj=None)
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
