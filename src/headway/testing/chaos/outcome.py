"""What a tormented study came to: the faults that struck it, and every promise that was broken."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

__all__ = ["Break", "Outcome", "Promise"]

# lost: a trial that ended stays as it ended. twice: none ends twice. sound: SQLite finds its file in order.
# verdict: it is that of an undisturbed run. alone: no process is left. tidy: no file is left.
# session: each session ends as it should. clear: errors say what to do.
Promise = Literal["lost", "twice", "sound", "verdict", "alone", "tidy", "session", "clear"]


@dataclass(frozen=True, slots=True)
class Break:
    """Hold one broken promise, and what was seen."""

    promise: Promise
    text: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.text}"


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Gather what a case comes to. Where `broken` stays empty, all held."""

    study: str
    struck: list[str] = field(default_factory=list[str])
    missed: list[str] = field(default_factory=list[str])
    sessions: int = 0
    trials: int = 0
    seconds: float = 0.0
    sentence: str = ""
    broken: list[Break] = field(default_factory=list[Break])

    def note(self, promise: Promise, texts: Iterable[str]) -> None:
        """Write down where a promise was broken."""
        self.broken += [Break(promise, text) for text in texts]

    def count(self, *promises: Promise) -> int:
        """Count how often these promises were broken; without any, all of them."""
        return sum(not promises or item.promise in promises for item in self.broken)

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Outcome":
        """Read what `to_json` wrote; what else stands there is left out."""
        values: dict[str, Any] = {item.name: data[item.name] for item in fields(cls)}
        values["broken"] = [Break(**item) for item in data["broken"]]
        return cls(**values)
