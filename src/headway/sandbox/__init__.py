"""Running what nobody trusts: a command in a sandbox, and an evaluator whose word it cannot forge.

A candidate runs in `Sandbox`; what it left is scored by `GuardedEvaluation`; `protection` says what this machine gives.
`processes` finds and ends what a trial started.
"""

from typing import TYPE_CHECKING

from headway.core.lazy import lazily

if TYPE_CHECKING:
    from headway.sandbox.bubblewrap import Sandbox
    from headway.sandbox.collect import Kept
    from headway.sandbox.guarded import Bound, GuardedEvaluation, Scored
    from headway.sandbox.limits import SandboxLimits
    from headway.sandbox.result_pipe import ResultPipe
    from headway.sandbox.running import Ended, Running
    from headway.sandbox.trying import Protection, protection
    from headway.sandbox.view import interpreter_paths
    from headway.sandbox.warm import Called, WarmSandbox

__all__ = [
    "Bound",
    "Called",
    "Ended",
    "GuardedEvaluation",
    "Kept",
    "Protection",
    "ResultPipe",
    "Running",
    "Sandbox",
    "SandboxLimits",
    "Scored",
    "WarmSandbox",
    "interpreter_paths",
    "protection",
]

__getattr__ = lazily(
    __name__,
    {
        "collect": ("Kept",),
        "guarded": ("Bound", "GuardedEvaluation", "Scored"),
        "limits": ("SandboxLimits",),
        "trying": ("Protection", "protection"),
        "result_pipe": ("ResultPipe",),
        "running": ("Ended", "Running"),
        "bubblewrap": ("Sandbox",),
        "view": ("interpreter_paths",),
        "warm": ("Called", "WarmSandbox"),
    },
)
