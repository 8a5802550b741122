"""Turn messages into templates: what stays when the same thing goes wrong with other numbers, paths and names."""

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["Templates", "template_of"]

_BLANK = "#"
_VARYING = re.compile(
    r"<[^<>]* at 0x[0-9a-fA-F]+>"  # an object without a text of its own
    r"|0x[0-9a-fA-F]+"
    r"|'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`"
    r"|(?:[A-Za-z]:)?(?:[\\/][\w.+@~=#-]+){2,}[\\/]?"  # a path
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # a UUID
    r"|\b(?=[a-f]*\d)[0-9a-f]{7,}\b"  # a digest
    r"|[-+]?\d+(?:[._,:]\d+)*(?:[eE][-+]?\d+)?|\b(?:nan|inf|NaN|Infinity)\b"
)
_SHAPE = re.compile(rf"([(\[]) ?{_BLANK}(?:, ?{_BLANK})*,? ?([)\]])")  # (3, 4) and (5,): however many there are
_WORD = re.compile(r"\w+|#|[^\w\s]")
_LITERAL = re.compile(r"""^(?:raise\b|assert\b).*["']""")
_LONGEST = 600  # characters of a message that count
_MOST_WORDS = 40
_ALIKE = 0.72  # of the words of two templates of one place: names that no quotes mark
_MOST_KINDS = 40  # templates of one place that a new one is compared with: triage stays linear
_GUESSED = 2  # words in a row that a source line does not have: more are a message of their own


def template_of(message: str, source: str = "", *, names: bool = False) -> str:
    """Return a message without what varies. `source` is the line that raised it, where the user's code did.

    With `names` what stands in quotes is kept: in the code of different authors, other names are other faults.

    >>> template_of("no key 'lr' in <Shards object at 0x7faab195ec10>, 3 of 17")
    'no key # in #, # of #'
    >>> template_of("no train shard 3", 'raise ValueError(f"no {name} shard {number}")')
    'no # shard #'
    """

    def blank(found: re.Match[str]) -> str:
        return found[0] if names and found[0][0] in "'\"`" else _BLANK

    flat = " ".join(_VARYING.sub(blank, message[:_LONGEST]).split())
    if _LITERAL.match(source):
        flat = _without_guests(flat, source)
    return _SHAPE.sub(rf"\1{_BLANK}\2", flat)


def _without_guests(flat: str, source: str) -> str:
    """Blank the few words that the raising line does not spell: it took them from a variable."""
    own = set(_WORD.findall(source))
    words = flat.split(" ")
    guests = [not set(_WORD.findall(word)) <= own | {_BLANK} for word in words]
    kept: list[str] = []
    for index, word in enumerate(words):
        begin = index - next((back for back in range(index) if not guests[index - back - 1]), index)
        end = next((ahead for ahead in range(index, len(words)) if not guests[ahead]), len(words))
        kept.append(_BLANK if guests[index] and end - begin <= _GUESSED else word)
    return " ".join(kept)


class Templates:
    """Give templates of one place that differ in a name or two the same form: the one that was seen first."""

    def __init__(self) -> None:
        self._known: dict[str, list[tuple[str, Counter[str]]]] = {}
        self._found: dict[tuple[str, str], str] = {}

    def form(self, place: str, template: str) -> str:
        """Return the form of a template at a place."""
        key = (place, template)
        if key not in self._found:
            self._found[key] = self._nearest(place, template)
        return self._found[key]

    def _nearest(self, place: str, template: str) -> str:
        words = _counted(_WORD.findall(template)[:_MOST_WORDS])
        known = self._known.setdefault(place, [])
        for form, others in known:
            if _alike(words, others):
                return form
        if len(known) < _MOST_KINDS:
            known.append((template, words))
        return template


def _counted(words: Sequence[str]) -> Counter[str]:
    return Counter(words)


def _alike(left: Counter[str], right: Counter[str]) -> bool:
    total = left.total() + right.total()
    return total > 0 and 2 * (left & right).total() / total >= _ALIKE
