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


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(AttributeError, match="Study"):
        getattr(headway, "Steady")  # noqa: B009
