"""What the names of a source stand for: imports through all their aliases, and the values that locals are given.

`leave = os._exit` and `getattr(os, "_exit")` are `os._exit`. A name that is bound several times is what it was
imported as, if it was; what is decided while the program runs is unknown.
"""

import ast
import builtins
import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["BUILT_IN", "Binding", "Names"]

BUILT_IN = "built-in "
"""What the name of a builtin that nobody imported begins with: `built-in print`."""

_DEPTH = 8
_BUILT_IN = frozenset(dir(builtins))
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, *_COMPREHENSIONS)
_WITHIN_TARGETS = (ast.Tuple, ast.List, ast.Starred)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Hold one place where a name gets a value: what kind of place, the value if it is written, an import's path.

    `value`: given as it stands; `part`: unpacked from it; `changed`: by `+=` and the like; `loop`: from it, in turns.
    """

    name: str
    how: Literal["import", "value", "part", "changed", "loop", "parameter", "definition", "other"]
    node: ast.AST
    value: ast.expr | None = None
    path: str = ""


class Names:
    """Resolve the names of one syntax tree."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.nodes = tuple(ast.walk(tree))
        self._parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self._bound: dict[ast.AST, dict[str, list[Binding]]] = defaultdict(lambda: defaultdict(list))
        self.functions: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = defaultdict(list)
        self._global: dict[ast.AST, set[str]] = defaultdict(set)
        for node in self.nodes:
            if isinstance(node, ast.Global):
                self._global[self.scope(node)].update(node.names)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions[node.name].append(node)
        for node in self.nodes:
            for binding in self._bindings_of(node):
                self._bound[self._home(node, binding)][binding.name].append(binding)

    def parent(self, node: ast.AST) -> ast.AST | None:
        """Return the node around a node."""
        return self._parents.get(node)

    def scope(self, node: ast.AST) -> ast.AST:
        """Return the function, class, comprehension or module that a node stands in."""
        parent = self._parents.get(node)
        while parent is not None and not isinstance(parent, _SCOPES):
            parent = self._parents.get(parent)
        return self.tree if parent is None else parent

    def everywhere(self) -> Mapping[str, list[Binding]]:
        """Return the bindings of all scopes but classes, whose names nobody else sees, by name."""
        found: dict[str, list[Binding]] = defaultdict(list)
        for scope, names in self._bound.items():
            if not isinstance(scope, ast.ClassDef):
                for name, bindings in names.items():
                    found[name] += bindings
        return found

    @property
    def modules(self) -> frozenset[str]:
        """Return the first part of everything that is imported."""
        found = (binding for bindings in self.everywhere().values() for binding in bindings if binding.how == "import")
        return frozenset(binding.path.split(".")[0] for binding in found)

    def bindings(self, node: ast.Name) -> list[Binding]:
        """Return where a name that is used gets its value; empty where nothing in the file gives it one."""
        scope, inner = self.scope(node), True
        while True:
            seen = inner or not isinstance(scope, ast.ClassDef)
            if seen and node.id in self._bound.get(scope, {}):
                return self._bound[scope][node.id]
            if scope is self.tree:
                return []
            scope, inner = self.scope(scope), False

    def value(self, node: ast.Name) -> ast.expr | None:
        """Return the one value that a name is ever given, or None."""
        found = self.bindings(node)
        return found[0].value if len(found) == 1 and found[0].how == "value" else None

    def path(self, node: ast.expr, depth: int = _DEPTH) -> str | None:
        """Return the dotted name of what was imported or built in, or None for everything else."""
        if depth == 0:
            return None
        match node:
            case ast.Name():
                return self._path_of_name(node, depth)
            case ast.Attribute(value=base, attr=attr):
                return _joined(self.path(base, depth - 1), attr)
            case ast.Subscript(value=base, slice=ast.Constant(value=str(key))):
                return self._path_of_item(base, key, depth)
            case ast.NamedExpr(value=value):
                return self.path(value, depth - 1)
            case ast.Call():
                return self._path_of_call(node, depth)
            case _:
                return None

    def shape(self, node: ast.expr) -> str:
        """Return an expression's text with every local called `_`: what is left when names are not looked at."""
        used = [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]
        local = {inner.id for inner in used if self.path(inner) is None}
        copied = copy.deepcopy(node)
        for inner in ast.walk(copied):
            if isinstance(inner, ast.Name) and inner.id in local:
                inner.id = "_"
        return ast.unparse(copied)

    def _path_of_name(self, node: ast.Name, depth: int) -> str | None:
        found = self.bindings(node)
        if not found:
            return BUILT_IN + node.id if node.id in _BUILT_IN else None
        imported = next((binding.path for binding in found if binding.how == "import"), None)
        if imported is not None:
            return imported
        value = self.value(node)
        return None if value is None else self.path(value, depth - 1)

    def _path_of_item(self, base: ast.expr, key: str, depth: int) -> str | None:
        holder = self.path(base, depth - 1)
        if holder == "sys.modules":
            return key
        if holder == f"{BUILT_IN}globals()":
            found = next((b for b in self._bound.get(self.tree, {}).get(key, []) if b.how == "import"), None)
            return found.path if found is not None else f"{BUILT_IN}{key}" if key in _BUILT_IN else None
        if holder is not None and holder.endswith(".__dict__"):
            return _joined(holder.removesuffix(".__dict__"), key)
        return None

    def _path_of_call(self, call: ast.Call, depth: int) -> str | None:
        name = self.path(call.func, depth - 1)
        first = call.args[0] if call.args else None
        if name == f"{BUILT_IN}globals":
            return f"{BUILT_IN}globals()"
        if name == f"{BUILT_IN}vars" and first is not None:
            return _joined(self.path(first, depth - 1), "__dict__")
        if name in (f"{BUILT_IN}__import__", "importlib.import_module", "builtins.__import__"):
            return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
        if name == f"{BUILT_IN}getattr" and len(call.args) > 1 and first is not None:
            word = _word(call.args[1])
            return None if word is None else _joined(self.path(first, depth - 1), word)
        return None

    def _home(self, node: ast.AST, binding: Binding) -> ast.AST:
        """Return the scope in which a binding counts: `global` and `:=` reach out of theirs."""
        if isinstance(node, ast.arg):
            return self.scope(node)
        scope = self.scope(node)
        while isinstance(scope, _COMPREHENSIONS) and binding.how != "loop":
            scope = self.scope(scope)
        return self.tree if binding.name in self._global.get(scope, ()) else scope

    def _bindings_of(self, node: ast.AST) -> Iterator[Binding]:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    path = alias.name if alias.asname else alias.name.split(".")[0]
                    yield Binding(name=alias.asname or path, how="import", node=node, path=path)
            case ast.ImportFrom(module=module, names=names):
                base = f"{module}." if module else ""
                for alias in names:
                    yield Binding(name=alias.asname or alias.name, how="import", node=node, path=base + alias.name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield Binding(name=name, how="definition", node=node)
            case ast.arg(arg=name):
                yield Binding(name=name, how="parameter", node=node)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield Binding(name=name, how="other", node=node)
            case ast.Name(ctx=ast.Store() | ast.Del()):
                yield self._binding_of_target(node)
            case _:
                pass

    def _binding_of_target(self, name: ast.Name) -> Binding:
        target: ast.AST = name
        owner = self._parents[name]
        while isinstance(owner, _WITHIN_TARGETS):
            target, owner = owner, self._parents[owner]
        match owner:
            case ast.Assign(value=value):
                one = value if target is name else _element(target, name, value)
                how = "part" if one is None else "value"
                return Binding(name=name.id, how=how, node=owner, value=one or value)
            case ast.AnnAssign(value=value) | ast.NamedExpr(value=value):
                return Binding(name=name.id, how="value" if value is not None else "other", node=owner, value=value)
            case ast.AugAssign(value=value):
                return Binding(name=name.id, how="changed", node=owner, value=value)
            case ast.For(iter=value) | ast.AsyncFor(iter=value) | ast.comprehension(iter=value):
                return Binding(name=name.id, how="loop", node=name, value=value)
            case ast.withitem(context_expr=value):
                return Binding(name=name.id, how="other", node=name, value=value)
            case _:
                return Binding(name=name.id, how="other", node=name)


def _element(target: ast.AST, name: ast.Name, value: ast.expr) -> ast.expr | None:
    """Return what `name` gets in `a, b = 1, 2`, where both sides are written out."""
    if not isinstance(target, ast.Tuple | ast.List) or not isinstance(value, ast.Tuple | ast.List):
        return None
    written = len(target.elts) == len(value.elts) and name in target.elts
    return value.elts[target.elts.index(name)] if written else None


def _joined(base: str | None, attr: str) -> str | None:
    return None if base is None else f"{base}.{attr}"


def _word(node: ast.expr) -> str | None:
    """Return a text that is written as one literal or as a sum of some."""
    match node:
        case ast.Constant(value=str(word)):
            return word
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = _word(left), _word(right)
            return None if first is None or second is None else first + second
        case _:
            return None
