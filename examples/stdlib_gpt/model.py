"""A GPT over bytes: 256 symbols, no tokenizer.

What a study compares comes in from outside: the norm, the MLP, how positions are told. This is what all candidates have
in common.
"""

import math
from collections.abc import Callable
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

SYMBOLS = 256
HEADS = 2


class Positions(Protocol):
    """Tell the model where a byte stands: by what is added to its embedding, or done to queries and keys."""

    def on_embeddings(self, x: Tensor) -> Tensor: ...

    def on_queries_and_keys(self, qk: Tensor) -> Tensor: ...


class Attention(nn.Module):
    """Let each byte look back at those before it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width, bias=False)  # one product instead of three
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, positions: Positions) -> Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(x).view(batch, length, 3, HEADS, width // HEADS)
        q, k = positions.on_queries_and_keys(qkv[:, :, :2]).permute(2, 0, 3, 1, 4)
        v = qkv[:, :, 2].transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Read from the residual stream twice, and add to it twice: what attention found, then what the MLP makes of it."""

    def __init__(self, width: int, norm: Callable[[int], nn.Module], mlp: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norm_attention, self.attention = norm(width), Attention(width)
        self.norm_mlp, self.mlp = norm(width), mlp(width)

    def forward(self, x: Tensor, positions: Positions) -> Tensor:
        x = x + self.attention(self.norm_attention(x), positions)
        return x + self.mlp(self.norm_mlp(x))


class GPT(nn.Module):
    """Predict the next byte from at most `length` bytes before it."""

    def __init__(
        self,
        *,
        width: int,
        layers: int,
        length: int,
        norm: Callable[[int], nn.Module],
        mlp: Callable[[int], nn.Module],
        positions: Callable[[int, int, int], Positions],
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, width)
        self.positions: Positions = positions(length, width, width // HEADS)
        self.blocks = nn.ModuleList(Block(width, norm, mlp) for _ in range(layers))
        self.norm = norm(width)
        self.head = nn.Linear(width, SYMBOLS, bias=False)
        self.head.weight = self.embedding.weight  # tied: .04 bits per byte better than untied at this size
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of every next byte: (batch, length) in, (batch, length, 256) out."""
        h = self.positions.on_embeddings(self.embedding(x))
        for block in self.blocks:
            h = block(h, self.positions)
        return self.head(self.norm(h))

    def bits(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the mean bits it takes to tell the bytes `y` given all that came before them in `x`."""
        return F.cross_entropy(self(x).flatten(0, 1), y.flatten()) / math.log(2)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
        for name, weight in self.blocks.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                nn.init.zeros_(weight)  # each block begins as the identity
            elif weight.ndim == 2:
                nn.init.normal_(weight, std=0.5 / math.sqrt(weight.shape[1]))
