"""To be written."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    value: float | None
    metrics: Mapping[str, float]
    curve: Mapping[str, Sequence[tuple[int, float]]]
    seconds: float
def implausible(candidate: Facts, baseline: Sequence[Facts], history: Sequence[Facts], *, metric: str, direction: Literal["minimize", "maximize"]) -> tuple[str, ...]:
    return ()
