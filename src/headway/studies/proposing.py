"""Who proposes in a study, as texts that the command line gives and the record keeps, and what it may cost."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from headway.core import UsageError
from headway.llm import Price

__all__ = ["Ceiling", "checked_proposers", "kind_of"]

_HOW = (
    "Write for example model:openai:NAME, model:http://127.0.0.1:8000/v1#NAME, agent:claude -p, "
    "function:model.py:complete, or tune:near."
)
_KINDS = ("model", "agent", "function", "tune")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """Hold what models may cost in a store's life: `dollars`, which need a `price`, and `tokens`. None is no limit."""

    dollars: float | None = None
    tokens: int | None = None
    price: Price | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is limited, as JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        price = data.get("price")
        return cls(
            dollars=data.get("dollars"), tokens=data.get("tokens"), price=None if price is None else Price(**price)
        )


def checked_proposers(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the texts; raise `UsageError` for one that names no proposer."""
    for text in texts:
        kind_of(text)
    return tuple(texts)


def kind_of(text: str) -> tuple[str, str]:
    """Return a proposer's kind (`model`, `agent`, `function`, `tune`), and which one it is."""
    kind, _, rest = text.partition(":")
    if kind not in _KINDS or not rest.strip() or (kind == "tune" and rest.strip() != "near"):
        raise UsageError(f"{text!r} names no proposer. {_HOW}")
    return kind, rest.strip()
