"""Signs of cheating that can be seen in a patch, without running it.

Where a candidate prints its own score, or is imported by its evaluator, nothing proves the score. So what a patch adds
is held against what stood there before, and what looks like cheating is flagged, with the line and the reason, for a
person to judge. What is compared are facts of the syntax tree, as multisets over all editable files: imports are
followed through their aliases, the names of locals and the places of lines do not count. So code may move, locals may
get other names, and models, optimizers, schedules and loops may be anything.

What no look at the source can see, and so is never flagged:

- a model that knows that it is being evaluated, or that returns better numbers than it computed: `__call__` and
  `forward` are the candidate's own (`plausibility.py` holds the score against the training curve);
- what is decided while the program runs: names, paths and texts that come from data, from arithmetic, from the
  environment, or from names that are given several values;
- a budget that is stretched in the training loop, where that counts its own steps or seconds;
- read-only objects that are changed through locals: what a function of theirs returned, or an argument that it got;
- what a library does with what it is given, and anything in a file that is neither Python nor prints by `echo` and
  the like.

A flag is no proof either: a run may honestly write a file elsewhere, or ask for the split that it is measured by.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from headway.experiments.repositories.signs.references import reference_signs
from headway.experiments.repositories.signs.reports import REPORT, prints_metric, report_signs
from headway.experiments.repositories.signs.seeding import changed_seeds
from headway.experiments.repositories.signs.sign import ReadOnly, Sign, Source
from headway.experiments.repositories.signs.tampering import tampering_signs
from headway.experiments.repositories.signs.touching import touching_signs

__all__ = ["Suspicion", "suspicions"]
