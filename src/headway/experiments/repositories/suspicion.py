"""To be written."""
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    kind: str
    path: str
    line: int
    text: str
def suspicions(before: Mapping[str, str], after: Mapping[str, str], *, metric: str, read_only: Iterable[str] = ()) -> tuple[Suspicion, ...]:
    return ()
