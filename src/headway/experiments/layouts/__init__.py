"""Repositories as experiments, found by their layout: no configuration is needed for those that people have already.

    layout = find_layout(Path("autoresearch"))
    changed = layout.apply(parse_patch(diff))
    layout.begin(tree, results)                # then run layout.steps(tree, results) in the tree
    reading = layout.read(finished, tree, results)

Pure description and parsing: nothing here starts a process. Those who run trials of a repository call it.
"""

from headway.experiments.layouts.autoresearch import AutoresearchLayout
from headway.experiments.layouts.declared import DeclaredLayout
from headway.experiments.layouts.files import EditableFiles
from headway.experiments.layouts.find import LAYOUTS, find_layout
from headway.experiments.layouts.helix import HelixLayout
from headway.experiments.layouts.knobs import Knob, RepositoryKnobs, find_knobs, only_knobs, space_of, write_knobs
from headway.experiments.layouts.layout import Finished, Guard, Layout, Reading, Step, Trust, Warm
from headway.experiments.layouts.ledger import append_row, format_row, header
from headway.experiments.layouts.measured import MeasuredLayout
from headway.experiments.layouts.openevolve import OpenEvolveLayout
from headway.experiments.layouts.patches import (
    EvolveBlocks,
    Patch,
    SearchReplace,
    UnifiedDiff,
    WholeFiles,
    apply_patch,
    evolve_blocks,
    parse_patch,
)
from headway.experiments.layouts.progress import CurvePoint
from headway.experiments.layouts.scored import ScoredLayout
from headway.experiments.layouts.seeds import SeededFiles, rewrite_seed, rewrite_seeds, written_seed
from headway.experiments.layouts.shinka import ShinkaLayout

__all__ = [
    "LAYOUTS",
    "AutoresearchLayout",
    "CurvePoint",
    "DeclaredLayout",
    "EditableFiles",
    "EvolveBlocks",
    "Finished",
    "Guard",
    "HelixLayout",
    "Knob",
    "Layout",
    "MeasuredLayout",
    "OpenEvolveLayout",
    "Patch",
    "Reading",
    "RepositoryKnobs",
    "ScoredLayout",
    "SearchReplace",
    "SeededFiles",
    "ShinkaLayout",
    "Step",
    "Trust",
    "UnifiedDiff",
    "Warm",
    "WholeFiles",
    "append_row",
    "apply_patch",
    "evolve_blocks",
    "find_knobs",
    "find_layout",
    "format_row",
    "header",
    "only_knobs",
    "parse_patch",
    "rewrite_seed",
    "rewrite_seeds",
    "space_of",
    "write_knobs",
    "written_seed",
]
