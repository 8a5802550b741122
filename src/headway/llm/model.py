"""A model as a value sees it: a request goes in, a completion comes out. Everything that answers implements `Model`."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from headway.core import UsageError, digest

__all__ = ["Completion", "Message", "Model", "Price", "Request", "Role", "tokens_of"]

Role = Literal["system", "user", "assistant"]

_BYTES_A_TOKEN = 3  # as the answers to agents are counted: code and numbers have fewer bytes a token than prose
_ROLES = get_args(Role)


def tokens_of(text: str) -> int:
    """Estimate how many tokens a text has, at 3 bytes each, for budgets of prompts. Prose in English has fewer.

    >>> tokens_of("a few words")
    4
    """
    return -(-len(text.encode(errors="replace")) // _BYTES_A_TOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Hold one turn of a conversation."""

    role: Role
    text: str

    def __post_init__(self) -> None:
        if self.role not in _ROLES:
            raise UsageError(f"A message has the role {self.role!r}. Use one of: {', '.join(_ROLES)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Hold what a model is asked.

    `max_tokens` bounds the answer; `schema` is the JSON Schema that it shall follow. A cache tells requests apart by
    `seed` too, so give each a seed of its own where several different answers to one prompt are wanted.
    """

    messages: tuple[Message, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    schema: Mapping[str, Any] | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if not self.messages:
            raise UsageError("A request has no messages. Give it one at least, with the role 'user'.")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(
                f"A request has max_tokens={self.max_tokens}. Give 1 or more, or None for the model's own."
            )
        if self.temperature is not None and not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UsageError(f"A request has temperature={self.temperature}. Give a finite number of 0 or more.")

    @property
    def tokens(self) -> int:
        """Estimate the tokens of the prompt: 3 bytes each, and a few around every message."""
        around = 8
        return sum(tokens_of(message.text) + around for message in self.messages)

    def digest(self) -> str:
        """Digest all that the answer may depend on."""
        return digest(
            {
                "messages": [{"role": message.role, "text": message.text} for message in self.messages],
                "max_tokens": self.max_tokens,
                # 0 and 0.0 are one temperature; the canonical form keeps integers and floats apart.
                "temperature": None if self.temperature is None else float(self.temperature),
                "schema": self.schema,
                "seed": self.seed,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """Hold what a model answered.

    `model` is the name by which it answered. Tokens are as it counted them, or estimated where it did not. `dollars` is
    None where no price is known. An answer from a cache (`cached`) costs nothing: its dollars are 0. `truncated` tells
    that the answer was cut off at a limit of tokens.
    """

    text: str
    model: str
    input_tokens: int
    output_tokens: int
    dollars: float | None
    seconds: float
    cached: bool = False
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Hold what a million tokens cost, in dollars: those of prompts, and those of answers."""

    input_dollars: float
    output_dollars: float

    def __post_init__(self) -> None:
        for name, value in (("input", self.input_dollars), ("output", self.output_dollars)):
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"The price of a million {name} tokens is {value}. Give dollars, 0 or more.")

    def dollars(self, input_tokens: int, output_tokens: int) -> float:
        """Return what so many tokens cost."""
        return (input_tokens * self.input_dollars + output_tokens * self.output_dollars) / 1e6


class Model(ABC):
    """Answer requests. Implementations block, and may be asked by several threads at once."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Return what tells this model from others, in records and caches."""

    @abstractmethod
    def complete(self, request: Request) -> Completion:
        """Answer a request, or raise `ModelError`."""
