"""Placeholder while the report is written."""

from pathlib import Path

from headway.store import Store
from headway.studies.summary import StudySummary


def write_report(store: Store, summary: StudySummary) -> Path:
    p = store.folder / "reports" / f"{summary.study.name}.html"
    p.parent.mkdir(exist_ok=True)
    p.write_text("x")
    return p
