"""Where candidates come from: the sampler contract, and the samplers that choose configurations of a search space."""

from headway.propose.given import GivenSampler
from headway.propose.grid import GridSampler
from headway.propose.optuna import OptunaSampler
from headway.propose.random import RandomSampler
from headway.propose.registry import SamplerFactory, check_sampler, make_sampler
from headway.propose.sampler import Observation, Sampler
from headway.propose.sobol import SobolSampler

__all__ = [
    "GivenSampler",
    "GridSampler",
    "Observation",
    "OptunaSampler",
    "RandomSampler",
    "Sampler",
    "SamplerFactory",
    "SobolSampler",
    "check_sampler",
    "make_sampler",
]
