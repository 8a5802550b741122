"""What can go wrong with a model: it gave no answer, or the next one could cost more than may be spent.

HeadwayError
├── ModelError        a model gave no usable answer
└── CeilingReached    the next request could pass the ceiling
"""

from headway.core import HeadwayError

__all__ = ["CeilingReached", "ModelError"]


class ModelError(HeadwayError):
    """Say why a model gave no answer that can be used, and what to do.

    `status` is the HTTP status where there was one. `charged` tells whether the request may be on the bill all the
    same: one that timed out may be, one that was refused is not.
    """

    def __init__(self, message: str, *, status: int | None = None, charged: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.charged = charged


class CeilingReached(HeadwayError):
    """Say which ceiling the next request could pass. Raised before the request is sent, so that it costs nothing."""
