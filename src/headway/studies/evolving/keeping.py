"""Answers of models and agents that are no programs of the record yet: kept in files, as they may have cost money."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headway.propose.evolve import Proposed
from headway.store import own_writes

__all__ = ["Answer", "Keeper"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Hold what a proposer answered about a parent: a proposal, or in words why there is none.

    `seed` is that of the request, by which a kept answer is known.
    """

    proposer: str
    parent: str
    seed: int
    proposed: Proposed | None
    refused: str = ""


class Keeper:
    """Keep answers in a folder, one file each, until they are in the record or refused.

    Files appear whole or not at all, so that the process may be killed at any moment.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seeds: set[int] = set()

    def keep(self, answer: Answer) -> None:
        """Keep an answer."""
        path = self._path(answer.seed)
        with own_writes(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(asdict(answer)), encoding="utf-8", errors="surrogatepass")
            os.replace(partial, path)
        self._seeds.add(answer.seed)

    def forget(self, seed: int) -> None:
        """Let go of an answer that is in the record now, or of no use; of none, where it was not kept."""
        if seed in self._seeds:
            self._seeds.discard(seed)
            self._path(seed).unlink(missing_ok=True)

    def kept(self) -> Iterator[Answer]:
        """Give the answers of earlier sessions that became nothing yet; what cannot be read is left out."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                data: Any = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
                answer = Answer(**(data | {"proposed": Proposed(**_whole(data["proposed"]))}))
            except (ValueError, TypeError, KeyError):
                path.unlink(missing_ok=True)
                continue
            self._seeds.add(answer.seed)
            yield answer

    def _path(self, seed: int) -> Path:
        return self._folder / f"{seed}.json"


def _whole(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "patches": [(text, path) for text, path in data["patches"]]}
