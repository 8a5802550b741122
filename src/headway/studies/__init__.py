"""The loop: what a study declares, what it runs next, what it concludes, and how it is shown."""

from headway.studies.declaration import Declaration, studies_in
from headway.studies.observers import PlainObserver, QuietObserver
from headway.studies.session import record_of, run_study
from headway.studies.study import Study
from headway.studies.summary import CandidateRow, KeyFigures, StudySummary, summarize

__all__ = [
    "CandidateRow",
    "Declaration",
    "KeyFigures",
    "PlainObserver",
    "QuietObserver",
    "Study",
    "StudySummary",
    "record_of",
    "run_study",
    "studies_in",
    "summarize",
]
