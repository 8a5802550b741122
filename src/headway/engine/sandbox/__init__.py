"""Running what nobody trusts: a command in a sandbox, and an evaluator whose word it cannot forge.

A candidate runs in `Sandbox`; what it left is scored by `GuardedEvaluation`; `protection` says what this machine gives.
"""

from headway.engine.sandbox.collect import Kept
from headway.engine.sandbox.guarded import Bound, GuardedEvaluation, Scored
from headway.engine.sandbox.limits import SandboxLimits
from headway.engine.sandbox.protection import Protection, protection
from headway.engine.sandbox.running import Ended, Running
from headway.engine.sandbox.sandbox import Sandbox
from headway.engine.sandbox.view import interpreter_paths

__all__ = [
    "Bound",
    "Ended",
    "GuardedEvaluation",
    "Kept",
    "Protection",
    "Running",
    "Sandbox",
    "SandboxLimits",
    "Scored",
    "interpreter_paths",
    "protection",
]
