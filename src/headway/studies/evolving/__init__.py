"""Evolution of a repository: proposers change programs, evidence selects, as one plan for the engine."""

from headway.studies.evolving.plan import EvolvePlan

__all__ = ["EvolvePlan"]
