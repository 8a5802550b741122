"""Words of proposers, who are nobody's friends, as they may stand in a terminal, a commit or a page."""

__all__ = ["plain"]


def plain(text: str, *, keep_indent: bool = False) -> str:
    """Return a text in one line without what a terminal would obey."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text.expandtabs(4))
    return shown.rstrip() if keep_indent else " ".join(shown.split())
