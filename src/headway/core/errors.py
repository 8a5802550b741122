"""The tree of errors that Headway raises.

    HeadwayError                    exit code 1
    ├── UsageError                  exit code 2   a flag, a name or a value that cannot be meant
    │   ├── SpaceError              a search space, or a configuration outside it
    │   ├── ExperimentError         a study file or an experiment that does not hold together
    │   └── NotFound                a study, trial or file that is not in the record
    ├── DefinitionChanged           exit code 3   the name belongs to a study with another definition
    ├── StudyBusy                   exit code 4   another engine holds the study
    ├── StoreError                  exit code 5   the record cannot be read or written
    │   ├── DiskError               its disk is full, read-only or broken
    │   └── NewerSchema             it was written by a newer Headway
    ├── MissingExtra                exit code 6   an optional package is not installed
    └── NothingToDo                 exit code 7   there is nothing left to resume, show or export

What is expected inside a trial (a crash, a time-out, NaN, an early stop) is a stored result and never one of these.
"""

__all__ = [
    "DefinitionChanged",
    "DiskError",
    "ExperimentError",
    "HeadwayError",
    "MissingExtra",
    "NewerSchema",
    "NotFound",
    "NothingToDo",
    "SpaceError",
    "StoreError",
    "StudyBusy",
    "UsageError",
]


class HeadwayError(Exception):
    """Be the root of every error that Headway raises on purpose. `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(HeadwayError):
    """Say that what was asked for cannot be meant, and what would be."""

    exit_code = 2


class SpaceError(UsageError):
    """Say what is wrong with a search space, or with a configuration that should lie in it."""


class ExperimentError(UsageError):
    """Say why a study file or an experiment cannot be used."""


class NotFound(UsageError):
    """Say that the record does not hold what was named, and what it holds instead."""


class DefinitionChanged(HeadwayError):
    """Say how a study's new definition differs from the recorded one of the same name."""

    exit_code = 3


class StudyBusy(HeadwayError):
    """Say which process runs the study now."""

    exit_code = 4


class StoreError(HeadwayError):
    """Say why the store cannot be read or written."""

    exit_code = 5


class DiskError(StoreError):
    """Say what the store's disk refuses; `number` is its `errno`. Attempts are cut short by it, and no trial fails."""

    def __init__(self, message: str, number: int = 0) -> None:
        super().__init__(message)
        self.number = number


class NewerSchema(StoreError):
    """Say that the store was written by a newer Headway than this one."""


class MissingExtra(HeadwayError):
    """Name the extra that installs an optional package."""

    exit_code = 6

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed. Type: pip install 'headway[{extra}]'")


class NothingToDo(HeadwayError):
    """Say that there is nothing left to do, and what could be done instead."""

    exit_code = 7
