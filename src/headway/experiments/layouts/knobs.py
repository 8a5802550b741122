"""Knobs are not code: the constants and flags of a source as a search space, and written back into it.

A knob is a module-level constant in capitals that is given a literal once (`MATRIX_LR = 0.04`, `BETAS = (0.8, 0.95)`),
or an argparse flag with a literal default. Numbers and truth values get a range around their value and can be searched;
a text can only where its alternatives stand in the source. All are recognised when a proposal turns them.
"""

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from headway.core import Parameter, Scalar, Space, UsageError, suggestion
from headway.experiments.layouts._edits import Edit, nodes_of, parse, replace, text_of
from headway.experiments.layouts._literals import folded, literal_text
from headway.experiments.layouts._ranges import parameter_for

__all__ = ["Knob", "RepositoryKnobs", "find_knobs", "only_knobs", "space_of", "write_knobs"]

_CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*")
_SEED = re.compile(r"(?:\w+_)?seed", re.IGNORECASE)
_LONGEST_TUPLE, _MOST_KNOBS = 16, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """Hold a constant or flag of a source: its value there, and its parameter where it can be searched."""

    name: str
    value: Scalar
    parameter: Parameter | None
    line: int
    node: ast.expr


@lru_cache(maxsize=64)
def find_knobs(source: str) -> tuple[Knob, ...]:
    """Return the knobs of a source, in its order; none where it is no Python.

    An element of a tuple is a knob of its own: `BETAS` becomes `BETAS__0` and `BETAS__1`. Seeds are none.
    """
    tree = parse(source)
    if tree is None:
        return ()
    nodes = nodes_of(tree)
    choices = _compared_texts(nodes)
    knobs: dict[str, Knob] = {}
    for name, node, given in (*_constants(tree, nodes), *_flags(nodes)):
        value = folded(node)
        alternatives = given or choices.get(name.partition("__")[0], ())
        if name in knobs or _SEED.fullmatch(name) or value is None:
            continue
        shown = text_of(source, node)
        parameter = parameter_for(name, value.value, power_of_two="**" in shown, alternatives=alternatives)
        if len(knobs) == _MOST_KNOBS:
            break
        knobs[name] = Knob(name=name, value=value.value, parameter=parameter, line=node.lineno, node=node)
    return tuple(knobs.values())


def space_of(knobs: tuple[Knob, ...]) -> Space:
    """Return the search space of the knobs that can be searched: ranges around the values that they have now."""
    return Space.of({knob.name: knob.parameter for knob in knobs if knob.parameter is not None})


def write_knobs(source: str, config: Mapping[str, Any]) -> str:
    """Return the source with the values of `config` in their places; every other byte stays.

    A value that is written there already keeps its text. Raises `UsageError` for a name that is no knob of the source
    or a value that is no number, text or truth value.
    """
    knobs = {knob.name: knob for knob in find_knobs(source)}
    edits: list[Edit] = []
    for name, value in config.items():
        if name not in knobs:
            raise UsageError(f"The source has no knob {name!r}. {suggestion(name, knobs)}")
        text = literal_text(name, value, text_of(source, knobs[name].node))
        if (type(value), value) != (type(knobs[name].value), knobs[name].value):
            edits.append(Edit(knobs[name].node, text))
    return replace(source, edits)


def only_knobs(old: str, new: str) -> dict[str, Scalar] | None:
    """Return the knobs that `new` turns, with their new values, or None where it changes anything else.

    Comments and layout do not count: a proposal that changes nothing but these turns no knob, and gives {}.
    """
    before, after = find_knobs(old), find_knobs(new)
    if [knob.name for knob in before] != [knob.name for knob in after]:
        return None
    if _cut(old) != _cut(new):
        without = _without_knobs(old)
        if without is None or without != _without_knobs(new):
            return None
    return {
        right.name: right.value
        for left, right in zip(before, after, strict=True)
        if (type(left.value), left.value) != (type(right.value), right.value)
    }


@dataclass(frozen=True, slots=True)
class RepositoryKnobs:
    """Hold the knobs of several files. A name that two files have is called after its file: `train__LR`."""

    places: Mapping[str, tuple[str, Knob]]

    @classmethod
    def of(cls, sources: Mapping[str, str]) -> "RepositoryKnobs":
        """Find the knobs of all files."""
        found = [(path, knob) for path, text in sorted(sources.items()) for knob in find_knobs(text)]
        counts = Counter(knob.name for _, knob in found)
        stems = {path: re.sub(r"\W", "_", path.removesuffix(".py")) for path, _ in found}
        return cls({(k.name if counts[k.name] == 1 else f"{stems[path]}__{k.name}"): (path, k) for path, k in found})

    @property
    def space(self) -> Space:
        """Return the search space of the knobs that can be searched."""
        return Space.of({name: k.parameter for name, (_, k) in self.places.items() if k.parameter is not None})

    @property
    def values(self) -> dict[str, Scalar]:
        """Return the values that the searched knobs have now: the baseline's configuration."""
        return {name: k.value for name, (_, k) in self.places.items() if k.parameter is not None}

    def write(self, sources: Mapping[str, str], config: Mapping[str, Any]) -> dict[str, str]:
        """Return the files that change when the knobs get the values of `config`, by path, with their new text."""
        wanted: dict[str, dict[str, Any]] = {}
        for name, value in config.items():
            if name not in self.places:
                raise UsageError(f"The repository has no knob {name!r}. {suggestion(name, self.places)}")
            path, knob = self.places[name]
            wanted.setdefault(path, {})[knob.name] = value
        texts = {path: write_knobs(sources[path], values) for path, values in wanted.items()}
        return {path: text for path, text in texts.items() if text != sources[path]}

    def differ(self, sources: Mapping[str, str], changed: Mapping[str, str]) -> bool:
        """Tell whether `changed` files have any knob otherwise. That is quickly seen, and `turned` is not."""
        return any(_values(sources[path]) != _values(text) for path, text in changed.items() if path in sources)

    def turned(self, sources: Mapping[str, str], changed: Mapping[str, str]) -> dict[str, Scalar] | None:
        """Return the knobs that a proposal's `changed` files turn, or None where it does anything else."""
        values: dict[str, Scalar] = {}
        for path, text in changed.items():
            found = only_knobs(sources[path], text) if path in sources else None
            if found is None:
                return None
            names = {knob.name: name for name, (place, knob) in self.places.items() if place == path}
            values |= {names[name]: value for name, value in found.items()}
        return values


def _values(source: str) -> list[tuple[str, type, Scalar]]:
    return [(knob.name, type(knob.value), knob.value) for knob in find_knobs(source)]


def _constants(tree: ast.Module, nodes: Sequence[ast.AST]) -> Iterator[tuple[str, ast.expr, tuple[str, ...]]]:
    stored = Counter(n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        if not _CONSTANT.fullmatch(name) or stored[name] > 1:
            continue
        if isinstance(value, ast.Tuple | ast.List) and len(value.elts) > _LONGEST_TUPLE:
            continue  # a table is no knob
        if isinstance(value, ast.Tuple | ast.List):
            yield from ((f"{name}__{index}", item, ()) for index, item in enumerate(value.elts))
        else:
            yield name, value, ()


def _flags(nodes: Sequence[ast.AST]) -> Iterator[tuple[str, ast.expr, tuple[str, ...]]]:
    for node in nodes:
        if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("add_argument")):
            continue
        flags = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        words = {word.arg: word.value for word in node.keywords}
        long = next((flag for flag in flags if flag.startswith("--")), None)
        if long is not None and "default" in words and "nargs" not in words:
            yield _destination(long, words), words["default"], _texts(words.get("choices"))


def _destination(flag: str, words: Mapping[str | None, ast.expr]) -> str:
    given = words.get("dest")
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        return given.value
    return flag.lstrip("-").replace("-", "_")


def _texts(node: ast.expr | None) -> tuple[str, ...]:
    items = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [] if node is None else [node]
    return tuple(item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str))


def _compared_texts(nodes: Sequence[ast.AST]) -> dict[str, tuple[str, ...]]:
    """Return the texts that each name is compared with anywhere: what else it could be."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        match node:
            case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq() | ast.NotEq() | ast.In()], comparators=[other]):
                found.setdefault(name, []).extend(_texts(other))
            case _:
                pass
    return {name: tuple(dict.fromkeys(texts)) for name, texts in found.items()}


@lru_cache(maxsize=64)
def _cut(source: str) -> str:
    """Return a source without its knobs' values."""
    return replace(source, [Edit(knob.node, "...") for knob in find_knobs(source)])


@lru_cache(maxsize=64)
def _without_knobs(source: str) -> str | None:
    """Return what stands for a program but for its knobs' values; None for what is no program."""
    tree = parse(_cut(source))
    return None if tree is None else hashlib.sha256(ast.dump(tree).encode(errors="surrogatepass")).hexdigest()
