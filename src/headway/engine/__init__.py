"""How trials run: templates and workers, limits, early stopping, reuse, recovery."""

from headway.engine.engine import Ending, Engine
from headway.engine.manifests import Library
from headway.engine.schedulers import FullRuns, Scheduler, SuccessiveHalving, make_scheduler
from headway.engine.settings import EngineSettings
from headway.engine.slots import available_cores, available_gpus
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
    "make_scheduler",
]
