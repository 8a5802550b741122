"""The lineage of a study: who descends from whom, what is shown of it, and any of them as a branch or a folder.

`tree` holds it as values, `reading` reads it from the record, `folding` chooses what fits the room, `changes` says what
a candidate has otherwise than its parent, `checkout` takes one out.
"""

from typing import TYPE_CHECKING

from headway.core.lazy import lazily
from headway.studies.lineage.changes import Changes, difference_lines
from headway.studies.lineage.folding import Fold, Folded, fold
from headway.studies.lineage.reading import lineage_of
from headway.studies.lineage.tree import Lineage, Node
from headway.studies.lineage.words import plain

if TYPE_CHECKING:
    from headway.studies.lineage.checkout import TakenOut, branch_name, check_out, write_out

__all__ = [
    "Changes",
    "Fold",
    "Folded",
    "Lineage",
    "Node",
    "TakenOut",
    "branch_name",
    "check_out",
    "difference_lines",
    "fold",
    "lineage_of",
    "plain",
    "write_out",
]

__getattr__ = lazily(__name__, {"checkout": ("TakenOut", "branch_name", "check_out", "write_out")})
