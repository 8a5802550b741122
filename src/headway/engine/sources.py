"""Digest a module's source as far as it can change a trial.

What only describes a study does not count: a top-level `Study(...)`, the arguments of `@experiment(...)` but for
`setup` and `metric`, and an `if __name__ == "__main__"` block. A larger budget must not run every trial again.
"""

import ast
from pathlib import Path

from headway.core import digest_bytes

__all__ = ["digest_module"]

_COUNT = ("setup", "metric", "direction")  # arguments of @experiment(...) that change what a trial does or is called


def digest_module(path: Path) -> str:
    """Digest the bytes of a Python file without the lines that only describe a study."""
    data = path.read_bytes()
    if b"Study(" not in data and b"experiment(" not in data:
        return digest_bytes(data)
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError):
        return digest_bytes(data)
    left_out: set[int] = set()
    kept = ""
    for statement in tree.body:
        for node in _descriptions(statement):
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            keywords = node.keywords if isinstance(node, ast.Call) else []
            kept += "".join(ast.dump(item) for item in keywords if item.arg in _COUNT)
    lines = data.splitlines(keepends=True)
    code = b"".join(line for number, line in enumerate(lines, 1) if number not in left_out)
    return digest_bytes(code + kept.encode(errors="surrogatepass"))


def _descriptions(statement: ast.stmt) -> list[ast.expr | ast.stmt]:
    match statement:
        case ast.Assign() | ast.AnnAssign() | ast.Expr():
            calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
            return [statement] if any(_called(call) == "Study" for call in calls) else []
        case ast.FunctionDef(decorator_list=decorators):
            return [item for item in decorators if isinstance(item, ast.Call) and _called(item) == "experiment"]
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return [statement]
        case _:
            return []


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
