"""Is it real? Numbers in, decisions out: paired comparisons with intervals, and the words to report them."""

from headway.validate.comparison import Comparison, Decision
from headway.validate.numbers import format_estimate
from headway.validate.paired import compare_paired

__all__ = ["Comparison", "Decision", "compare_paired", "format_estimate"]
