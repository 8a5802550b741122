"""Is it real? Numbers in, decisions out: comparisons with intervals, evidence that may be looked at, races, holdouts.

Names are loaded when they are used: a command that only shows a stored verdict must not pay for them.
"""

from typing import TYPE_CHECKING

from headway.core.lazy import lazily

if TYPE_CHECKING:
    from headway.validate.bootstrap import ScoreInterval, bootstrap_score, compare_scores, median_interval
    from headway.validate.clustered import ClusteredMean, ItemComparison, clustered_mean, compare_clustered
    from headway.validate.comparison import Comparison, Decision, withheld
    from headway.validate.eprocess import EProcess, Interval, evidence, further_pairs
    from headway.validate.fdr import OnlineFdr, Test
    from headway.validate.holdout import Answer, Holdout, HoldoutClosed
    from headway.validate.noise import (
        Drift,
        Noise,
        PairedNoise,
        difference_noise,
        drift,
        learn_noise,
        learn_paired_noise,
        prior_noise,
    )
    from headway.validate.noninferiority import NoninferiorComparison, compare_noninferior
    from headway.validate.numbers import format_estimate, format_odds
    from headway.validate.paired import compare_paired, further_seeds, paired_evidence
    from headway.validate.power import (
        design_effect,
        detectable_difference,
        detectable_effect,
        pairs_needed,
        power_of_pairs,
        questions_needed,
    )
    from headway.validate.race import Action, Prior, Race, Ruling, Standing, learn_prior
    from headway.validate.selection import Attempt, ShrunkGain, shrink_gain
    from headway.validate.several import SeveralTasks, TaskComparison, compare_several, holm

__all__ = [
    "Action",
    "Answer",
    "Attempt",
    "ClusteredMean",
    "Comparison",
    "Decision",
    "Drift",
    "EProcess",
    "Holdout",
    "HoldoutClosed",
    "Interval",
    "ItemComparison",
    "Noise",
    "NoninferiorComparison",
    "OnlineFdr",
    "PairedNoise",
    "Prior",
    "Race",
    "Ruling",
    "ScoreInterval",
    "SeveralTasks",
    "ShrunkGain",
    "Standing",
    "TaskComparison",
    "Test",
    "bootstrap_score",
    "clustered_mean",
    "compare_clustered",
    "compare_noninferior",
    "compare_paired",
    "compare_scores",
    "compare_several",
    "design_effect",
    "detectable_difference",
    "detectable_effect",
    "difference_noise",
    "drift",
    "evidence",
    "format_estimate",
    "format_odds",
    "further_pairs",
    "further_seeds",
    "holm",
    "learn_noise",
    "learn_paired_noise",
    "learn_prior",
    "median_interval",
    "paired_evidence",
    "pairs_needed",
    "power_of_pairs",
    "prior_noise",
    "questions_needed",
    "shrink_gain",
    "withheld",
]

__getattr__ = lazily(
    __name__,
    {
        "bootstrap": (
            "ScoreInterval",
            "bootstrap_score",
            "compare_scores",
            "median_interval",
        ),
        "clustered": (
            "ClusteredMean",
            "ItemComparison",
            "clustered_mean",
            "compare_clustered",
        ),
        "comparison": (
            "Comparison",
            "Decision",
            "withheld",
        ),
        "eprocess": (
            "EProcess",
            "Interval",
            "evidence",
            "further_pairs",
        ),
        "fdr": (
            "OnlineFdr",
            "Test",
        ),
        "holdout": (
            "Answer",
            "Holdout",
            "HoldoutClosed",
        ),
        "noise": (
            "Drift",
            "Noise",
            "PairedNoise",
            "difference_noise",
            "drift",
            "learn_noise",
            "learn_paired_noise",
            "prior_noise",
        ),
        "noninferiority": (
            "NoninferiorComparison",
            "compare_noninferior",
        ),
        "numbers": (
            "format_estimate",
            "format_odds",
        ),
        "paired": (
            "compare_paired",
            "further_seeds",
            "paired_evidence",
        ),
        "power": (
            "design_effect",
            "detectable_difference",
            "detectable_effect",
            "pairs_needed",
            "power_of_pairs",
            "questions_needed",
        ),
        "race": (
            "Action",
            "Prior",
            "Race",
            "Ruling",
            "Standing",
            "learn_prior",
        ),
        "selection": (
            "Attempt",
            "ShrunkGain",
            "shrink_gain",
        ),
        "several": (
            "SeveralTasks",
            "TaskComparison",
            "compare_several",
            "holm",
        ),
    },
)
