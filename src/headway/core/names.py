"""Names that people write: which known one is meant, and calls that say so when a parameter's name is unknown.

What a study file calls (`Study`, `experiment`, `Limits`) is checked here, so that a slip is answered by the nearest
name and an example, and not by what Python says of a function of ours.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from headway.core.errors import UsageError

__all__ = ["call_checked", "fields_checked", "hint", "nearest", "suggestion"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Class = TypeVar("_Class", bound=type)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like this one, whatever its capitals, or None."""
    import difflib  # only where something is wrong already

    names = {item.lower(): item for item in known}
    found = difflib.get_close_matches(name.lower(), names, n=1)
    return names[found[0]] if found else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the nearest of the known names, or with all of them where none is near.

    >>> suggestion("Budgett", ["budget", "seeds"]), suggestion("x", ["lr", "width"])
    ("Did you mean 'budget'?", 'Known: lr, width.')
    """
    names = list(known)
    near = nearest(name, names)
    return f"Known: {', '.join(names) or 'none'}." if near is None else f"Did you mean {near!r}?"


def hint(name: str, known: Iterable[str]) -> str:
    """Return a question with the nearest of the known names and a space after it, or nothing where none is near.

    >>> hint("ahsa", ["full", "asha"]), hint("x", ["full", "asha"])
    ("Did you mean 'asha'? ", '')
    """
    near = nearest(name, known)
    return "" if near is None else f"Did you mean {near!r}? "


def call_checked(example: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Raise `UsageError` instead of `TypeError` for a call with other parameters than the function has.

    `example` is a call as people write it; the message shows it. The function runs one frame deeper than it looks.
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            try:
                return function(*args, **kwargs)
            except TypeError:  # of the call, or from within: to ask before each call takes longer than most of them
                try:
                    signature.bind(*args, **kwargs)
                except TypeError as error:
                    raise UsageError(_explained(example, signature, kwargs, error)) from None
                raise

        return checked

    return decorate


def fields_checked(example: str) -> Callable[[_Class], _Class]:
    """Do for the constructor of a dataclass what `call_checked` does for a function."""

    def decorate(kind: _Class) -> _Class:
        kind.__init__ = call_checked(example)(kind.__init__)
        return kind

    return decorate


def _explained(example: str, signature: inspect.Signature, given: Iterable[str], error: TypeError) -> str:
    called = example.partition("(")[0]
    known = [name for name in signature.parameters if name != "self"]
    for name in given:
        if name not in known:
            return f"{called}(...) has no parameter {name!r}. {suggestion(name, known)} Example: {example}"
    return f"{called}(...) cannot be called like this: {error}. Example: {example}"
