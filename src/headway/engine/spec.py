"""What a worker is told about one attempt, as JSON: it crosses a socket, and `spec.json` in the attempt's folder."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from headway.store import RUN_LOG

__all__ = ["AttemptSpec", "Origin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Say where a worker finds the experiment: in `file`, in `pickled` where a notebook defined it, or here.

    `command` and `repository` are all that is to be known of such an experiment: nothing is imported for them.
    """

    identity: str
    folder: str
    file: str | None = None
    pickled: str | None = None
    command: Mapping[str, Any] | None = None
    repository: Mapping[str, Any] | None = None

    @property
    def imports(self) -> bool:
        """Tell whether the project's code runs in the worker itself."""
        return self.command is None and self.repository is None

    def to_json(self) -> dict[str, Any]:
        """Return the origin as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSpec:
    """Describe one attempt at a trial to the worker that runs it.

    `folder` is the attempt's own, for what it prints and makes; it need not exist yet. The run log and the traces lie
    in `live`, which attempts use one after the other, or in `folder` where there is none.
    """

    attempt: int
    trial: int
    config: Mapping[str, Any]
    seed: int
    folder: str
    checkpoints: str
    threads: int
    live: str = ""
    gpus: tuple[int, ...] = ()
    rungs: tuple[float, ...] = ()
    memory_bytes: int = 0
    cpu_seconds: float = 0.0
    ignore: tuple[str, ...] = ()
    patch: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def log(self) -> Path:
        """Return where the worker's run log lies."""
        return Path(self.live or self.folder, RUN_LOG)

    @property
    def trace(self) -> str:
        """Return where the file trace lies."""
        return os.path.join(self.live or self.folder, "trace")

    @property
    def shared_trace(self) -> str:
        """Return where the trace lies of what the attempt shares with others."""
        return os.path.join(self.live or self.folder, "template.trace")

    def to_json(self) -> dict[str, Any]:
        """Return the spec as JSON."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}  # asdict would copy every text in it
        return plain | {"config": dict(self.config), "patch": dict(self.patch)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "AttemptSpec":
        """Read what `to_json` wrote."""
        given = dict(data)
        given.update({name: tuple(data[name]) for name in ("gpus", "rungs", "ignore")})
        return cls(**given)

    def write(self) -> None:
        """Write `spec.json` into the attempt's folder."""
        (Path(self.folder) / "spec.json").write_text(json.dumps(self.to_json()))
