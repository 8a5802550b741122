"""LayerNorm (Ba et al., 2016): take away the mean, divide by the deviation."""

from torch.nn import LayerNorm as Norm

__all__ = ["Norm"]
