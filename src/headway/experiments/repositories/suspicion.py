"""Signs of cheating that can be seen in a patch, without running it.

Where a candidate prints its own score, or is imported by its evaluator, nothing proves the score. So what a patch adds
is held against what stood there before, and what looks like cheating is flagged, with the line and the reason, for a
person to judge. What is compared are facts of the syntax tree, as multisets over all editable files: imports are
followed through their aliases, the names of locals and the places of lines do not count. So code may move, locals may
get other names, and models, optimizers, schedules and loops may be anything.

What no look at the source can see, and so is never flagged:

- a model that knows that it is being evaluated, or that returns better numbers than it computed: `__call__` and
  `forward` are the candidate's own (`plausibility.py` holds the score against the training curve);
- what is decided while the program runs: names, paths and texts that come from data, from arithmetic, from the
  environment, or from names that are given several values;
- a budget that is stretched by a loop that counts its own steps or seconds wrongly;
- read-only objects that are changed through locals: what a function of theirs returned, or an argument that it got;
- what a library does with what it is given, and anything in a file that is neither Python nor prints by `echo` and
  the like, or is Python that only a newer version than this one can parse.

A flag is no proof either: a run may honestly write a file elsewhere, or ask for the split that it is measured by.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from headway.experiments.repositories.signs.references import reference_signs
from headway.experiments.repositories.signs.reports import REPORT, prints_metric, report_signs
from headway.experiments.repositories.signs.seeding import changed_seeds
from headway.experiments.repositories.signs.sign import ReadOnly, Sign, Source
from headway.experiments.repositories.signs.tampering import tampering_signs
from headway.experiments.repositories.signs.touching import touching_signs

__all__ = ["Suspicion", "suspicions"]

_QUOTED = 120
_RESERVED = {"sitecustomize", "usercustomize", "conftest"}
_Found = list[tuple[str, Sign]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """Hold what looks like cheating: its kind, where it stands in the new text, and a sentence that quotes the line.

    Kinds: `seed`, `metric` (how it is reported), `evaluator` (what measures), `data` (what is read and written),
    `exit` (ways to leave early), `system` (processes, networks, code from texts).
    """

    kind: str
    path: str
    line: int
    text: str


def suspicions(
    before: Mapping[str, str], after: Mapping[str, str], *, metric: str, read_only: Iterable[str] = ()
) -> tuple[Suspicion, ...]:
    """Return what is new in `after` and looks like cheating, by path and line; empty where nothing does.

    Both map the paths of all editable files to their texts. `read_only` are paths of files that no patch may change;
    the Python modules among them are the evaluation. A file that does not parse is left out: it will crash.
    """
    guarded = ReadOnly(tuple(read_only))
    own = frozenset(_module(path) for path in (*before, *after)) - frozenset(sys.stdlib_module_names)
    new = _sources(after, guarded, own)
    broken = {path for path in after if path.endswith(".py")} - set(new)
    old = _sources({path: text for path, text in before.items() if path not in broken}, guarded, own)
    earlier, later = _signs(old, old, metric), _signs(new, old, metric)
    found = [*_fresh(earlier, later), *_gone(earlier, later, metric)] if new else []
    found += [*changed_seeds(old, new), *_shadowing(old, new, guarded), *_scripts(before, after, metric)]
    told = {_suspicion(path, sign, after.get(path, "")): None for path, sign in found}
    return tuple(sorted(told, key=lambda suspicion: (suspicion.path, suspicion.line, suspicion.kind)))


def _sources(texts: Mapping[str, str], guarded: ReadOnly, own: frozenset[str]) -> dict[str, Source]:
    sources = {path: Source.of(texts[path], guarded, own) for path in sorted(texts) if path.endswith(".py")}
    return {path: source for path, source in sources.items() if source is not None}


def _signs(sources: Mapping[str, Source], old: Mapping[str, Source], metric: str) -> _Found:
    earlier = frozenset(name for source in old.values() for name in source.imported)
    found: _Found = []
    for path, source in sources.items():
        found += [(path, sign) for sign in report_signs(source, metric)]
        found += [(path, sign) for sign in reference_signs(source)]
        found += [(path, sign) for sign in tampering_signs(source, earlier)]
        found += [(path, sign) for sign in touching_signs(source)]
        if source.deep:
            why = "The code is nested so deeply that nobody looked into it"
            found.append((path, Sign(kind="system", key="deep", line=1, why=why)))
    return found


def _fresh(old: _Found, new: _Found) -> Iterator[tuple[str, Sign]]:
    """Yield the signs that are not among the old ones, or more often; of several alike, the last ones in the text."""
    known = Counter((sign.kind, sign.key) for _, sign in old)
    for path, sign in sorted(new, key=lambda found: (found[0], found[1].line)):
        if known[sign.kind, sign.key] == 0:
            yield path, sign
        elif not sign.once:
            known[sign.kind, sign.key] -= 1


def _gone(old: _Found, new: _Found, metric: str) -> Iterator[tuple[str, Sign]]:
    """Yield a line that reported the metric and does no more, where no other line does."""
    before = [(path, sign) for path, sign in old if _reports(sign)]
    if before and not any(_reports(sign) for _, sign in new):
        path, sign = before[0]
        why = f"The line that reports {metric}, line {sign.line} of {path} before, is gone"
        yield path, Sign(kind="metric", key="", line=1, why=why)


def _reports(sign: Sign) -> bool:
    return sign.key.startswith(REPORT)


def _shadowing(old: Mapping[str, Source], new: Mapping[str, Source], guarded: ReadOnly) -> Iterator[tuple[str, Sign]]:
    """Yield new files that would be imported in the place of a library or of a read-only module."""
    folders = {PurePosixPath(path).parent for path in (*old, *guarded.paths)} | {PurePosixPath()}
    used = {name for source in old.values() for name in source.names.modules}
    known = {name.rsplit(".", 1)[-1] for name in guarded.modules} | used | _RESERVED
    for path in set(new) - set(old):
        place = PurePosixPath(path)
        place = place.parent if place.name == "__init__.py" else place.with_suffix("")
        top = place.parent == PurePosixPath()
        if place.parent in folders and (place.name in known or (top and place.name in sys.stdlib_module_names)):
            why = f"A new file would be imported in the place of the module {place.name}"
            yield path, Sign(kind="evaluator", key=path, line=1, why=why)


def _scripts(before: Mapping[str, str], after: Mapping[str, str], metric: str) -> Iterator[tuple[str, Sign]]:
    """Yield new lines of files that are not Python and seem to print the metric."""
    known = Counter(line.strip() for text in before.values() for line in text.splitlines())
    for path in sorted(path for path in after if not path.endswith(".py")):
        for number, line in enumerate(after[path].splitlines(), 1):
            known[line.strip()] -= 1
            if known[line.strip()] < 0 and prints_metric(line, metric):
                why = f"A new line seems to print {metric}"
                yield path, Sign(kind="metric", key=line.strip(), line=number, why=why)


def _suspicion(path: str, sign: Sign, text: str) -> Suspicion:
    lines = text.splitlines()
    quoted = lines[sign.line - 1].strip() if 0 < sign.line <= len(lines) else ""
    quoted = quoted if len(quoted) <= _QUOTED else quoted[: _QUOTED - 3] + "..."
    return Suspicion(kind=sign.kind, path=path, line=sign.line, text=f"{sign.why}: `{quoted}`.")


def _module(path: str) -> str:
    return PurePosixPath(path).with_suffix("").parts[0]
