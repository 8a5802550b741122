"""Signs that a run draws other random numbers than it was told to: the written seed, and calls that seed anew."""

import ast
import re
from collections.abc import Iterator, Mapping

from headway.experiments.layouts import written_seed
from headway.experiments.repositories.signs.sign import Sign, Source

__all__ = ["changed_seeds"]

_PLACES = re.compile(r"seed|Random|PRNGKey|rng|random", re.IGNORECASE)
_GLOBAL = re.compile(r"(^|\.)(seed|manual_seed|manual_seed_all|seed_all|set_seed|set_random_seed|seed_everything)$")
_MODULES = ("random", "numpy", "torch", "mlx", "tensorflow", "jax", "cupy", "transformers", "lightning")


def changed_seeds(before: Mapping[str, Source], after: Mapping[str, Source]) -> Iterator[tuple[str, Sign]]:
    """Yield what is new in how files are seeded, with its path.

    A seed is changed where its value no longer stands in any file, as no other seed takes its place; and where all is
    seeded with a value that was no seed. A generator that is new and has a seed of its own changes nothing.
    """
    known = {value: (path, line) for path, source in before.items() for value, line in _written(source).items()}
    stay = {value for source in after.values() for value in _written(source)}
    for value, (path, line) in known.items():
        if value not in stay and after:
            there = path if path in after else next(iter(after))
            why = f"The seed {value}, written in line {line} of {path} before, is gone"
            yield there, Sign(kind="seed", key="", line=_first_seed(after[there]), why=why)
    earlier = {sign.key for source in before.values() for sign in _seeded(source)}
    for path, source in after.items():
        yield from ((path, sign) for sign in _seeded(source) if sign.key not in {*earlier, *map(str, known)})


def _first_seed(source: Source) -> int:
    return min((*_written(source).values(), *(sign.line for sign in _seeded(source))), default=1)


def _seeded(source: Source) -> Iterator[Sign]:
    """Yield the calls that seed everything, with what they seed with as the key; not those whose caller decides."""
    for node in source.names.nodes:
        path = source.names.path(node.func) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and path is not None and path.startswith(_MODULES) and _GLOBAL.search(path):
            given = _given(source, node)
            if given is not None:
                yield Sign(kind="seed", key=given, line=node.lineno, why=f"All that is drawn is seeded with {given}")


def _written(source: Source) -> dict[int, int]:
    """Return the lines of the literals that are seeds, by value, by the same rule that rewrites them."""
    found: dict[int, int] = {}
    for node in source.names.nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.Call | ast.FunctionDef | ast.AsyncFunctionDef):
            value = written_seed(_alone(node))
            if value is not None:
                found.setdefault(value, node.lineno)
    return found


def _alone(node: ast.stmt | ast.expr) -> str:
    """Return a node's text, of a function its signature."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return f"def f({ast.unparse(node.args)}): pass"
    text = ast.unparse(node)
    return text if _PLACES.search(text) else ""


def _given(source: Source, call: ast.Call) -> str | None:
    """Return what a call seeds with, or None where that is handed in and so stands somewhere else."""
    given = next(iter((*call.args, *(word.value for word in call.keywords))), None)
    if given is None:
        return "nothing"
    if isinstance(given, ast.Name):
        value = source.names.value(given)
        if any(binding.how == "loop" for binding in source.names.bindings(given)):
            return "several seeds in turns"
        given = value if value is not None else given
    if isinstance(given, ast.Constant):
        return str(given.value)
    if any(isinstance(node, ast.Call) for node in ast.walk(given)):
        return source.names.shape(given)
    return None if any(isinstance(node, ast.Name) for node in ast.walk(given)) else ast.unparse(given)
