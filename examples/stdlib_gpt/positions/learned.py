"""A learned vector for each position, added to the embedding, as GPT-2 does it."""

from torch import Tensor, nn


class Positions(nn.Module):
    def __init__(self, length: int, width: int, head_width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(length, width)

    def on_embeddings(self, x: Tensor) -> Tensor:
        return x + self.table.weight[: x.shape[1]]

    def on_queries_and_keys(self, qk: Tensor) -> Tensor:
        return qk
