"""Take over what a repository's own ledger tells: what was tried before Headway came, for those who propose next."""

from headway.core import HeadwayError
from headway.experiments.layouts import Layout
from headway.store import Store, StudyRecord
from headway.studies.results_tsv import read_ledger

__all__ = ["import_ledger"]

_EVENT = "ledger"
_MOST_ROWS = 2000  # the newest


def import_ledger(store: Store, record: StudyRecord, layout: Layout) -> int:
    """Store the rows of the ledger that lies in the repository, once; return how many there are.

    They are told to those who propose, and count as evidence for nothing: one run each, on who knows which machine.
    """
    if layout.ledger is None or store.events.of_study(record.id, kinds=(_EVENT,)):
        return 0
    path = layout.root / layout.ledger
    if not path.is_file():
        return 0
    try:
        found = read_ledger(path, layout.metric)
    except HeadwayError as error:
        store.events.add("note", study=record.id, text=f"{layout.ledger} was not taken over: {error}")
        return 0
    rows = [
        {"commit": row.commit, "value": row.value, "status": row.status, "description": row.description}
        for row in found.rows[-_MOST_ROWS:]
    ]
    store.events.add(_EVENT, study=record.id, rows=rows)
    return len(rows)
