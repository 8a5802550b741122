"""The text that an expression makes, as far as it can be read without running it.

`"val" + "_bpb"`, `"_".join(["val", "bpb"])`, `"%s_bpb" % "val"`, `chr(118)` and names that are given such a text once
are read; what depends on the run is `UNKNOWN`, one character that no source writes.
"""

import ast
import re
from collections.abc import Callable, Mapping

from headway.experiments.repositories.signs.names import BUILT_IN, Names

__all__ = ["UNKNOWN", "Texts"]

UNKNOWN = "\0"

# A candidate may write texts that grow without end: each step of the reading is bounded.
_DEPTH = 12
_MOST_STEPS = 2_000
_LONGEST, _LONGEST_PIECE, _MOST_ITEMS = 100_000, 500, 500
_PERCENT = re.compile(r"%[^%a-zA-Z]*[a-zA-Z]")
_BRACES = re.compile(r"\{[^{}]*\}")
_PATHS = ("os.path.join", "os.fspath", "os.path.expanduser", "os.path.abspath", "pathlib.Path", "pathlib.PurePath")
_SAME = (
    "encode",
    "decode",
    "strip",
    "rstrip",
    "lstrip",
    "ljust",
    "rjust",
    "center",
    "resolve",
    "expanduser",
    "absolute",
)
_CHANGED: Mapping[str, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper, "swapcase": str.swapcase}


class Texts:
    """Read the texts of one source. Numbers behind names are knobs and stay unknown; without `follow`, all names do."""

    def __init__(self, names: Names, *, follow: bool = True) -> None:
        self._names = names
        self._follow = follow
        self._steps = 0

    def of(self, node: ast.expr) -> str:
        """Return the text, with `UNKNOWN` for each piece of it that is not known."""
        self._steps = 0
        return re.sub(f"{UNKNOWN}+", UNKNOWN, self._of(node, _DEPTH))[:_LONGEST]

    def known(self, node: ast.expr) -> str | None:
        """Return the text where all of it is known."""
        text = self.of(node)
        return None if UNKNOWN in text else text

    def _of(self, node: ast.expr, depth: int) -> str:
        self._steps += 1
        if depth <= 0 or self._steps > _MOST_STEPS:
            return UNKNOWN
        match node:
            case ast.Constant(value=value):
                return value.decode("latin-1") if isinstance(value, bytes) else str(value)
            case ast.JoinedStr(values=parts):
                return "".join(self._of(part, depth - 1) for part in parts)
            case ast.FormattedValue(value=value) | ast.Starred(value=value):
                return self._of(value, depth - 1)
            case ast.Name():
                value = self._names.value(node) if self._follow else None
                return UNKNOWN if value is None or _is_number(value) else self._of(value, depth - 1)
            case ast.BinOp():
                return self._of_operation(node, depth - 1)
            case ast.Call():
                return self._of_call(node, depth - 1)
            case _:
                return self._of_collection(node, depth - 1)

    def _of_collection(self, node: ast.expr, depth: int) -> str:
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return " ".join(self._of(item, depth) for item in items)
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                told = (
                    f"'{self._of(key, depth)}': {self._of(value, depth)}" for key, value in pairs if key is not None
                )
                return "{" + ", ".join(told) + "}"
            case ast.Subscript(value=value, slice=ast.Slice(lower=None, upper=None, step=ast.UnaryOp(op=ast.USub()))):
                return self._of(value, depth)[::-1]
            case _:
                return UNKNOWN

    def _of_operation(self, node: ast.BinOp, depth: int) -> str:
        if isinstance(node.op, ast.Add):
            return "".join(self._of(term, depth) for term in _terms(node))
        left, right = self._of(node.left, depth), node.right
        match node.op:
            case ast.Div() if UNKNOWN not in left:
                return f"{left}/{self._of(right, depth)}"
            case ast.Mod():
                given = right.elts if isinstance(right, ast.Tuple) else [right]
                return _filled(_PERCENT, left, [self._of(item, depth) for item in given])
            case ast.Mult() if isinstance(node.left, ast.BinOp | ast.Constant) and not _is_text(node.left):
                return UNKNOWN  # a product of numbers
            case ast.Mult() if isinstance(right, ast.Constant) and isinstance(right.value, int):
                return left[:_LONGEST_PIECE] * min(right.value, _MOST_ITEMS)
            case _:
                return UNKNOWN

    def _of_call(self, call: ast.Call, depth: int) -> str:
        path = self._names.path(call.func)
        if path in _PATHS:
            return "/".join(self._of(item, depth) for item in call.args)
        if path in ("json.dumps", f"{BUILT_IN}str", f"{BUILT_IN}repr", f"{BUILT_IN}dict") and call.args:
            return self._of(call.args[0], depth)
        if path == f"{BUILT_IN}dict":
            return "".join(f"'{word.arg}': {self._of(word.value, depth)} " for word in call.keywords)
        if path in (f"{BUILT_IN}chr", f"{BUILT_IN}bytes", f"{BUILT_IN}bytearray") and call.args:
            return "".join(_character(text) for text in self._of(call.args[0], depth).split(" "))
        if path == f"{BUILT_IN}bytes.fromhex" and call.args:
            return _from_hex(self._of(call.args[0], depth))
        return self._of_method(call, call.func, depth) if isinstance(call.func, ast.Attribute) else UNKNOWN

    def _of_method(self, call: ast.Call, method: ast.Attribute, depth: int) -> str:
        if method.attr in _SAME:
            return self._of(method.value, depth)
        if method.attr in _CHANGED:
            return _CHANGED[method.attr](self._of(method.value, depth))
        if method.attr == "join" and call.args:
            return self._of(method.value, depth)[:_LONGEST_PIECE].join(self._items(call.args[0], depth)[:_MOST_ITEMS])
        if method.attr == "replace" and len(call.args) > 1:
            old, new, text = (self._of(item, depth)[:_LONGEST_PIECE] for item in (*call.args[:2], method.value))
            return text.replace(old, new) if old else UNKNOWN
        if method.attr == "format":
            given = [*call.args, *(word.value for word in call.keywords)]
            return _filled(_BRACES, self._of(method.value, depth), [self._of(item, depth) for item in given])
        return UNKNOWN

    def _items(self, node: ast.expr, depth: int) -> list[str]:
        """Return the texts that a `join` puts together; `chr(c) for c in codes` and `map(chr, codes)` are read."""
        match node:
            case ast.Name() if (value := self._names.value(node)) is not None and depth > 0:
                return self._items(value, depth - 1)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self._of(item, depth) for item in items]
            case ast.GeneratorExp(elt=made, generators=[one]) | ast.ListComp(elt=made, generators=[one]):
                call = made.func if isinstance(made, ast.Call) else made
                return [_character(t) if self._is_chr(call) else UNKNOWN for t in self._items(one.iter, depth)]
            case ast.Call(func=ast.Name(id="map"), args=[function, items]):
                return [_character(t) if self._is_chr(function) else UNKNOWN for t in self._items(items, depth)]
            case _:
                return [*self._of(node, depth)]

    def _is_chr(self, node: ast.expr) -> bool:
        return self._names.path(node) == f"{BUILT_IN}chr"


def _terms(node: ast.BinOp) -> list[ast.expr]:
    """Return what a sum adds up, from the left; sums of very many terms lose their first ones."""
    terms = [node.right]
    left = node.left
    while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add) and len(terms) < _MOST_ITEMS:
        terms.append(left.right)
        left = left.left
    return [left, *reversed(terms)]


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float | complex)


def _character(text: str) -> str:
    return chr(int(text)) if text.isdecimal() and int(text) < 0x110000 else UNKNOWN


def _from_hex(text: str) -> str:
    try:
        return bytes.fromhex(text).decode("latin-1")
    except ValueError:
        return UNKNOWN


def _filled(places: re.Pattern[str], text: str, given: list[str]) -> str:
    """Return a format with what it is given in the order of its places, and `UNKNOWN` where that ends."""
    rest = iter(given)
    return places.sub(lambda _: next(rest, UNKNOWN), text)


def _is_text(node: ast.expr) -> bool:
    """Tell whether a term of a product may be a text: no number is."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, str | bytes)
        case ast.BinOp(left=left, op=ast.Mult() | ast.Add()):
            return _is_text(left)
        case ast.BinOp():
            return isinstance(node.op, ast.Mod)
        case _:
            return True
