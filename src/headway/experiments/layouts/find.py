"""Finding a repository's layout by its files."""

from pathlib import Path

from headway.core import UsageError, suggestion
from headway.experiments.layouts._declaration import declaration_at
from headway.experiments.layouts.autoresearch import AutoresearchLayout
from headway.experiments.layouts.declared import DeclaredLayout
from headway.experiments.layouts.helix import HelixLayout
from headway.experiments.layouts.layout import Layout
from headway.experiments.layouts.measured import MeasuredLayout
from headway.experiments.layouts.openevolve import OpenEvolveLayout
from headway.experiments.layouts.scored import ScoredLayout
from headway.experiments.layouts.shinka import ShinkaLayout

__all__ = ["LAYOUTS", "find_layout"]

LAYOUTS: tuple[type[Layout], ...] = (
    DeclaredLayout,
    HelixLayout,
    MeasuredLayout,
    AutoresearchLayout,
    OpenEvolveLayout,
    ShinkaLayout,
)
"""In the order in which they are looked for: what a person declared comes before what the names of files suggest."""


def find_layout(root: Path, name: str | None = None) -> Layout:
    """Return the layout of the repository at `root`; `name` chooses one where several would do.

    A headway.toml that only names a scorer makes the layout that is found otherwise a guarded one. Raises `UsageError`
    that lists what was looked for where nothing fits, and what is wrong where a declaration does not hold together.
    """
    root = root.absolute()
    if not root.is_dir():
        raise UsageError(f"{root} is no folder. Name the root of a repository.")
    known = {kind.name: kind for kind in LAYOUTS}
    if name is not None and name not in known:
        raise UsageError(f"There is no layout {name!r}. {suggestion(name, known)}")
    kinds = LAYOUTS if name is None else (known[name],)
    found = next((kind for kind in kinds if kind.is_at(root)), None)
    if found is None:
        looked_for = "; ".join(kind.looked_for for kind in kinds)
        raise UsageError(f"{root} has no layout that Headway knows. It was looked for: {looked_for}.")
    layout, told = found.open(root), declaration_at(root)
    return layout if told is None or told.score is None else ScoredLayout(layout, told)
