"""RMSNorm (Zhang and Sennrich, 2019): divide by the root mean square, and leave the mean alone."""

from torch.nn import RMSNorm as Norm

__all__ = ["Norm"]
