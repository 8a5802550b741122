"""Identity: one canonical JSON text for a value, and a short digest of it. Every id in the store comes from here."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence

from headway.core.errors import UsageError

__all__ = ["Json", "canonical_json", "digest", "digest_bytes"]

_ALLOWED = "Expected numbers, strings, booleans, None, lists and dictionaries with string keys."
Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]

_DIGEST_CHARACTERS = 20  # 80 bits: a billion ids collide with probability below one in a million


def canonical_json(value: Json) -> str:
    """Write `value` as JSON in the one way that equal values share: sorted keys, no spaces, no NaN.

    A float that holds a whole number is written as a float (`1.0`), so an integer and a float stay apart.

    >>> canonical_json({"b": 1, "a": [True, 0.5]})
    '{"a":[true,0.5],"b":1}'
    """
    _check(value, "value")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Json) -> str:
    """Digest the canonical JSON of `value`: 20 hexadecimal characters of SHA-256."""
    return digest_bytes(canonical_json(value).encode(errors="surrogatepass"))  # file names may hold any byte


def digest_bytes(data: bytes) -> str:
    """Digest bytes: 20 hexadecimal characters of SHA-256."""
    return hashlib.sha256(data).hexdigest()[:_DIGEST_CHARACTERS]


def _check(value: Json, where: str) -> None:
    match value:
        case None | bool() | int() | str():
            return
        case float():
            if not math.isfinite(value):
                raise UsageError(f"{where} is {value}, which has no JSON form. Use a finite number.")
        case Mapping():
            for key, item in value.items():
                if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                    raise UsageError(f"{where} has the key {key!r} of type {type(key).__name__}. {_ALLOWED}")
                _check(item, f"{where}[{key!r}]")
        case list() | tuple():
            for index, item in enumerate(value):
                _check(item, f"{where}[{index}]")
        case _:
            raise UsageError(f"{where} is of type {type(value).__name__}. {_ALLOWED}")
