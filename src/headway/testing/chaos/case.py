"""A case: a study and a schedule, as a JSON file that runs it again."""

import json
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.core import UsageError
from headway.testing import nasty
from headway.testing.chaos.conductor import needs_disk, torment
from headway.testing.chaos.disk import enter_namespace, entered_namespace, no_disk_here
from headway.testing.chaos.outcome import Outcome
from headway.testing.chaos.plan import Schedule

__all__ = ["BUILT_IN", "Case", "lay_out", "replay_command"]

_STUDIES = Path(__file__).parent / "studies"
_FORMAT = 1
BUILT_IN = tuple(sorted(path.name.removesuffix(".py.txt") for path in _STUDIES.glob("*.py.txt")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Hold what is needed to run a case: `study` is a file, or the name of a built-in study."""

    study: str
    schedule: Schedule
    options: tuple[str, ...] = ()

    def run(self, scratch: Path) -> Outcome:
        """Run the case in an empty folder."""
        return torment(lay_out(self.study, scratch), self.schedule, scratch, options=self.options)

    def write(self, path: Path, broken: Sequence[str] = ()) -> None:
        """Write the case, with what was broken when it last ran."""
        data = {"headway_chaos": _FORMAT, "study": self.study, "options": list(self.options), "broken": list(broken)}
        path.write_text(json.dumps({**data, "schedule": self.schedule.to_json()}, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Case":
        """Read a case file."""
        try:
            data: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} is no case: {error}. Name a file that a failing case wrote.") from error
        if data.get("headway_chaos") != _FORMAT:
            raise UsageError(f"{path} is no case of this Headway: headway_chaos is {data.get('headway_chaos')!r}.")
        schedule = Schedule.from_json(data["schedule"])
        return cls(study=data["study"], schedule=schedule, options=tuple(data["options"]))

    def enter_namespace(self) -> str | None:
        """Begin the program anew where the case may mount a disk; return why that cannot be."""
        if not needs_disk(self.schedule) or entered_namespace():
            return None
        return no_disk_here() or enter_namespace()


def lay_out(study: str, scratch: Path) -> Path:
    """Return a study's file: that of a built-in study is put into a project of its own below `scratch`."""
    if study not in BUILT_IN:
        return Path(study).absolute()
    folder = scratch / "project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    shutil.copyfile(_STUDIES / f"{study}.py.txt", folder / "study.py")
    shutil.copyfile(nasty.__file__, folder / "nasty.py")
    return folder / "study.py"


def replay_command(path: Path) -> str:
    """Return what to type to run a case again."""
    return f"python -m headway.testing.chaos replay {shlex.quote(str(path))}"
