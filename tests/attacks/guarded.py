"""A guarded repository under attack: one study, in which all the attacks of these tests run beside honest work."""

from tests.attacks.arena import Told
from tests.attacks.attacks import Attacks
from tests.attacks.tiny import GUARDED, error_of, trained

__all__ = ["ATTACKS", "GOOD", "HONEST", "came_to_nothing", "failed", "steps_of", "worth"]

ATTACKS = Attacks(path="train.py", source=GUARDED["train.py"])

HONEST = ATTACKS.honest({
    "good": ("STEPS = 10", "STEPS = 40"),
    "harmful": ("STEPS = 10", "STEPS = 5"),
    "null": ("for x, y in points:", "for x, y in list(points):"),
    "crash": ("weight, bias = 0.0, 0.0", "weight, bias = 0.0, 1 / 0"),
})  # fmt: skip
GOOD = {"good": HONEST["good"]}
_NOT_ACCEPTED = ("identical", "rejected", "undecided")


def came_to_nothing(told: Told) -> None:
    """Check that a candidate did honest work under its attack: the score of each run is what that work is worth."""
    assert told.decision in _NOT_ACCEPTED, (told.decision, told.sentence, told.printed[-1000:])
    expected = {trial.seed: worth(trial.seed, steps_of(told)) for trial in told.trials}
    assert told.values == expected, (told.sentence, told.printed[-1000:])


def steps_of(told: Told) -> int:
    """Return how many steps an honest candidate trains: those of the good change, once it was moved onto that."""
    return 40 if told.moved else 10


def worth(seed: int, steps: int = 10) -> float:
    """Return what an honest run's model is worth."""
    return error_of(trained(seed, steps))


def failed(told: Told, *words: str) -> None:
    """Check that a candidate has no score, and that the verdict says why."""
    assert (told.decision, told.values) == ("failed", {}), (told.decision, told.sentence)
    for word in words:
        assert word in told.sentence, told.sentence
