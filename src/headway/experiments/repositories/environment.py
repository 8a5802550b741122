"""What a repository's code runs on: its Python, and the packages that its files import, by version.

Results of two environments are not compared, so these belong to what a study is. Packages that nothing imports do not.
"""

import ast
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from headway.experiments.layouts.interpreter import python_of

__all__ = ["environment_of"]


def environment_of(root: Path, sources: Iterable[str]) -> dict[str, str]:
    """Return the version of Python and of each package that `sources` import, as the repository's Python has them."""
    wanted = {name for text in sources for name in _imported(text)} - set(sys.stdlib_module_names)
    places = _site_packages(Path(python_of(root)))
    found = _versions(wanted, places)
    return {"python": places.name, **dict(sorted(found.items()))}


def _site_packages(python: Path) -> Path:
    """Return the folder `lib/python3.11` of the environment that an interpreter belongs to."""
    libraries = sorted((python.parent.parent / "lib").glob("python3*"))
    default = Path(sys.prefix, "lib", f"python{sys.version_info.major}.{sys.version_info.minor}")
    return next((path for path in libraries if (path / "site-packages").is_dir()), default)


def _versions(wanted: set[str], library: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for package in metadata.distributions(path=[str(library / "site-packages")]):
        name = package.metadata["Name"] or ""
        modules = (package.read_text("top_level.txt") or "").split() or [name.replace("-", "_").lower()]
        if wanted.intersection(modules):
            found[name.lower()] = package.version
    return found


def _imported(text: str) -> set[str]:
    """Return the top-level modules that a source imports; none where it is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {item.name.partition(".")[0] for item in names}
            case ast.ImportFrom(module=str() as module, level=0):
                found.add(module.partition(".")[0])
            case _:
                pass
    return found
