"""HTML and SVG that cannot be injected into: whatever is not `Html` already is escaped on its way into a tag."""

import html
from collections.abc import Iterable

__all__ = ["EMPTY", "Html", "join", "tag"]

_VOID = {"br", "circle", "col", "line", "link", "meta", "path", "rect"}


class Html(str):
    """Mark a text as markup that was escaped where it had to be. Only this module and files of ours make one."""

    __slots__ = ()


EMPTY = Html("")


def tag(element: str, /, *children: str, **attributes: str | float | None) -> Html:
    """Write one element. Attributes that are None are left out; `class_` and `data_x` become `class` and `data-x`.

    >>> tag("a", "2 < 3", class_="note", data_x=0.5)
    '<a class="note" data-x="0.5">2 &lt; 3</a>'
    """
    head = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if element in _VOID and not children:
        return Html(f"<{element}{head}/>")
    return Html(f"<{element}{head}>{join(children)}</{element}>")


def join(parts: Iterable[str], between: str = "") -> Html:
    """Put parts side by side; plain text among them is escaped."""
    return Html(_safe(between).join(_safe(part) for part in parts))


def _attribute(key: str, value: str | float) -> str:
    name = key.rstrip("_").replace("_", "-")
    shown = value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
    return f' {name}="{html.escape(shown)}"'


def _safe(part: str) -> str:
    return part if isinstance(part, Html) else html.escape(part)
