"""What was tried before Headway came: the rows of an old ledger, as a study imported them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from headway.interfaces.agents.answers import number, quoted
from headway.store import Store, StudyRecord

__all__ = ["ledger_json"]

_KEPT, _NEWEST = 8, 4
_DESCRIPTION = 100  # characters


def ledger_json(store: Store, study: StudyRecord) -> dict[str, Any]:
    """Return the best and the newest of a study's imported rows; empty where there are none.

    Their values are of one run each, and no verdict of Headway's: what they kept may be noise.
    """
    events = store.events.of_study(study.id, kinds=("ledger",))
    rows: list[Mapping[str, Any]] = [row for event in events for row in event.data.get("rows", ())]
    if not rows:
        return {}
    newest = rows[-_NEWEST:]
    best = [row for row in _ranked(rows, study) if row not in newest][:_KEPT]
    text = "\n".join(_line(row) for row in [*best, *newest])
    return {
        "before_headway": {
            "rows": len(rows),
            "by_status": dict(Counter(str(row.get("status", "")) for row in rows)),
            "said": f"One run each, no verdicts. The best that were kept and the newest {len(newest)}; "
            "commit, value, status, description:",
            "ideas": quoted(text, "the repository's old ledger", 3000, keep="beginning"),
        }
    }


def _ranked(rows: Sequence[Mapping[str, Any]], study: StudyRecord) -> list[Mapping[str, Any]]:
    kept = [row for row in rows if row.get("status") == "keep" and isinstance(row.get("value"), int | float)]
    return sorted(kept, key=lambda row: row["value"], reverse=study.direction == "maximize")


def _line(row: Mapping[str, Any]) -> str:
    value = row.get("value")
    shown = number(value) if isinstance(value, int | float) else "-"
    words = " ".join(str(row.get("description", "")).split())[:_DESCRIPTION]
    return f"{row.get('commit', '')} {shown} {row.get('status', '')} {words}"
