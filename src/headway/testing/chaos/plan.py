"""From a seed to a schedule: which faults strike a study, and at which moments of its sessions.

The same seed and the same wishes give the same schedule. When a fault strikes is told by signs that can be seen from
outside (a process appeared, the database's log grew), because seconds alone mean another thing on a busier machine.
"""

import difflib
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from headway.core import UsageError
from headway.testing.chaos.faults import (
    ClockJump,
    Corrupt,
    Delay,
    Fault,
    FillDisk,
    Freeze,
    Kill,
    ReadOnly,
    Whom,
    fault_from_json,
    fault_to_json,
)

__all__ = ["FAULTS", "Moment", "Schedule", "Sign", "Strike", "make_schedule", "parse_wishes"]

Sign = Literal["start", "import", "trial", "commit", "checkpoint", "closing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Name a moment of a session: `seconds` after a sign was seen `count` times since the strike before, or the start.

    `start`: the session (or the strike before) began. `import`: a template is there. `trial`: a trial's process is
    there. `commit`: the database's log changed. `checkpoint`: a checkpoint was written. `closing`: the template left.
    """

    sign: Sign = "start"
    count: int = 1
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{1000 * self.seconds:.1f} ms after {self.sign} {self.count}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """Let a fault happen at a moment. `rest_seconds` pass before the next session, should the fault end this one."""

    moment: Moment
    fault: Fault
    rest_seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.fault}, {self.moment}"

    def to_json(self) -> dict[str, Any]:
        """Return the strike as JSON."""
        rest = {"rest_seconds": self.rest_seconds} if self.rest_seconds else {}
        return {**fault_to_json(self.fault), "moment": asdict(self.moment), **rest}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Strike":
        """Read what `to_json` wrote."""
        values = dict(data)
        moment, rest = Moment(**values.pop("moment")), values.pop("rest_seconds", 0.0)
        return cls(moment=moment, fault=fault_from_json(values), rest_seconds=rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Hold the strikes in their order, and the seed that they came from."""

    seed: int
    strikes: tuple[Strike, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the schedule as JSON."""
        return {"seed": self.seed, "strikes": [strike.to_json() for strike in self.strikes]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Schedule":
        """Read what `to_json` wrote."""
        return cls(seed=data["seed"], strikes=tuple(map(Strike.from_json, data["strikes"])))


# The names on the command line. Where a kind has variants, the seed chooses.
FAULTS: Mapping[str, Callable[[random.Random], Fault]] = {
    "kill": lambda chance: Kill(whom=chance.choice(("engine", "engine", "engine+template"))),
    "kill-template": lambda _: Kill(whom="template"),
    "kill-worker": lambda _: Kill(whom="worker"),
    "freeze": lambda chance: _freeze(chance),
    "delay": lambda chance: Delay(
        whom=_anyone(chance), seconds=round(chance.uniform(1, 3), 2), share=round(chance.uniform(0.5, 0.95), 2)
    ),
    "fill-disk": lambda chance: FillDisk(free_bytes=chance.choice((0, 0, 4096, 65536, 262144))),
    "read-only": lambda _: ReadOnly(),
    "corrupt-log": lambda chance: Corrupt(piece="run log", share=round(chance.uniform(0, 0.9), 3)),
    "corrupt-checkpoint": lambda chance: Corrupt(
        piece="checkpoint", share=chance.choice((0.0, 0.5)), size_bytes=1 << 20, byte=0
    ),
    "corrupt-database": lambda chance: Corrupt(
        piece="database", share=round(chance.uniform(0, 0.95), 3), size_bytes=16384, byte=chance.choice((0, 0xFF))
    ),
    "clock-jump": lambda chance: ClockJump(seconds=round(chance.choice((-1, 1)) * chance.uniform(600, 36000))),
}

_TAIL_SHARE = 0.06  # of the kills: they wait for the end of the study, its verdict and its report


def make_schedule(seed: int, wishes: Mapping[str, int]) -> Schedule:
    """Draw a schedule with so many faults of each kind, in an order that the seed decides.

    >>> make_schedule(7, {"kill": 2}) == make_schedule(7, {"kill": 2})
    True
    """
    for name, count in wishes.items():
        if name not in FAULTS or count < 0:
            raise UsageError(f"{name}:{count} is no wish. {_near(name)}")
    chance = random.Random(seed)
    names = [name for name, count in wishes.items() for _ in range(count)]
    chance.shuffle(names)
    faults = [FAULTS[name](chance) for name in names]
    tail = round(_TAIL_SHARE * sum(isinstance(fault, Kill) for fault in faults))
    kills = [index for index, fault in enumerate(faults) if isinstance(fault, Kill) and "engine" in fault.whom]
    late = kills[len(kills) - tail :]
    early = [_strike(fault, chance) for index, fault in enumerate(faults) if index not in late]
    last = [_at_the_end(faults[index], place, chance) for place, index in enumerate(late)]
    return Schedule(seed=seed, strikes=(*early, *last))


def parse_wishes(text: str) -> dict[str, int]:
    """Read wishes as people write them: "kill:50,freeze:3"."""
    wishes: dict[str, int] = {}
    for part in text.split(","):
        name, _, count = part.strip().partition(":")
        if name not in FAULTS or not (count or "1").isdecimal():
            raise UsageError(f"The wish {part.strip()!r} cannot be read. Expected NAME:COUNT. {_near(name)}")
        wishes[name] = wishes.get(name, 0) + int(count or 1)
    return wishes


def _near(name: str) -> str:
    near = difflib.get_close_matches(name, FAULTS, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(FAULTS)}."


def _anyone(chance: random.Random) -> Whom:
    return chance.choice(("engine", "template", "worker"))


def _freeze(chance: random.Random) -> Freeze:
    whom = _anyone(chance)
    rival = whom == "engine" and chance.random() < 0.5
    return Freeze(whom=whom, seconds=round(chance.uniform(0.3, 2.0), 2), rival=rival)


def _strike(fault: Fault, chance: random.Random) -> Strike:
    rest = chance.choice((0.0, 0.0, round(chance.uniform(0, 0.3), 3)))
    match fault:
        case Kill(whom="engine" | "engine+template") | FillDisk() | ReadOnly():
            return Strike(moment=_any_moment(chance), fault=fault, rest_seconds=rest)
        case Kill(whom="template" | "worker") if chance.random() < 0.5:  # before the worker has laid out its log
            return Strike(moment=Moment(sign="trial", count=chance.randint(1, 4)), fault=fault)
        case Corrupt(piece="checkpoint"):
            moment = Moment(sign="checkpoint", count=chance.randint(2, 5), seconds=_seconds(chance, 0.004))
            return Strike(moment=moment, fault=fault, rest_seconds=rest)
        case Corrupt(piece="database"):
            return Strike(moment=_busy_moment(chance), fault=fault, rest_seconds=rest)
        case _:
            return Strike(moment=_busy_moment(chance), fault=fault)


def _any_moment(chance: random.Random) -> Moment:
    """Draw from the whole life of a session: the interpreter's start, the import, trials that run, a commit."""
    sign = chance.choices(("start", "import", "busy"), (2, 2, 7))[0]
    if sign == "start":
        return Moment(sign="start", seconds=_seconds(chance, 0.5))
    if sign == "import":
        return Moment(sign="import", seconds=_seconds(chance, 0.3))
    return _busy_moment(chance)


def _busy_moment(chance: random.Random) -> Moment:
    if chance.random() < 0.5:
        return Moment(sign="trial", count=chance.randint(1, 5), seconds=_seconds(chance, 0.03))
    return Moment(sign="commit", count=chance.randint(1, 12), seconds=_seconds(chance, 0.003))


def _at_the_end(fault: Fault, place: int, chance: random.Random) -> Strike:
    """Strike when the trials are done; later in sessions that have all from the record, and no template to show."""
    if place == 0:
        return Strike(moment=Moment(sign="closing", seconds=_seconds(chance, 0.05)), fault=fault)
    return Strike(moment=Moment(sign="commit", seconds=_seconds(chance, 0.03)), fault=fault)


def _seconds(chance: random.Random, longest: float) -> float:
    return round(chance.uniform(0, longest), 4)
