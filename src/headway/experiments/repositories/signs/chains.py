"""Where a printed value comes from: the calls and arithmetic between the evaluation and the line that reports it.

`val_bpb = evaluate_bpb(model, ...)` has the chain `prepare.evaluate_bpb()`, whatever the local is called and however
many names and functions it passes through; `min(evaluate_bpb(...), 0.5)` and `0.5` have others. Within arithmetic
only names that lead to an evaluation are followed: how a model computes is not for us to judge.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator

from headway.experiments.repositories.signs.names import BUILT_IN, Binding
from headway.experiments.repositories.signs.sign import Source

__all__ = ["Chains"]

_DEPTH = 14
_MOST_STEPS = 2_000  # values that are spread over many names would be followed for ever
_LONGEST = 400
_SAME_VALUE = (f"{BUILT_IN}float", f"{BUILT_IN}str", f"{BUILT_IN}format", f"{BUILT_IN}repr")
_SAME_METHODS = ("item", "cpu", "detach", "tolist", "numpy")
_ANYTHING = "_"
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Chains:
    """Follow the values of one source backwards."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._names = source.names
        self._steps = 0
        self._calls: dict[str, list[ast.Call]] = defaultdict(list)
        for node in source.names.nodes:
            if isinstance(node, ast.Call):
                self._calls[_last_name(node.func)].append(node)

    def of(self, node: ast.expr) -> str:
        """Return the chain that ends in an expression, as a text that can be compared."""
        self._steps = 0
        return self._of(node, _DEPTH)[:_LONGEST]

    def _of(self, node: ast.expr, depth: int) -> str:
        self._steps += 1
        if depth <= 0 or self._steps > _MOST_STEPS:
            return _ANYTHING
        match node:
            case ast.Constant(value=value):
                return repr(value)
            case ast.Name():
                return self._of_name(node, depth - 1)
            case ast.Call():
                return self._of_call(node, depth - 1)
            case ast.Attribute(value=ast.Name() as base, attr=attr):
                return self._of_member(base, attr, depth - 1) or f"{_ANYTHING}.{attr}"
            case ast.Subscript(value=ast.Name() as base, slice=ast.Constant(value=str(key))):
                return self._of_member(base, key, depth - 1) or f"{_ANYTHING}[{key!r}]"
            case ast.NamedExpr(value=value) | ast.Starred(value=value) | ast.FormattedValue(value=value):
                return self._of(value, depth - 1)
            case _:
                return self._of_parts(node, depth - 1)

    def _of_parts(self, node: ast.expr, depth: int) -> str:
        """Return the shape of arithmetic, with the evaluations that stand in it."""
        return f"{_shape(node)}({', '.join(self._within(part, depth) for part in _parts(node))})"

    def _within(self, node: ast.expr, depth: int) -> str:
        if not isinstance(node, ast.Name):
            return self._of(node, depth)
        value = self._names.value(node)
        chain = _ANYTHING if value is None else self._of(value, depth - 1)
        return chain if self._evaluates(chain) else _ANYTHING

    def _of_name(self, node: ast.Name, depth: int) -> str:
        path = self._names.path(node)
        if path is not None:
            return path
        found = self._names.bindings(node)
        chains = sorted({chain for binding in found for chain in self._of_binding(node, binding, depth)})
        return " or ".join(chains) or _ANYTHING

    def _of_binding(self, node: ast.Name, binding: Binding, depth: int) -> Iterator[str]:
        match binding.how, binding.value:
            case "value", ast.Constant() | ast.UnaryOp(operand=ast.Constant()):
                yield "a constant"
            case "value", ast.expr() as value:
                yield self._of(value, depth)
            case "part", ast.expr() as value:
                yield f"part of {self._of(value, depth)}"
            case "changed", ast.expr() as value:
                yield f"{_shape(binding.node)} {self._within(value, depth)}"
            case "parameter", _:
                function = self._names.scope(binding.node)
                if isinstance(function, _Function):
                    yield from (self._of(given, depth) for given in self._given(function, node.id))
            case _:
                yield _ANYTHING

    def _given(self, function: _Function, name: str) -> Iterator[ast.expr]:
        """Yield what the file's own calls hand to a parameter."""
        names = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]
        place = names.index(name) - (names[:1] == ["self"]) if name in names else -1
        for call in self._calls[function.name]:
            yield from (word.value for word in call.keywords if word.arg == name)
            if 0 <= place < len(call.args):
                yield call.args[place]

    def _of_call(self, call: ast.Call, depth: int) -> str:
        path = self._names.path(call.func)
        if self._source.read_only.holds(path) and path is not None:
            return f"{self._source.read_only.short(path)}()"
        if path in _SAME_VALUE and len(call.args) == 1:
            return self._of(call.args[0], depth)
        if isinstance(call.func, ast.Attribute) and call.func.attr in _SAME_METHODS:
            return self._of(call.func.value, depth)
        functions = self._functions(call.func)
        if path is None and functions:
            return self._of_results(functions, depth)
        name = path.removeprefix(BUILT_IN) if path is not None else self._of_method(call.func, depth)
        given = [*call.args, *(word.value for word in call.keywords)]
        return f"{name}({', '.join(self._within(item, depth) for item in given)})"

    def _of_method(self, method: ast.expr, depth: int) -> str:
        if isinstance(method, ast.Attribute):
            return f"{self._within(method.value, depth)}.{method.attr}"
        return _ANYTHING

    def _functions(self, called: ast.expr) -> list[_Function]:
        return self._names.functions.get(_last_name(called), [])

    def _of_results(self, functions: list[_Function], depth: int) -> str:
        """Return what a function of the file returns, where that is an evaluation as it is; else that it is its own."""
        results = [node.value for function in functions for node in ast.walk(function) if isinstance(node, ast.Return)]
        chains = {self._of(value, depth - 2) for value in results if value is not None}
        return chains.pop() if len(chains) == 1 and all(map(self._evaluates_only, chains)) else "its own function()"

    def _evaluates(self, chain: str) -> bool:
        return any(f"{word}." in chain or f"{word}(" in chain for word in self._source.read_only.modules)

    def _evaluates_only(self, chain: str) -> bool:
        return chain.endswith("()") and chain.count("(") == 1 and " " not in chain and self._evaluates(chain)

    def _of_member(self, base: ast.Name, key: str, depth: int) -> str | None:
        """Return the chain of what was put under a name: by `{"val_bpb": ...}` or `Result(val_bpb=...)`."""
        found: list[ast.expr] = []
        match self._names.value(base):
            case ast.Dict(keys=keys, values=values):
                found += [
                    value
                    for word, value in zip(keys, values, strict=True)
                    if isinstance(word, ast.Constant) and word.value == key
                ]
            case ast.Call(keywords=words):
                found += [word.value for word in words if word.arg == key]
            case _:
                pass
        return " or ".join(sorted({self._of(value, depth) for value in found})) or None


def _last_name(called: ast.expr) -> str:
    return called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""


def _shape(node: ast.AST) -> str:
    operator = getattr(node, "op", None)
    return type(node if operator is None else operator).__name__


def _parts(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions right below a node, those of comprehensions and slices too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        elif isinstance(child, ast.comprehension):
            yield from _parts(child)
