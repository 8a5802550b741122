"""What a trial's result depends on, as a compiler's dependency file lists it: files by digest, packages, threads.

The engine fills it, the store keeps it, and reuse compares it with today's tree. Nothing here touches a disk.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from headway.core.digest import digest

__all__ = ["FileUse", "Manifest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileUse:
    """Name one file that a trial used.

    `path` is relative to the project's root where the file lies below it, else absolute. `stored` tells whether the
    artifact store holds its bytes; `redacted` that the stored bytes are not the original ones. A `folder` is a declared
    input: its digest is that of the names in it.
    """

    path: str
    digest: str
    kind: Literal["module", "file", "input", "folder"]
    size_bytes: int
    stored: bool = False
    redacted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """List all that a trial's result depends on.

    `packages` maps the imported distributions to their versions, `sites` are the folders they were found in.
    `not_reusable` says in words why its result must not be reused, `unseen` what it may have read without being seen.
    """

    files: tuple[FileUse, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict[str, str])
    sites: tuple[str, ...] = ()
    python: str = ""
    platform: str = ""
    device: str = "cpu"
    threads: int = 1
    not_reusable: str | None = None
    unseen: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON."""
        return asdict(self) | {
            "files": [asdict(use) for use in self.files],
            "packages": dict(self.packages),
            "sites": list(self.sites),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Manifest":
        """Read what `to_json` wrote."""
        fields = dict(data)
        fields["files"] = tuple(FileUse(**use) for use in data["files"])
        fields["sites"] = tuple(data["sites"])
        return cls(**fields)

    @property
    def digest(self) -> str:
        """Digest all of it: equal manifests are stored once."""
        return digest(self.to_json())
