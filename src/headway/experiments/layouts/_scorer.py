"""Whether a command that scores a checkpoint is out of the candidate's reach, as far as its source tells.

A guarded score must not run what the candidate wrote. Two ways lead there: the scorer imports a file that a proposal
may change, or it reads the checkpoint with a loader that runs code (pickle).
"""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from headway.experiments.layouts.files import EditableFiles

_RUNS_CODE = {
    "pickle.load", "pickle.loads", "cloudpickle.load", "cloudpickle.loads", "dill.load", "dill.loads", "joblib.load",
    "importlib.import_module", "runpy.run_path", "runpy.run_module", "exec", "eval",
}  # fmt: skip


def scorer_doubts(root: Path, words: Sequence[str], files: EditableFiles) -> tuple[str, ...]:
    """Return why the command's score could be the candidate's own saying; empty where no way is seen."""
    scripts = [word for word in words[1:] if (root / word).is_file()]
    if not any(word.endswith(".py") for word in scripts):
        return ("the score command runs no Python file of the repository, so nobody looked into it",)
    doubts: list[str] = [
        f"{name}, which scores, may be changed by a proposal" for name in scripts if files.allows(name)
    ]
    for path in _reached(root, [root / word for word in scripts if word.endswith(".py")]):
        name = path.relative_to(root).as_posix()
        if files.allows(name) and name not in scripts:
            doubts.append(f"the score command imports {name}, which a proposal may change")
        elif not files.allows(name):
            doubts += [f"{name} calls {call}, which runs code from what it reads" for call in _loaders(path)]
    return tuple(dict.fromkeys(doubts))


def _reached(root: Path, scripts: Sequence[Path]) -> Iterator[Path]:
    """Yield the repository's files that the scripts import, themselves included."""
    waiting, seen = list(scripts), set[Path]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        yield path
        waiting += [found for name in _imports(path) if (found := _file_of(root, path.parent, name)) is not None]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names):
                base = module or ""
                yield base
                yield from (f"{base}.{alias.name}".lstrip(".") for alias in names)
            case _:
                pass


def _file_of(root: Path, folder: Path, module: str) -> Path | None:
    parts = module.split(".")
    for base in (folder, root):
        for path in (base.joinpath(*parts).with_suffix(".py"), base.joinpath(*parts, "__init__.py")):
            if module and path.is_file():
                return path
    return None


def _loaders(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if not isinstance(node, ast.Call):
            continue
        name, flags = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
        if name in _RUNS_CODE or (name == "torch.load" and flags.get("weights_only", "True") != "True"):
            yield name
        elif name.endswith(".load") and flags.get("allow_pickle", "False") != "False":
            yield f"{name}(allow_pickle={flags['allow_pickle']})"


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])
