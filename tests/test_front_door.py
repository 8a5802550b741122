"""The front door: what is promised, and what importing it costs."""

import subprocess
import sys

import pytest

import headway

PROMISED = [
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
HEAVY = ("numpy", "scipy", "torch", "rich", "asyncio", "optuna", "sqlite3", "click")


def test_front_door_exports_what_is_pinned_here():
    assert headway.__all__ == PROMISED
    assert len(PROMISED) <= 20
    for name in PROMISED:
        assert getattr(headway, name) is not None


def test_importing_headway_loads_nothing_heavy():
    code = f"import headway, sys; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_an_unknown_name_is_answered_with_the_nearest_or_all():
    with pytest.raises(AttributeError, match=r"no attribute 'Steady'\. Did you mean 'Study'\?$"):
        getattr(headway, "Steady")  # noqa: B009
    with pytest.raises(AttributeError, match=r"no attribute 'quux'\. It exports: Budget, Choice, Float"):
        getattr(headway, "quux")  # noqa: B009


def test_an_unknown_name_is_answered_once():
    answer = subprocess.run(
        [sys.executable, "-c", "import headway; headway.Flaot"], capture_output=True, text=True, check=False
    )
    assert answer.stderr.splitlines()[-1].endswith("'headway' has no attribute 'Flaot'. Did you mean 'Float'?")
