"""Build a trial's manifest from its file trace, keep a snapshot of the files, and compare it with today's tree."""

import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from headway.core import FileUse, Manifest, Redactor, digest
from headway.engine.sources import digest_module
from headway.experiments import trace
from headway.store import Store, digest_file

__all__ = ["NATIVE_READERS", "Filed", "Library", "Use", "bytes_of", "observed"]

# These read files with their own code, which Python's audit hooks do not see.
NATIVE_READERS = frozenset({"polars", "pyarrow", "safetensors", "h5py", "duckdb", "zarr", "cv2", "netCDF4"})

_FILED = 64  # manifests kept in memory, with the traces that they were made of
_LARGEST_SNAPSHOT = 20 * 1024 * 1024  # bytes; larger files are known by digest alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Hold what was observed of one attempt: files, packages, and what could not be looked into."""

    modules: frozenset[Path]
    files: frozenset[Path]  # data that the attempt read and did not write, as far as they are still there
    opened: frozenset[Path]  # all that it opened to read
    packages: frozenset[tuple[str, str]]
    opaque: frozenset[str]
    stamps: Mapping[Path, frozenset[str]]  # what the files looked like when they were loaded or opened
    traced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """Hold a manifest with its digest, which takes longer to compute than all else that ends a short trial."""

    manifest: Manifest
    digest: str

    @classmethod
    def of(cls, manifest: Manifest) -> "Filed":
        """Digest a manifest."""
        return cls(manifest=manifest, digest=manifest.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    filed: Filed
    stamps: Mapping[str, str]

    def holds(self) -> bool:
        """Tell whether no file has changed since."""
        return all(trace.stamp(path) == stamp for path, stamp in self.stamps.items())


def observed(traces: Iterable[Path]) -> Use:
    """Read traces of one attempt: its template's and its own."""
    return _gathered(trace.parse(b"".join(map(bytes_of, traces))))


def _gathered(entries: Iterable[trace.Entry]) -> Use:
    modules: set[Path] = set()
    files: set[Path] = set()
    written: set[Path] = set()
    packages: set[tuple[str, str]] = set()
    opaque: set[str] = set()
    stamps: dict[Path, set[str]] = {}
    traced = False
    for kind, rest in entries:
        match kind:
            case "m":
                modules.add(Path(rest))
            case "f":
                files.add(Path(rest))
            case "w":
                written.add(Path(rest))
            case "s":
                site, _, name = rest.partition("\t")
                packages.add((site, name))
            case "x":
                opaque.add(rest)
            case "t":
                stamp, _, path = rest.partition(" ")
                stamps.setdefault(Path(path), set()).add(stamp)
            case "h":
                traced = True
            case _:
                pass
    return Use(
        modules=frozenset(modules),
        files=frozenset(path for path in files - modules - written if path.is_file()),
        opened=frozenset(files),
        packages=frozenset(packages),
        opaque=frozenset(opaque),
        stamps={path: frozenset(found) for path, found in stamps.items() if path not in written},
        traced=traced,
    )


class Library:
    """Know a project's files and packages: make manifests of what trials used, and tell what changed since."""

    def __init__(self, store: Store, root: Path, redactor: Redactor) -> None:
        self._store = store
        self._root = root
        self._redactor = redactor
        self._filed: dict[tuple[bytes, ...], _Known] = {}
        self._owners: dict[str, dict[str, tuple[str, str]]] = {}
        self._versions: dict[str, dict[str, str]] = {}

    def filed(self, traces: tuple[bytes, bytes], *, inputs: Sequence[str], threads: int, device: str) -> "Filed":
        """Return the manifest of an attempt, and keep its files.

        `traces` are those of what it shared with others, and of what it used itself. Attempts whose traces and inputs
        are equal share a manifest as long as the files have not changed: looking costs a `stat` each.
        """
        key = (*traces, *(name.encode() for name in inputs))
        known = self._filed.get(key)
        if known is not None and known.holds():
            return known.filed
        use = _gathered(trace.parse(b"".join(traces)))
        declared = [Path(name) for name in inputs]
        stamps = {str(path): trace.stamp(str(path)) for path in (*use.modules, *use.opened, *declared)}
        manifest = self.manifest(use, inputs=inputs, threads=threads, device=device)
        filed = Filed.of(manifest)
        if manifest.not_reusable is None and not any(path.is_dir() for path in declared):
            if len(self._filed) >= _FILED:
                self._filed.pop(next(iter(self._filed)))
            self._filed[key] = _Known(filed=filed, stamps=stamps)
        return filed

    def manifest(self, use: Use, *, inputs: Sequence[str], threads: int, device: str) -> Manifest:
        """Make the manifest of what an attempt used, and keep its files."""
        problems: list[str] = []
        uses: list[FileUse] = []
        for path in sorted(use.modules):
            uses += self._file(path, "module", use, problems)
        for path in sorted(use.files):
            uses += self._file(path, "file", use, problems)
        for path in _input_files(inputs):
            if path not in use.files:
                uses += self._file(path, "folder" if path.is_dir() else "input", use, problems)
        return Manifest(
            files=tuple(uses),
            packages=self._packages(use),
            sites=tuple(sorted({site for site, _ in use.packages})),
            python=sys.version.split()[0],
            platform=f"{platform.system()} {platform.machine()}",
            device=device,
            threads=threads,
            not_reusable="; ".join(problems) or None,
            unseen=_unseen(use, inputs),
        )

    def changed(self, manifest: Manifest, *, threads: int, device: str) -> str | None:
        """Say what differs today from what a trial used, or return None: then its result still counts."""
        if manifest.not_reusable is not None:
            return manifest.not_reusable
        here = (sys.version.split()[0], f"{platform.system()} {platform.machine()}", device, threads)
        there = (manifest.python, manifest.platform, manifest.device, manifest.threads)
        for name, now, then in zip(("Python", "platform", "device", "threads"), here, there, strict=True):
            if now != then:
                return f"{name} is {now} and was {then}"
        if (change := self.changed_file(manifest)) is not None:
            return change
        installed: dict[str, str] = {}
        for site in manifest.sites:
            installed |= self._installed(site)
        for name, version in manifest.packages.items():
            if installed.get(name) != version:
                return f"the package {name} is {installed.get(name, 'gone')} and was {version}"
        return None

    def changed_file(self, manifest: Manifest) -> str | None:
        """Say which file has other bytes today, or return None."""
        for use in manifest.files:
            if self._digest(self._root / use.path, use.kind) != use.digest:
                return f"{use.path} changed"
        return None

    def _file(self, path: Path, kind: str, use: Use, problems: list[str]) -> list[FileUse]:
        found = self._digest(path, kind)
        if found is None:
            problems.append(f"{path.name} was gone when the trial ended")
            return []
        status = path.stat()
        if use.stamps.get(path, frozenset()) - {trace.stamp(str(path))}:
            problems.append(f"{self._shown(path)} changed while the trial ran")
        stored, redacted = False, False
        if kind != "folder" and self._inside(path) and status.st_size <= _LARGEST_SNAPSHOT:
            stored, redacted = True, self._keep(path, found)
        return [
            FileUse(
                path=self._shown(path),
                digest=found,
                kind=kind,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
                size_bytes=status.st_size,
                stored=stored,
                redacted=redacted,
            )
        ]

    def _keep(self, path: Path, found: str) -> bool:
        """Store a file's bytes without secrets; tell whether any were taken out."""
        data = path.read_bytes()
        try:
            clean = self._redactor.text(data.decode()).encode()
        except UnicodeDecodeError:
            clean = data
        self._store.artifacts.put_bytes_as(found, clean)
        return clean != data

    def _digest(self, path: Path, kind: str) -> str | None:
        if kind == "module":
            return self._store.digests.of(path, digest_module, "module:")
        if kind == "folder":  # not from memory: a folder's times do not tell of what lies deeper
            return digest(sorted(str(item.relative_to(path)) for item in path.rglob("*"))) if path.is_dir() else None
        return self._store.digests.of(path, digest_file)

    def _inside(self, path: Path) -> bool:
        return path.is_relative_to(self._root)

    def _shown(self, path: Path) -> str:
        return os.path.relpath(path, self._root) if self._inside(path) else str(path)

    def _packages(self, use: Use) -> dict[str, str]:
        found: dict[str, str] = {}
        for site, name in use.packages:
            owner = self._owners_in(site).get(name)
            if owner is not None:
                found[owner[0]] = owner[1]
        return dict(sorted(found.items()))

    def _owners_in(self, site: str) -> dict[str, tuple[str, str]]:
        """Map the importable names in a site folder to their distribution and its version."""
        if site not in self._owners:
            owners: dict[str, tuple[str, str]] = {}
            for distribution in metadata.distributions(path=[site]):
                if (owner := _named(distribution)) is not None:
                    owners |= dict.fromkeys(_top_names(distribution), owner)
            self._owners[site] = owners
        return self._owners[site]

    def _installed(self, site: str) -> dict[str, str]:
        if site not in self._versions:
            versions: dict[str, str] = {}
            if any(Path(site).glob("*.egg-info")):  # as in Debian's packages; their names do not always tell
                named = (_named(distribution) for distribution in metadata.distributions(path=[site]))
                versions |= dict(owner for owner in named if owner is not None)
            found = (item.name.removesuffix(".dist-info").rpartition("-") for item in Path(site).glob("*.dist-info"))
            versions |= {_normal(name): version for name, _, version in found}
            self._versions[site] = versions
        return self._versions[site]


def _unseen(use: Use, inputs: Sequence[str]) -> str | None:
    """Say what may have been read unseen, unless the trial declared its inputs."""
    if inputs:
        return None
    if not use.traced:
        return "its command runs no Python that could be watched, and declares no inputs"
    native = sorted(name for _, name in use.packages if name in NATIVE_READERS)
    unseen = [*native, *sorted(use.opaque)]
    if not unseen:
        return None
    return f"it uses {', '.join(unseen)}, which read files unseen; declare them: run.input(path), or a command's inputs"


def _named(distribution: metadata.Distribution) -> tuple[str, str] | None:
    fields = distribution.metadata
    name, version = fields["Name"], fields["Version"]  # missing in what an interrupted pip leaves behind
    return (_normal(name), version) if name and version else None


def _top_names(distribution: metadata.Distribution) -> set[str]:
    """Return the names that a distribution puts into its site folder, without their suffixes.

    From the text of RECORD: `distribution.files` makes an object of each line, .6 s for an environment with torch.
    """
    record = distribution.read_text("RECORD")
    if record is None:
        return {file.parts[0].split(".", 1)[0] for file in distribution.files or []}
    return {line.lstrip('"').partition("/")[0].partition(".")[0].partition(",")[0] for line in record.splitlines()}


def bytes_of(path: Path) -> bytes:
    """Return what a file holds, nothing where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()  # PEP 503


def _input_files(inputs: Sequence[str]) -> list[Path]:
    """Return the declared files, and for a declared folder itself and all files in it."""
    files: list[Path] = []
    for item in inputs:
        path = Path(item)
        files.append(path)
        if path.is_dir():
            files += sorted(sub for sub in path.rglob("*") if sub.is_file())
    return files
