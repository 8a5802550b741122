"""The loop: what a study declares, what it runs next, what it concludes, and how it is shown.

Names are loaded when they are used: `headway status` reads a summary and must not pay for the engine.
"""

from typing import TYPE_CHECKING

from headway.core.lazy import lazily

if TYPE_CHECKING:
    from headway.studies.declaration import Declaration, studies_in
    from headway.studies.observers import PlainObserver, QuietObserver
    from headway.studies.replay import NullExperiment, Replay, ReplayStep, judge_ledger
    from headway.studies.results_tsv import LedgerRow, ResultsLedger, read_ledger
    from headway.studies.session import record_of, run_study
    from headway.studies.study import Study
    from headway.studies.summary import CandidateRow, KeyFigures, StudySummary, summarize

__all__ = [
    "CandidateRow",
    "Declaration",
    "KeyFigures",
    "LedgerRow",
    "NullExperiment",
    "PlainObserver",
    "QuietObserver",
    "Replay",
    "ReplayStep",
    "ResultsLedger",
    "Study",
    "StudySummary",
    "judge_ledger",
    "read_ledger",
    "record_of",
    "run_study",
    "studies_in",
    "summarize",
]

__getattr__ = lazily(
    __name__,
    {
        "declaration": ("Declaration", "studies_in"),
        "observers": ("PlainObserver", "QuietObserver"),
        "replay": ("NullExperiment", "Replay", "ReplayStep", "judge_ledger"),
        "results_tsv": ("LedgerRow", "ResultsLedger", "read_ledger"),
        "session": ("record_of", "run_study"),
        "study": ("Study",),
        "summary": ("CandidateRow", "KeyFigures", "StudySummary", "summarize"),
    },
)
