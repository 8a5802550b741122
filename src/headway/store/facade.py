"""The store's front: opens the folder and hands out its parts.

.headway/
  store.sqlite            studies, candidates, trials, curves, events, verdicts
  runs/<trial>/<attempt>/ run log and output of an attempt
  checkpoints/<trial>/    state to go on from
  artifacts/              files by content
  reports/                one HTML file a study
"""

import re
from pathlib import Path
from types import TracebackType

from headway.core import Clock, NotFound, SystemClock, digest_bytes
from headway.store.artifacts import Artifacts
from headway.store.claims import Claims
from headway.store.curves import Curves, Events
from headway.store.database import Database, refuse_network_disk
from headway.store.digests import FileDigests
from headway.store.disk import explained
from headway.store.ends import Ends
from headway.store.evidence import Evidence
from headway.store.places import Places
from headway.store.promotions import Promotions
from headway.store.studies import Studies
from headway.store.trials import Trials
from headway.store.verdicts import Verdicts

__all__ = ["FOLDER", "Store", "find_root"]

FOLDER = ".headway"
_ROOT_SIGNS = (FOLDER, "headway.toml", ".git", "pyproject.toml")


class Store:
    """Hold all that is remembered. Open it with `Store.open`, close it or use it as a context."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.database = Database(folder / "store.sqlite")
        self.studies = Studies(self.database, clock)
        self.claims = Claims(self.database, self.studies)
        self.promotions = Promotions(self.database, clock)
        self.trials = Trials(self.database, clock)
        self.places = Places(self.database)
        self.ends = Ends(self.database)
        self.verdicts = Verdicts(self.database)
        self.curves = Curves(self.database, clock)
        self.events = Events(self.database, clock)
        self.evidence = Evidence(self.database, clock)
        self.artifacts = Artifacts(folder / "artifacts")
        self.digests = FileDigests(self.database)

    @classmethod
    def open(cls, folder: Path, *, create: bool = True, clock: Clock | None = None) -> "Store":
        """Open the store in `folder`, and make it where it does not exist unless `create` is false."""
        folder = folder.absolute()
        if not create and not (folder / "store.sqlite").exists():
            raise NotFound(
                f"There is no store at {folder}. Type 'headway init' to begin, or name a store with --store FOLDER."
            )
        refuse_network_disk(folder / "store.sqlite")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            ignore = folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            raise explained(folder, error) from error
        return cls(folder, clock or SystemClock())

    def run_folder(self, trial: int) -> Path:
        """Return where the attempts at a trial leave their run logs and output."""
        return self.folder / "runs" / str(trial)

    def checkpoint_folder(self, trial: int) -> Path:
        """Return where the checkpoints of a trial lie."""
        return self.folder / "checkpoints" / str(trial)

    def report_path(self, study: str) -> Path:
        """Return where a study's report lies. A name that is no safe file name is made one, and told by a digest."""
        if re.fullmatch(r"\w[\w.+ -]{0,99}", study):
            return self.folder / "reports" / f"{study}.html"
        plain = re.sub(r"[^\w.+-]+", "-", study).strip("-.")[:60] or "study"
        return self.folder / "reports" / f"{plain}-{digest_bytes(study.encode('utf-8', errors='replace'))[:8]}.html"

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def find_root(start: Path) -> Path:
    """Return the project's root: the nearest folder from `start` upwards with a store, headway.toml, .git or pyproject.

    Without any of these it is `start` itself.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        if any((folder / sign).exists() for sign in _ROOT_SIGNS):
            return folder
    return start
