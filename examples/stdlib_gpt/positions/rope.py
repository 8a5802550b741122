"""Rotary positions (Su et al., 2021): queries and keys turn with their position, so that attention sees distances."""

import torch
from torch import Tensor, nn

SLOWEST_PERIOD = 1000.0


class Positions(nn.Module):
    cos: Tensor
    sin: Tensor

    def __init__(self, length: int, width: int, head_width: int) -> None:
        super().__init__()
        frequencies = SLOWEST_PERIOD ** -(torch.arange(0, head_width, 2) / head_width)
        angles = torch.outer(torch.arange(length), frequencies)[:, None, None]  # (length, q or k, head, half a head)
        self.register_buffer("cos", torch.cat([angles.cos(), angles.cos()], dim=-1), persistent=False)
        self.register_buffer("sin", torch.cat([-angles.sin(), angles.sin()], dim=-1), persistent=False)

    def on_embeddings(self, x: Tensor) -> Tensor:
        return x

    def on_queries_and_keys(self, qk: Tensor) -> Tensor:
        length, half = qk.shape[1], qk.shape[-1] // 2
        swapped = torch.cat([qk[..., half:], qk[..., :half]], dim=-1)
        return qk * self.cos[:length] + swapped * self.sin[:length]
