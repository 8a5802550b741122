"""Whether a program was there before, in other words: its syntax tree without names, comments and docstrings."""

import ast
import hashlib
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence

from headway.core import digest

__all__ = ["normal_form"]

# Who asks for these sees names and docstrings, or the text itself, while it runs.
_SEES_TEXT = re.compile(r"\b(?:getsource\w*|findsource|linecache|getcomments|co_\w+|f_lineno|tb_lineno|lineno)\b")
_SEES_NAMES = re.compile(
    r"\b(?:__doc__|getdoc|doctest|locals|vars|dir|eval|exec|_getframe|currentframe|f_locals|__code__|signature)\b"
)


def normal_form(files: Mapping[str, str]) -> str:
    """Return a digest that is equal for programs that differ in comments, layout, docstrings and local names alone.

    `files` are texts by path. What is no Python, or does not parse, counts byte by byte. A name counts as local where
    a function or a comprehension binds it by assignment alone: renaming anything else may change what others see.
    Programs that behave differently have different forms, but for those that read their own text in hidden ways.
    """
    return digest({path: _of_text(path, text) for path, text in files.items()})


def _of_text(path: str, text: str) -> str:
    if not path.endswith(".py") or _SEES_TEXT.search(text):
        return _hashed(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the proposed code: it is nobody's who runs this
            tree = ast.parse(text)
        if not _SEES_NAMES.search(text):
            tree = _Normal().visit(tree)
        return _hashed(ast.dump(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _hashed(text)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class _Normal(ast.NodeTransformer):
    """Take out docstrings and number local names in the order in which they come.

    `_names` is what a name is called where it is read now, and `_inner` what it is called in functions that begin
    here: they do not see the names of a class around them. The numbers are no Python names, so none is met twice.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._inner: dict[str, str] = {}
        self._count = 0

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """Leave out the docstring."""
        _drop_docstring(node)
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Replace a local name."""
        return ast.Name(self._names.get(node.id, node.id), node.ctx)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        """Replace the names of the function around."""
        return ast.Nonlocal([self._names.get(name, name) for name in node.names])

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Leave out the docstring. A class's own names are seen from outside."""
        _drop_docstring(node)
        self._each(node, [name for name in node._fields if name != "body"])
        bound = _Bound(node.body)
        before = self._names, self._inner
        hidden = {**dict.fromkeys(bound.stored), **dict.fromkeys(bound.others)}
        self._names = {**self._inner, **{name: name for name in hidden}}
        self._each(node, ["body"])
        self._names, self._inner = before
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Number the function's local names."""
        _drop_docstring(node)
        return self._function(node, node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Number the function's local names."""
        _drop_docstring(node)
        return self._function(node, node.body)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        """Keep the names of its arguments from being taken for others."""
        return self._function(node, [node.body])

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        """Number the names that it binds."""
        return self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        """Number the names that it binds."""
        return self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        """Number the names that it binds."""
        return self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        """Number the names that it binds."""
        return self._comprehension(node)

    def _function(self, node: _Function, body: Sequence[ast.AST]) -> ast.AST:
        self._each(node, [name for name in node._fields if name != "body"])  # decorators, defaults: of the outside
        taken = _arguments(node.args)
        bound = _Bound(body)
        before = self._enter(bound.stored.keys() - bound.others.keys() - taken.keys(), bound, taken)
        self._each(node, ["body"])
        self._names, self._inner = before
        return node

    def _comprehension(self, node: _Comprehension) -> ast.AST:
        first = node.generators[0]
        first.iter = self.visit(first.iter)  # the one part that is of the outside
        outer, first.iter = first.iter, ast.Constant(None)
        bound = _Bound([item.target for item in node.generators])
        before = self._enter(bound.stored.keys(), bound, {})
        self.generic_visit(node)
        self._names, self._inner = before
        first.iter = outer
        return node

    def _enter(
        self, local: Iterable[str], bound: "_Bound", taken: Mapping[str, None]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Begin a scope in which `local` names are numbered, and what is bound otherwise is called as it is."""
        before = self._names, self._inner
        renamed = dict.fromkeys(local)
        names = {**self._inner, **{name: name for name in (*bound.others, *taken)}}
        for name in bound.stored:
            if name in renamed and not name.startswith("__"):  # a class would make another name of it
                names[name] = f"{self._count}"
                self._count += 1
            else:
                names[name] = name
        self._names = self._inner = names
        return before

    def _each(self, node: ast.AST, fields: Iterable[str]) -> None:
        """Visit some fields of a node."""
        for name in fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                value[:] = [self.visit(item) if isinstance(item, ast.AST) else item for item in value]  # pyright: ignore
            elif isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))


class _Bound(ast.NodeVisitor):
    """Find what a scope binds itself: `stored` by assignment, `others` in ways that are left as they are.

    What functions, classes and comprehensions within it bind is theirs, but for the walrus of comprehensions.
    """

    def __init__(self, body: Iterable[ast.AST]) -> None:
        self.stored: dict[str, None] = {}
        self.others: dict[str, None] = {}
        self._within = 0  # comprehensions
        for node in body:
            self.visit(node)

    def generic_visit(self, node: ast.AST) -> None:
        """Look at a node, and into it as far as its scope goes."""
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if not self._within:
                self.stored.setdefault(name)
            case ast.NamedExpr(target=ast.Name(id=name)):
                self.stored.setdefault(name)
                self.visit(node.value)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                for name in names:
                    if isinstance(node, ast.Global):
                        self.others.setdefault(name)
                    else:
                        self._outer.setdefault(name)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Lambda():
                self._definition(node)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._within += 1
                super().generic_visit(node)
                self._within -= 1
            case _:
                for name in _named_by(node):
                    self.others.setdefault(name)
                super().generic_visit(node)
