"""Our parameters as Optuna's distributions, and values as the numbers that these hold, both ways.

Choices are numbered, since Optuna takes True for 1; what lies on a step is counted, since it multiplies steps in
binary; so a value comes back as the very one that went in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from headway.core import Choice, Config, Float, Int, Parameter, Space
from headway.core.space import exists

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["Encoding"]


@final
@dataclass(frozen=True, slots=True)
class Encoding:
    """Translate between configurations of a space (in canonical order) and Optuna's parameters."""

    space: Space
    distributions: "Mapping[str, BaseDistribution]"

    @classmethod
    def of(cls, space: Space) -> "Encoding":
        """Choose a distribution for every parameter of the space."""
        return cls(space, {name: _distribution(parameter) for name, parameter in space})

    def encode(self, config: Config) -> dict[str, int | float]:
        """Return Optuna's parameters for a configuration; a value off its step counts as the nearest one on it."""
        return {name: _encode(parameter, config[name]) for name, parameter in self.space if exists(parameter, config)}

    def decode(self, name: str, value: int | float) -> Any:
        """Return the value of a parameter from Optuna's."""
        match self.space.parameters[name]:
            case Choice(values):
                return values[int(value)]
            case Int(low, log=False, step=step):
                return low + int(value) * (step or 1)
            case Int():
                return int(value)
            case Float(step=None):
                return float(value)
            case Float() as stepped:
                return stepped.at((value + 0.5) / (stepped.count or 1))


def _distribution(parameter: Parameter) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match parameter:
        case Choice(values):
            return CategoricalDistribution(range(len(values)))
        case Float(low, high, log, step=None):
            return FloatDistribution(low, high, log=log)
        case Int(low, high, log=True):
            return IntDistribution(low, high, log=True)
        case Int() | Float():
            return IntDistribution(0, (parameter.count or 1) - 1)


def _encode(parameter: Parameter, value: Any) -> int | float:
    match parameter:
        case Choice(values):
            known = parameter.clean(value)
            return next(index for index, item in enumerate(values) if item is known)
        case Float(step=None) | Int(log=True):
            return value
        case Int(low, step=step) | Float(low, step=step):
            return min(max(round((value - low) / (step or 1)), 0), (parameter.count or 1) - 1)
