"""Signs that the evaluation is not what its authors wrote: patched modules, shadowed names, calls with other arguments.

What a function of the candidate does when the evaluation calls it is its own business and no sign.
"""

import ast
import re
from collections.abc import Iterator

from headway.experiments.repositories.signs.names import BUILT_IN
from headway.experiments.repositories.signs.sign import Sign, Source

__all__ = ["is_evaluation", "tampering_signs"]

_EVALUATION = re.compile(r"(^|_)(eval|evaluate|evaluation|score|validate|test|benchmark)", re.IGNORECASE)
_SETTINGS = re.compile(r"(^|\.)(backends|config|settings|options|rcParams|flags|\w+_config)(\.|$)")
_SETTERS = (
    f"{BUILT_IN}setattr", f"{BUILT_IN}delattr", f"{BUILT_IN}object.__setattr__", f"{BUILT_IN}type.__setattr__",
    f"{BUILT_IN}object.__delattr__", "operator.setitem",
)  # fmt: skip
_MUTATORS = {
    "append", "extend", "insert", "remove", "pop", "clear", "update", "add", "discard", "setdefault", "sort", "reverse",
    "fill", "cache_clear", "__setitem__", "__setattr__", "__delattr__", "__delitem__", "popitem", "put",
}  # fmt: skip
_LOOKS = {f"{BUILT_IN}{name}" for name in ("getattr", "hasattr", "setattr", "delattr", "vars", "dir", "print")}
_WHOLE = {"os", "sys", "posix", "builtins", "__main__"}
_INTERCEPTORS = {
    "__array_ufunc__", "__array_function__", "__array__", "__array_finalize__", "__array_wrap__", "__torch_function__",
    "__torch_dispatch__", "__float__", "__format__", "__getattribute__",
}  # fmt: skip
_VALUES = {
    f"{BUILT_IN}float", f"{BUILT_IN}int", f"{BUILT_IN}str", "numpy.ndarray", "numpy.float64", "torch.Tensor",
    "torch.overrides.TorchFunctionMode", "torch.utils._python_dispatch.TorchDispatchMode",
}  # fmt: skip
_SETTING = {"__setattr__", "__delattr__"}
_STREAMS = ("sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__")


def is_evaluation(source: Source, path: str | None) -> bool:
    """Tell whether a name is that of a read-only function that measures."""
    name = (path or "").rsplit(".", 1)[-1]
    return source.read_only.holds(path) and _EVALUATION.search(name) is not None and not name.isupper()


def tampering_signs(source: Source, earlier: frozenset[str]) -> Iterator[Sign]:
    """Yield the signs. `earlier` are the names that the old version imports from read-only modules."""
    for node in source.names.nodes:
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                yield from _stored(source, node)
            case ast.Call():
                yield from _set_by_call(source, node)
                yield from _evaluated(source, node)
            case ast.ImportFrom(names=names):
                yield from _renamed(source, node, names, earlier)
            case ast.Compare():
                yield from _stretched(source, node)
            case ast.Name(ctx=ast.Load()):
                yield from _handed_around(source, node)
            case ast.FunctionDef(name=name) if name in _INTERCEPTORS:
                yield _intercepts(node, name)
            case ast.ClassDef(bases=bases):
                yield from (_intercepts(base, path) for base in bases if (path := source.names.path(base)) in _VALUES)
            case _:
                pass
    yield from _shadowed(source, earlier | source.imported)


def _stored(source: Source, target: ast.Attribute | ast.Subscript) -> Iterator[Sign]:
    """Yield the sign of an assignment to what was imported; settings of libraries are there to be set."""
    holder = source.names.path(target.value)
    path = source.names.path(target) or holder
    if path is None and isinstance(target, ast.Attribute):
        path = _made_by(source, target.value)
    if path is None or path.startswith(_STREAMS):
        return
    if source.read_only.holds(path):
        yield _patched(source, target, path)
    elif path == f"{BUILT_IN}globals()" and not _sets_own_name(source, target):
        yield _patched(source, target, "a name through globals()")
    elif isinstance(target, ast.Attribute) or (holder or "").endswith("__dict__"):
        foreign = path.split(".")[0] not in source.own and "." in path
        if foreign and not _SETTINGS.search(path.rsplit(".", 1)[0]):
            yield _patched(source, target, path)


def _made_by(source: Source, node: ast.expr) -> str | None:
    """Return the read-only function that made the object behind a name."""
    value = source.names.value(node) if isinstance(node, ast.Name) else None
    path = source.names.path(value.func) if isinstance(value, ast.Call) else None
    return path if source.read_only.holds(path) else None


def _sets_own_name(source: Source, target: ast.Attribute | ast.Subscript) -> bool:
    """Tell whether `globals()[...]` sets a name that is written there and belongs to nobody else."""
    name = source.texts.known(target.slice) if isinstance(target, ast.Subscript) else None
    return name is not None and name not in source.imported and source.names.path(target) is None


def _patched(source: Source, node: ast.expr, path: str) -> Sign:
    shown = source.read_only.short(path) if source.read_only.holds(path) else path.removeprefix(BUILT_IN)
    whose = "read-only" if source.read_only.holds(path) else "not the candidate's"
    return Sign(kind="evaluator", key=f"sets {shown}", line=node.lineno, why=f"{shown} is {whose} and is changed")


def _set_by_call(source: Source, call: ast.Call) -> Iterator[Sign]:
    path = source.names.path(call.func)
    if path in _SETTERS and call.args:
        holder = source.names.path(call.args[0])
        if holder is not None and not holder.startswith(BUILT_IN) and holder.split(".")[0] not in source.own:
            yield _patched(source, call, holder)
    elif isinstance(call.func, ast.Attribute) and call.func.attr in _MUTATORS:
        holder = source.names.path(call.func.value)
        if holder is not None and _is_changed(source, holder, call.func.attr):
            yield _patched(source, call, holder)


def _is_changed(source: Source, holder: str, method: str) -> bool:
    return holder.endswith((".__dict__", "globals()")) or method in _SETTING or _is_member(source, holder)


def _is_member(source: Source, path: str) -> bool:
    return source.read_only.holds(path) and "." in source.read_only.short(path)


def _evaluated(source: Source, call: ast.Call) -> Iterator[Sign]:
    """Yield a call of an evaluation with what its arguments show: literals and arithmetic, no names of locals."""
    path = source.names.path(call.func)
    if not is_evaluation(source, path) or path is None:
        return
    given = [("", item) for item in call.args] + [(word.arg or "**", word.value) for word in call.keywords]
    shown = [f"{name}={source.names.shape(item)}" if name else source.names.shape(item) for name, item in given]
    telling = [
        text for text, (_, item) in zip(shown, given, strict=True) if not isinstance(item, ast.Name | ast.Attribute)
    ]
    name = source.read_only.short(path)
    yield Sign(
        kind="evaluator",
        key=f"calls {name} with {len(given)}: {', '.join(telling)}",
        line=call.lineno,
        why=f"{name} is called with other arguments, or once more: a run that sees its score may choose by it",
    )


def _renamed(source: Source, node: ast.ImportFrom, names: list[ast.alias], earlier: frozenset[str]) -> Iterator[Sign]:
    for alias in names:
        path = f"{node.module}.{alias.name}" if node.module else alias.name
        known = alias.asname or alias.name
        same = alias.asname is None or alias.asname == alias.name
        if known in earlier and not (same and source.read_only.holds(path)):
            yield _shadow(known, node.lineno)


def _shadowed(source: Source, protected: frozenset[str]) -> Iterator[Sign]:
    """Yield what takes the place of a name from a read-only module, in any function: the evaluation may see it."""
    for name, bindings in source.names.everywhere().items():
        if name in protected:
            yield from (
                _shadow(name, getattr(binding.node, "lineno", 1)) for binding in bindings if binding.how != "import"
            )


def _stretched(source: Source, compare: ast.Compare) -> Iterator[Sign]:
    """Yield a comparison with a multiple of a read-only budget."""
    for node in (inner for inner in ast.walk(compare) if isinstance(inner, ast.BinOp)):
        for limit, factor in ((node.left, node.right), (node.right, node.left)):
            path = source.names.path(limit) if isinstance(node.op, ast.Mult) else None
            number = factor.value if isinstance(factor, ast.Constant) else None
            if path is not None and source.read_only.holds(path) and isinstance(number, int | float) and number > 1:
                name = source.read_only.short(path)
                why = f"{name} is read-only, and {number:g} times as much is compared with"
                yield Sign(kind="evaluator", key=f"{number:g} times {name}", line=node.lineno, why=why)


def _handed_around(source: Source, node: ast.Name) -> Iterator[Sign]:
    """Yield a module that is passed on as a value, since what is done with it then cannot be followed."""
    path = source.names.path(node)
    parent = source.names.parent(node)
    if path is None or (path not in _WHOLE and path not in source.read_only.modules):
        return
    looked_at = isinstance(parent, ast.Call) and source.names.path(parent.func) in _LOOKS
    named = isinstance(parent, ast.Assign) and len(parent.targets) == 1 and isinstance(parent.targets[0], ast.Name)
    if not looked_at and not named and not isinstance(parent, ast.Attribute):
        yield Sign(
            kind="evaluator", key=f"passes {path}", line=node.lineno, why=f"The module {path} is passed on as a value"
        )


def _intercepts(node: ast.stmt | ast.expr, name: str | None) -> Sign:
    shown = (name or "").removeprefix(BUILT_IN)
    why = f"{shown} lets a value decide what others' arithmetic and output make of it"
    return Sign(kind="evaluator", key=f"intercepts {shown}", line=node.lineno, why=why)


def _shadow(name: str, line: int) -> Sign:
    why = f"{name} comes from a read-only module, and something else takes its place"
    return Sign(kind="evaluator", key=f"shadows {name}", line=line, why=why)
