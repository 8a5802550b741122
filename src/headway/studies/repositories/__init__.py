"""Studies of repositories: fed with changes of code, guarded, kept as commits and in the ledger."""

from headway.studies.repositories.keeping import Keeper, keep_results
from headway.studies.repositories.proposals import (
    Change,
    change_of,
    changed_from,
    files_of,
    official_of,
)
from headway.studies.repositories.protecting import refuse_unprotected
from headway.studies.repositories.rebasing import Rebased, Rebaser
from headway.studies.repositories.recorded import experiment_of, is_repository

__all__ = [
    "Change",
    "Keeper",
    "Rebased",
    "Rebaser",
    "change_of",
    "changed_from",
    "experiment_of",
    "files_of",
    "is_repository",
    "keep_results",
    "official_of",
    "refuse_unprotected",
]
