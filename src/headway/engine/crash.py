"""What an exception says of itself, as far as it can be shown: some raise when they are asked, others say too much."""

import traceback
from collections.abc import Iterable

from headway.core import Redactor

__all__ = ["message_of", "shortened", "text_of", "traceback_of"]

_READ_CHARACTERS = 16 * 1024  # more than is kept, so that the cut shows no half of a secret
_KEPT_CHARACTERS = 4 * 1024  # redacting all of 50 MB takes 3 s


def text_of(error: BaseException, redactor: Redactor) -> str:
    """Return the exception's text without secrets and shortened, or what it raised when it was asked for it."""
    try:
        text = str(error)
    except BaseException as failure:  # whatever it is, it is the trial's
        return f"<the text of this exception cannot be shown: it raised {type(failure).__name__}>"
    return _cut(text, redactor)


def message_of(error: BaseException, redactor: Redactor) -> str:
    """Return the exception's type and text, as the last line of a traceback has them."""
    return f"{type(error).__name__}: {text_of(error, redactor)}"


def traceback_of(error: BaseException, redactor: Redactor) -> str:
    """Return the traceback without secrets, with each message shortened."""
    try:
        pieces = traceback.format_exception(error)
    except Exception as failure:
        where = traceback.format_tb(error.__traceback__)
        last = f"{message_of(error, redactor)}\n<the rest cannot be shown: it raised {type(failure).__name__}>\n"
        pieces = ["Traceback (most recent call last):\n", *where, last]
    return redactor.text("".join(shortened(pieces, redactor)))


def shortened(pieces: Iterable[str], redactor: Redactor) -> list[str]:
    """Cut those pieces of a text that are longer than 4,096 characters, and say so in them."""
    return [_cut(piece, redactor) + "\n" * piece.endswith("\n") if _long(piece) else piece for piece in pieces]


def _long(text: str) -> bool:
    return len(text) > _KEPT_CHARACTERS


def _cut(text: str, redactor: Redactor) -> str:
    clean = redactor.text(text[:_READ_CHARACTERS])
    if not _long(clean) and len(text) <= _READ_CHARACTERS:
        return clean
    return f"{clean[:_KEPT_CHARACTERS]} [cut here: it has {len(text):,} characters]"
