"""Refuse to run what nobody trusts where nothing would hold it."""

from headway.core import UsageError
from headway.experiments.repositories import RepositoryExperiment
from headway.sandbox import protection

__all__ = ["refuse_unprotected"]


def refuse_unprotected(experiment: RepositoryExperiment) -> None:
    """Raise `UsageError` where this machine cannot hold what nobody trusts, unless a person said that it need not."""
    if experiment.unsafe:
        return
    found = protection()
    if not found.sound:
        raise UsageError(
            f"This machine does not hold code that nobody trusts. Protection: {found}. See headway doctor. To run the "
            "code all the same, with all that you may do, type --unsafe: its scores then count as printed."
        )
