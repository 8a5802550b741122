"""A tiny repository, what a candidate must not reach around it, and a whole study of attacks beside honest work.

Attacks are text that is put into `train.py`. They say what they tried in lines `[name] done RESULT` or `[name] refused
ERROR`, so that a test knows that an attack was made, and not only that nothing came of it.
"""

import contextlib
import dataclasses
import os
import re
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.core import TrialState, UsageError
from headway.interfaces.agents.proposing import Sent, claim
from headway.sandbox import processes
from headway.store import Store, TrialRecord, VerdictRecord
from headway.studies import Study
from headway.studies.from_folder import repository_study
from headway.studies.observers import QuietObserver
from headway.studies.session import record_of
from headway.testing import repositories

__all__ = ["MARK", "Arena", "Told", "git", "listing"]

MARK = "ATTACK_MARK"
_SAID = re.compile(r"^\[([^\]\n]+)\] (done|refused) (.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a study says of one candidate: the verdict that it ended with, its trials, and what it printed."""

    decision: str
    sentence: str
    of: VerdictRecord | None
    trials: Sequence[TrialRecord]
    flags: Sequence[str]
    printed: str
    moved: bool = False  # onto what was accepted meanwhile

    @property
    def verdict(self) -> VerdictRecord:
        assert self.of is not None
        return self.of

    @property
    def accepted(self) -> bool:
        return self.decision.startswith("accepted")

    @property
    def values(self) -> dict[int, float]:
        """The scores by seed."""
        return {
            item.seed: item.value
            for item in self.trials
            if item.state == TrialState.COMPLETE and item.value is not None
        }

    @property
    def attempts(self) -> dict[str, tuple[str, str]]:
        """What the candidate tried: `done` or `refused`, and with what."""
        return {name: (how, what) for name, how, what in _SAID.findall(self.printed)}

    def refused(self, *names: str) -> bool:
        """Tell whether each of these was tried, and refused."""
        assert set(names) <= set(self.attempts), (names, self.attempts, self.printed[-2000:])
        done = {name: self.attempts[name] for name in names if self.attempts[name][0] != "refused"}
        assert not done, done
        return True


@dataclass(kw_only=True)
class Arena:
    """A folder with a repository, a store, a holdout, and a temporary folder of the engine's."""

    folder: Path
    repository: Path
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    ports: tuple[int, int] = (0, 0)
    heard: list[str] = field(default_factory=list[str])
    before: dict[str, str] = field(default_factory=dict[str, str])
    after: dict[str, str] = field(default_factory=dict[str, str])
    living: list[int] = field(default_factory=list[int])
    proposed: dict[str, str] = field(default_factory=dict[str, str])
    _told: dict[str, Told] = field(default_factory=dict[str, Told])

    @classmethod
    def lay_out(cls, folder: Path, files: Mapping[str, str]) -> "Arena":
        arena = cls(folder=folder, repository=folder / "repository")
        for name in ("tmp", "home", "elsewhere"):
            (folder / name).mkdir(parents=True)
        (folder / "holdout.json").write_text(f'{{"secret": "{arena.token}"}}')
        for path, text in files.items():
            (arena.repository / path).parent.mkdir(parents=True, exist_ok=True)
            (arena.repository / path).write_text(text.replace("TOKEN", arena.token))
        git(arena.repository, "init", "-q", "-b", "main")
        git(arena.repository, "add", "-A")
        git(arena.repository, "commit", "-q", "-m", "First")
        return arena

    @property
    def store(self) -> Path:
        return self.folder / "store" / ".headway"

    def study(self, *, memory_bytes: int = 0, **options: object) -> Study:
        """Return the study, whose queue is then to be filled."""
        given: dict[str, object] = {"tag": "arena", "name": "arena", "seeds": 4, "close_after": 0.0}
        study = repository_study(self.repository, self.store, **{**given, **options})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        if memory_bytes:
            limits = dataclasses.replace(study.experiment.limits, memory_bytes=memory_bytes)
            study.experiment = dataclasses.replace(study.experiment, limits=limits)  # type: ignore[type-var]  # pyright: ignore
        return study

    def propose(self, study: Study, name: str, *, note: str = "", priority: int = 0, **sent: Any) -> None:
        """Queue a candidate. Raises `UsageError` where it is refused."""
        with Store.open(self.store) as store:
            record = record_of(store, study)
            if "files" in sent:
                sent["files"] = {path: self._located(text) for path, text in dict(sent["files"]).items()}  # type: ignore[call-overload]  # pyright: ignore
            given = Sent(**sent)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            made, _ = claim(store, record, given, note=note or name, proposer="attacker", priority=priority)
            self.proposed[name] = made.candidate

    def _located(self, text: str) -> str:
        """Tell an attack where everything is: more than any agent could know."""
        known = {
            "store": str(self.store), "repository": str(self.repository), "holdout": str(self.folder / "holdout.json"),
            "elsewhere": str(self.folder / "elsewhere"), "token": self.token, "engine": os.getpid(),
            "tcp": self.ports[0], "udp": self.ports[1],
        }  # fmt: skip
        used = {name: value for name, value in known.items() if re.search(rf"\b{name}\b", text)}
        return text.replace("# world\n", "".join(f"{name} = {value!r}\n" for name, value in used.items()))

    def refusal(self, study: Study, name: str, **sent: Any) -> str:
        """Return why a candidate is refused at the door."""
        try:
            self.propose(study, name, **sent)
        except UsageError as error:
            return str(error)
        raise AssertionError(f"{name} was not refused")

    def run(self, study: Study) -> None:
        """Run the study to the end of its queue, with two workers."""
        self.before = self.around()
        with _environment(TMPDIR=str(self.folder / "tmp"), HOME=str(self.folder / "home"), ATTACK_SECRET=self.token):
            study.run(store=self.store, workers=2, observer=QuietObserver())
        self.living = processes.carrying(f"{MARK}={self.token}")
        self.after = self.around()

    def told(self, name: str) -> Told:
        """Return what came of a candidate; where it was moved onto what was accepted meanwhile, of the moved one."""
        if name not in self._told:
            with Store.open(self.store, create=False) as store:
                self._told[name] = self._read(store, self.proposed[name])
        return self._told[name]

    def of_candidate(self, candidate: str) -> Told:
        """Return what the study holds of a candidate without a verdict of its own, such as the baseline."""
        with Store.open(self.store, create=False) as store:
            (record,) = store.studies.all()
            return self._told_of(store, record.id, candidate, None)

    def _read(self, store: Store, candidate: str, *, moved: bool = False) -> Told:
        (record,) = store.studies.all()
        verdict = store.studies.verdict(record.id, candidate)
        assert verdict is not None, "it has no verdict"
        if verdict.decision == "rebased":
            return self._read(store, verdict.data["as"], moved=True)
        return self._told_of(store, record.id, candidate, verdict, moved=moved)

    def _told_of(
        self, store: Store, study: int, candidate: str, verdict: VerdictRecord | None, *, moved: bool = False
    ) -> Told:
        places = sorted(store.places.of_candidate(study, candidate), key=lambda place: place.trial.id)
        trials = [place.trial for place in places]
        events = [event for trial in trials for event in store.events.of_trial(trial.id)]
        folders = [store.folder / item.directory for trial in trials for item in store.trials.attempts(trial.id)]
        logs = [folder / "output.log" for folder in folders]
        return Told(
            decision="" if verdict is None else verdict.decision,
            sentence="" if verdict is None else verdict.sentence,
            of=verdict,
            trials=trials,
            flags=[str(event.data["text"]) for event in events if event.kind == "flag"],
            printed="".join(log.read_text(errors="replace") for log in logs if log.exists()),
            moved=moved,
        )

    @contextlib.contextmanager
    def listening(self) -> Generator[None]:
        """Have servers on the host, to which `heard` tells who came."""
        listeners = _Listeners(self.token)
        self.ports, self.heard = listeners.ports, listeners.heard
        try:
            yield
        finally:
            listeners.close()

    @property
    def changed(self) -> set[str]:
        """Return which paths around the store the study has changed."""
        return {
            path for path in self.before.keys() | self.after.keys() if self.before.get(path) != self.after.get(path)
        }

    def around(self) -> dict[str, str]:
        """Return all that lies around the store: the repository with its .git, the holdout, and everybody's folders."""
        return listing(self.folder, without=lambda path: path.startswith("store/"))


class _Listeners:
    """Servers on the host's loopback and an abstract address, which nobody in a sandbox may reach."""

    def __init__(self, token: str) -> None:
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.abstract.bind(f"\0headway-{token}")
        self.ports = (self.tcp.getsockname()[1], self.udp.getsockname()[1])
        self.heard: list[str] = []
        for name in ("tcp", "udp", "abstract"):
            threading.Thread(target=self._hear, args=(name, getattr(self, name)), daemon=True).start()

    def _hear(self, name: str, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                if name == "tcp":
                    listening.accept()[0].close()
                else:
                    listening.recv(64)
                self.heard.append(name)

    def close(self) -> None:
        for listening in (self.tcp, self.udp, self.abstract):
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()


def git(folder: Path, *words: str) -> str:
    """Call git as a person does, past the traps that were set in the repository."""
    return repositories.git(folder, "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *words).strip()


def listing(folder: Path, *, without: Callable[[str], bool] = lambda path: False) -> dict[str, str]:
    """Return the content of all files below a folder, links and modes told too."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not without(name):
            mode = path.lstat().st_mode
            content = os.readlink(path) if path.is_symlink() else path.read_bytes().hex() if path.is_file() else ""
            found[name] = f"{mode:o} {content}"
    return found


@contextlib.contextmanager
def _environment(**variables: str) -> Generator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    tempfile.tempdir = None
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        tempfile.tempdir = None
