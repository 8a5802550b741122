"""A study's report: one HTML file that holds everything it shows, for people, mail and archives.

`studies` writes it when a session ends, the command line when asked. It fetches nothing, runs without a server, and
names no folder of the machine that wrote it.
"""

from pathlib import Path

from headway.core import Clock, SystemClock
from headway.store import Store, StudyRecord
from headway.studies.report.page import page
from headway.studies.report.replacing import replacing
from headway.studies.summary import summarize

__all__ = ["write_report"]

_ROWS = 500  # candidates: 2 MB of HTML, which a browser sorts at once


def write_report(store: Store, study: StudyRecord, *, clock: Clock | None = None) -> Path:
    """Write the study's report into the store and return its path. A reader sees the old file or the new one, whole."""
    summary = summarize(store, study, rows=_ROWS)
    target = store.report_path(study.name)
    text = page(store, summary, (clock or SystemClock()).now())
    target.parent.mkdir(parents=True, exist_ok=True)
    # Bytes, because a name or message that came from a file system may hold lone surrogates.
    with replacing(target) as temporary:
        temporary.write_bytes(text.encode("utf-8", errors="replace"))
    return target
