"""Where a seed is written in the code, and how a trial's copy gets another one.

karpathy/autoresearch calls `torch.manual_seed(42)`: no flag and no variable reaches it. So the literal is rewritten in
the trial's copy, and the record shows where. A source without such a literal has no seed to give, and its noise is
unknown.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from headway.core import UsageError
from headway.experiments.layouts._edits import Edit, parse, replace

__all__ = ["SeededFiles", "rewrite_seed", "rewrite_seeds", "written_seed"]

_NAME = re.compile(r"(?:\w+_)?seed", re.IGNORECASE)
_KEYWORDS = {"seed", "random_state", "random_seed"}
# By their last name, as modules have aliases: np.random.seed, mx.random.seed, torch.cuda.manual_seed_all.
_FUNCTIONS = {
    "manual_seed", "manual_seed_all", "seed", "seed_all", "seed_everything", "set_seed", "set_random_seed",
    "default_rng", "RandomState", "SeedSequence", "PRNGKey", "Random", "Rngs", "fix_seed", "setup_seed",
}  # fmt: skip
_LAST_SEED = 2**31 - 1
# What each of these forms holds in some spelling; a text without it needs no parser.
_MAY_HOLD = ("seed", "random", "rng", "state", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeededFiles:
    """Hold the files whose seeds were rewritten, by path, and what was rewritten, in words for the record."""

    files: Mapping[str, str]
    rewritten: tuple[str, ...]


def written_seed(source: str) -> int | None:
    """Return the first seed that is written in a source, or None.

    >>> written_seed("import torch\\ntorch.manual_seed(42)")
    42
    """
    return next((value for _, value, _ in _places(source)), None)


def rewrite_seed(source: str, seed: int) -> tuple[str, tuple[str, ...]] | None:
    """Return the source with `seed` in the place of the one it sets, and what was rewritten; None where it sets none.

    Where it sets several different ones, they keep their distances from the first.
    """
    seeded = rewrite_seeds({"": source}, seed)
    return None if seeded is None else (seeded.files[""], seeded.rewritten)


def rewrite_seeds(sources: Mapping[str, str], seed: int) -> SeededFiles | None:
    """Do it for all files of a repository together: what is one seed in two files stays one.

    Raises `UsageError` for a seed that is no whole number from 0 to 2**31 - 1.
    """
    if type(seed) is not int or not 0 <= seed <= _LAST_SEED:
        raise UsageError(f"The seed {seed!r} cannot be written into code. Give a whole number from 0 to {_LAST_SEED}.")
    places = {path: list(_places(text)) for path, text in sources.items()}
    first = next((value for found in places.values() for _, value, _ in found), None)
    if first is None:
        return None
    files: dict[str, str] = {}
    said: list[str] = []
    for path, found in places.items():
        if found:
            edits = [Edit(node, str((seed + value - first) % (_LAST_SEED + 1))) for node, value, _ in found]
            files[path] = replace(sources[path], edits)
            said += [
                f"{path or 'line'}{':' if path else ' '}{edit.node.lineno}: {what} {value} -> {edit.text}"
                for edit, (_, value, what) in zip(edits, found, strict=True)
            ]
    return SeededFiles(files=files, rewritten=tuple(said))


def _places(source: str) -> Iterator[tuple[ast.expr, int, str]]:
    """Yield each literal that is a seed, its value, and what it is given to; in the order of the text."""
    folded = source.casefold()
    tree = parse(source) if any(word in folded for word in _MAY_HOLD) else None
    found: dict[tuple[int, int], tuple[ast.expr, int, str]] = {}
    for node in ast.walk(tree) if tree is not None else ():
        for value, what in _seeds_of(node):
            if isinstance(value, ast.Constant) and type(value.value) is int:
                found[value.lineno, value.col_offset] = (value, value.value, what)
    yield from (found[place] for place in sorted(found))


def _seeds_of(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((value, f"{t.id} =") for t in targets if isinstance(t, ast.Name) and _NAME.fullmatch(t.id))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if _NAME.fullmatch(name):
            yield value, f"{name} ="
        case ast.Call():
            yield from _seeds_of_call(node)
        case ast.arguments():
            yield from _seeds_of_defaults(node)
        case _:
            pass


def _seeds_of_call(call: ast.Call) -> Iterator[tuple[ast.expr, str]]:
    name = ast.unparse(call.func)
    if name.endswith("add_argument"):
        flags = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if any(_NAME.fullmatch(flag.lstrip("-").replace("-", "_")) for flag in flags):
            yield from ((word.value, f"{flags[0]} default") for word in call.keywords if word.arg == "default")
        return
    if call.args and (name.rsplit(".", 1)[-1] in _FUNCTIONS or name in ("jax.random.key", "random.key")):
        yield call.args[0], f"{name}(...)"
    yield from ((word.value, f"{name}({word.arg}=)") for word in call.keywords if word.arg in _KEYWORDS)


def _seeds_of_defaults(arguments: ast.arguments) -> Iterator[tuple[ast.expr, str]]:
    plain = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(reversed(plain), reversed(arguments.defaults), strict=False)]
    pairs += [
        (arg, default) for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default
    ]
    yield from ((default, f"{arg.arg}=") for arg, default in pairs if arg.arg in _KEYWORDS)
