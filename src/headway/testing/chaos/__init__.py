"""The chaos harness: torment a study with faults, check that nothing is lost. For authors of backends and stores, too.

    python -m headway.testing.chaos run walk --seed 7 --faults kill:50
    python -m headway.testing.chaos replay CASE.json

A fault is a value, a seed makes a schedule of them, and the conductor runs a study through it by the command line
alone: begin, strike, resume, until the verdict. What does not hold is written as a case file that replays it.
"""

from headway.testing.chaos.case import Case, lay_out, replay_command
from headway.testing.chaos.conductor import torment, undisturbed
from headway.testing.chaos.faults import ClockJump, Corrupt, Delay, Fault, FillDisk, Freeze, Kill, ReadOnly
from headway.testing.chaos.outcome import Break, Outcome, Promise
from headway.testing.chaos.plan import Moment, Schedule, Strike, make_schedule, parse_wishes

__all__ = [
    "Break",
    "Case",
    "ClockJump",
    "Corrupt",
    "Delay",
    "Fault",
    "FillDisk",
    "Freeze",
    "Kill",
    "Moment",
    "Outcome",
    "Promise",
    "ReadOnly",
    "Schedule",
    "Strike",
    "lay_out",
    "make_schedule",
    "parse_wishes",
    "replay_command",
    "torment",
    "undisturbed",
]
