"""How trials run: templates and workers, limits, early stopping, reuse, recovery."""

from typing import TYPE_CHECKING

from headway.core.lazy import lazily

if TYPE_CHECKING:
    from headway.engine.engine import Ending, Engine
    from headway.engine.lease import refuse_busy
    from headway.engine.manifests import Library
    from headway.engine.schedulers import FullRuns, Scheduler, SuccessiveHalving, make_scheduler
    from headway.engine.settings import EngineSettings
    from headway.engine.slots import available_cores, available_gpus, check_needs
    from headway.engine.spec import Origin
    from headway.engine.work import Assignment, Observer, Work

__all__ = [
    "Assignment",
    "Ending",
    "Engine",
    "EngineSettings",
    "FullRuns",
    "Library",
    "Observer",
    "Origin",
    "Scheduler",
    "SuccessiveHalving",
    "Work",
    "available_cores",
    "available_gpus",
    "check_needs",
    "make_scheduler",
    "refuse_busy",
]

__getattr__ = lazily(
    __name__,
    {
        "engine": ("Ending", "Engine"),
        "lease": ("refuse_busy",),
        "manifests": ("Library",),
        "schedulers": ("FullRuns", "Scheduler", "SuccessiveHalving", "make_scheduler"),
        "settings": ("EngineSettings",),
        "slots": ("available_cores", "available_gpus", "check_needs"),
        "spec": ("Origin",),
        "work": ("Assignment", "Observer", "Work"),
    },
)
