"""Whether a program was there before, in other words: its syntax tree without names, comments and docstrings."""

import ast
import hashlib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from headway.core import digest

__all__ = ["normal_form"]


def _words(words: str, *, suffix: str = r"\b", behind: str = r"\w") -> dict[str, re.Pattern[str]]:
    """Return a pattern for each word, which begins with the word itself: such a search is ten times as fast."""
    return {word: re.compile(rf"{word}(?<!{behind}{word}){suffix}", re.MULTILINE) for word in words.split()}


# Who asks for these sees names and docstrings, or the text itself, while it runs.
_SEES_TEXT = {
    **_words("findsource linecache getcomments f_lineno tb_lineno lineno"),
    **_words("getsource co_", suffix=r"\w*"),
}
_SEES_NAMES = {
    **_words("__doc__ getdoc doctest _getframe currentframe f_locals __code__"),
    **_words("locals vars dir eval exec", behind=r"[.\w]"),  # model.eval() is another one
    **_words("def class", suffix=r"\s+\w+\s*\["),  # names of types have scopes of their own
    "type": re.compile(r"^\s*type\s+\w+", re.MULTILINE),
}


def normal_form(files: Mapping[str, str]) -> str:
    """Return a digest that is equal for programs that differ in comments, layout, docstrings and local names alone.

    `files` are texts by path. What is no Python, or does not parse, counts byte by byte. A name counts as local where
    a function or a comprehension binds it by assignment alone: renaming anything else may change what others see.
    Programs that behave differently have different forms, but for those that read their own text in hidden ways.
    """
    return digest({path: _of_text(path, text) for path, text in files.items()})


def _of_text(path: str, text: str) -> str:
    if not path.endswith(".py") or _has(text, _SEES_TEXT):
        return _hashed(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the proposed code: it is nobody's who runs this
            tree = ast.parse(text)
        if _has(text, _SEES_NAMES):
            return _hashed(ast.dump(tree))
        return _hashed(_Normal().text(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _hashed(text)


def _has(text: str, words: Mapping[str, re.Pattern[str]]) -> bool:
    return any(word in text and pattern.search(text) for word, pattern in words.items())


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class _Normal:
    """Write a syntax tree as text, without docstrings, and with numbers for local names, as they come.

    `_names` is what a name is called where it is read now, and `_inner` what it is called in functions that begin
    here: they do not see the names of a class around them. The numbers are no Python names, so none is met twice.
    (One walk that writes: a transformer and `ast.dump` take three times as long, and each proposal is read so.)
    """

    def __init__(self) -> None:
        self._names: Mapping[str, str] = {}
        self._inner: Mapping[str, str] = {}
        self._count = 0
        self._out: list[str] = []

    def text(self, tree: ast.Module) -> str:
        """Return the tree as text."""
        self._write(tree)
        return " ".join(self._out)

    def _write(self, value: Any) -> None:
        if isinstance(value, ast.AST):
            self._out.append(f"({type(value).__name__}")
            _WRITERS.get(type(value), _Normal._fields)(self, value)
            self._out.append(")")
        elif isinstance(value, list):
            self._out.append("[")
            for item in value:  # pyright: ignore[reportUnknownVariableType]
                self._write(item)
            self._out.append("]")
        else:
            self._out.append(repr(value))

    def _fields(self, node: ast.AST, *without: str) -> None:
        for name in node._fields:
            if name not in without:
                self._write(getattr(node, name, None))

    def _name(self, node: ast.Name) -> None:
        self._out.append(self._names.get(node.id, node.id))
        self._out.append(type(node.ctx).__name__)

    def _nonlocal(self, node: ast.Nonlocal) -> None:
        self._write([self._names.get(name, name) for name in node.names])

    def _module(self, node: ast.Module) -> None:
        self._write(_without_docstring(node))

    def _class(self, node: ast.ClassDef) -> None:
        """Write a class, whose own names are seen from outside."""
        self._fields(node, "body")
        body = _without_docstring(node)
        bound = _Bound(body)
        before = self._names, self._inner
        self._names = {**self._inner, **{name: name for name in (*bound.stored, *bound.others)}}
        self._write(body)
        self._names, self._inner = before

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._scope(node, _without_docstring(node))

    def _lambda(self, node: ast.Lambda) -> None:
        self._scope(node, [node.body])

    def _scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, body: Sequence[ast.AST]) -> None:
        self._fields(node, "body")  # decorators, defaults: of the outside
        taken = _arguments(node.args)
        before = self._enter(_Bound(body), taken)
        self._write(body)
        self._names, self._inner = before

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        first = node.generators[0]
        self._write(first.iter)  # the one part that is of the outside
        before = self._enter(_Bound([item.target for item in node.generators]), ())
        for name in node._fields:
            if name != "generators":
                self._write(getattr(node, name))
        for item in node.generators:
            self._out.append("for")
            self._fields(item, *(("iter",) if item is first else ()))
        self._names, self._inner = before

    def _enter(self, bound: "_Bound", taken: Sequence[str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Begin a scope in which what is assigned alone is numbered, and what is bound otherwise is called as it is."""
        before = self._names, self._inner
        names = {**self._inner, **{name: name for name in (*bound.others, *taken)}}
        for name in bound.stored:
            if name not in bound.others and name not in taken:
                # A class would make another name of one that begins with two underscores.
                names[name] = name if name.startswith("__") else str(self._count)
                self._count += 1
        self._names = self._inner = names
        return before


_WRITERS: Mapping[type[ast.AST], Any] = {
    ast.Name: _Normal._name,  # pyright: ignore[reportPrivateUsage]
    ast.Nonlocal: _Normal._nonlocal,  # pyright: ignore[reportPrivateUsage]
    ast.Module: _Normal._module,  # pyright: ignore[reportPrivateUsage]
    ast.ClassDef: _Normal._class,  # pyright: ignore[reportPrivateUsage]
    ast.FunctionDef: _Normal._function,  # pyright: ignore[reportPrivateUsage]
    ast.AsyncFunctionDef: _Normal._function,  # pyright: ignore[reportPrivateUsage]
    ast.Lambda: _Normal._lambda,  # pyright: ignore[reportPrivateUsage]
    ast.ListComp: _Normal._comprehension,  # pyright: ignore[reportPrivateUsage]
    ast.SetComp: _Normal._comprehension,  # pyright: ignore[reportPrivateUsage]
    ast.DictComp: _Normal._comprehension,  # pyright: ignore[reportPrivateUsage]
    ast.GeneratorExp: _Normal._comprehension,  # pyright: ignore[reportPrivateUsage]
}


_DEFINITIONS = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda})
_COMPREHENSIONS = frozenset({ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp})
_NAMING = frozenset({ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping, ast.alias, ast.Global})


class _Bound:
    """Find what a scope binds itself: `stored` by assignment, `others` in ways that are left as they are.

    What functions, classes and comprehensions within it bind is theirs, but for the walrus of comprehensions.
    """

    def __init__(self, body: Iterable[ast.AST]) -> None:
        self.stored: dict[str, None] = {}
        self.others: dict[str, None] = {}
        self._outer: set[str] = set()  # names of the function around
        for node in body:
            self._look(node, within=False)
        for name in self._outer:
            self.stored.pop(name, None)

    def _look(self, node: ast.AST, *, within: bool) -> None:
        """Look at a node, and into it as far as the scope goes; `within` a comprehension only the walrus binds."""
        kind = type(node)
        if isinstance(node, ast.Name):
            if not within and not isinstance(node.ctx, ast.Load):
                self.stored.setdefault(node.id)
            return
        if isinstance(node, ast.NamedExpr):
            self.stored.setdefault(node.target.id)
        elif isinstance(node, ast.Nonlocal):
            self._outer.update(node.names)
        elif kind in _NAMING or kind in _DEFINITIONS:
            self.others.update(dict.fromkeys(_named_by(node)))
        within = within or kind in _COMPREHENSIONS
        for part in _parts(node, but_body=kind in _DEFINITIONS):
            self._look(part, within=within)


def _parts(node: ast.AST, *, but_body: bool) -> Iterator[ast.AST]:
    """Give the nodes in a node; of a definition those alone that are evaluated where it stands."""
    for name in node._fields:
        if but_body and name == "body":
            continue
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            yield value
        elif isinstance(value, list):
            for item in value:  # pyright: ignore[reportUnknownVariableType]
                if isinstance(item, ast.AST):
                    yield item


def _named_by(node: ast.AST) -> list[str]:
    """Return the names that a node binds, or declares, other than by assignment."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return [name]
        case ast.MatchMapping(rest=str(name)):
            return [name]
        case ast.alias(name=name, asname=other):
            return [other or name.partition(".")[0]]
        case ast.Global(names=names):
            return names
        case _:
            return []


def _arguments(arguments: ast.arguments) -> list[str]:
    """Return the names of arguments: callers may use them."""
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [item.arg for item in listed if item is not None]


def _without_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> Sequence[ast.AST]:
    body = node.body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        return body[1:] or [ast.Pass()]
    return body
