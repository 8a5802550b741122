"""Whether a program was there before, in other words: its syntax tree without names, comments and docstrings."""

import ast
import hashlib
from collections.abc import Mapping

from headway.core import digest

__all__ = ["normal_form"]


def normal_form(files: Mapping[str, str]) -> str:
    """Return a digest that is equal for programs that differ in comments, layout, docstrings and local names alone.

    `files` are texts by path. What is no Python, or does not parse, counts byte by byte. A name counts as local where
    a function binds it and does not declare it otherwise; renaming anything else may change what others see.
    """
    return digest({path: _of_text(path, text) for path, text in files.items()})


def _of_text(path: str, text: str) -> str:
    if not path.endswith(".py"):
        return _hashed(text)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _hashed(text)
    try:
        return _hashed(ast.dump(_Normal().visit(tree)))
    except RecursionError:
        return _hashed(text)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class _Normal(ast.NodeTransformer):
    """Take out docstrings and number local names in the order in which they come."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """Leave out the docstring."""
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Leave out the docstring. A class's own names are seen from outside."""
        return self._without_docstring(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Number the function's local names."""
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Number the function's local names."""
        return self._function(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Replace a local name."""
        return ast.Name(self._names.get(node.id, node.id), node.ctx)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        outer = self._names
        self._names = {**outer, **{name: f"_{len(outer) + place}" for place, name in enumerate(_locals(node))}}
        found = self._without_docstring(node)
        self._names = outer
        return found

    def _without_docstring(self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)


def _locals(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return what a function binds by assignment, in the order of first binding; arguments may be named by callers."""
    arguments = node.args
    taken = {item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    taken |= {item.arg for item in (arguments.vararg, arguments.kwarg) if item is not None}
    bound: dict[str, None] = {}
    for item in ast.walk(node):
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            bound.setdefault(item.id)
        elif isinstance(item, ast.Global | ast.Nonlocal):
            taken |= set(item.names)
        elif isinstance(item, ast.ExceptHandler) and item.name:
            taken.add(item.name)
    return [name for name in bound if name not in taken]
