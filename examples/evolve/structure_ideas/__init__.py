"""The ideas of structures.py, and where their lines go in train.py."""

from .broken import BROKEN
from .layers import LAYERS
from .places import COUNTED, OPENINGS, PLACES, Idea
from .tables import TABLES
from .training import TRAINING

__all__ = ["COUNTED", "IDEAS", "OPENINGS", "PLACES", "Idea"]

IDEAS = (*TABLES, *LAYERS, *TRAINING, *BROKEN)
