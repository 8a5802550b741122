"""Decisions and states as marks: always a word, a shape and a colour, so that no one of them has to be seen."""

from headway.studies.report.markup import Html, tag

__all__ = ["SHAPES", "mark"]

SHAPES = {
    "accepted": "●",
    "rejected": "✕",
    "undecided": "◐",
    "identical": "=",
    "flagged": "⚑",
    "rebased": "↥",
    "running": "▶",
    "stopped": "▽",
    "failed": "!",
    "queued": "○",
    "paused": "‖",
    "complete": "✓",
    "finished": "✓",
    "new": "○",
    "baseline": "◆",
}


def mark(state: str, word: str | None = None) -> Html:
    """Write a state's mark. `word` stands for the state's own word where a finer one is known."""
    first = state.partition(" ")[0]  # "accepted (as printed)"
    kind = first if first in SHAPES else "queued"
    shape = tag("span", SHAPES[kind], class_="shape", aria_hidden="true")
    return tag("span", shape, word or state, class_=f"mark {kind}")
