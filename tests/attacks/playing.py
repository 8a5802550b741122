"""From attacks and honest changes to a study that has run."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from headway.core import UsageError
from tests.attacks.arena import Arena
from tests.attacks.attacks import Attacks

__all__ = ["Proposals", "chosen", "mixed", "play"]

Proposals = Mapping[str, tuple[Mapping[str, str], str]]


def chosen(request: pytest.FixtureRequest, attacks: Attacks) -> Proposals:
    """Return the proposals of those tests that are to run."""
    names = {getattr(item, "originalname", "") for item in request.session.items}
    return {name: (files, attacks.notes[name]) for name, files in attacks.proposals.items() if name in names}


def mixed(attacks: Proposals, honest: Proposals) -> Proposals:
    """Spread the honest changes among the attacks, so that each has neighbours that would harm it."""
    names: Sequence[str] = list(attacks)
    every = max(1, len(names) // (len(honest) + 1))
    waiting, mixed = dict(honest), dict[str, tuple[Mapping[str, str], str]]()
    for index, name in enumerate(names):
        mixed[name] = attacks[name]
        if (index + 1) % every == 0 and waiting:
            first = next(iter(waiting))
            mixed[first] = waiting.pop(first)
    return {**mixed, **waiting}


def play(arena: Arena, proposals: Proposals, **options: Any) -> None:
    """Fill the queue and run the study."""
    study = arena.study(**options)
    for name, (files, note) in proposals.items():
        try:
            arena.propose(study, name, files=files, note=note)
        except UsageError as error:
            raise AssertionError(f"{name} was refused at the door: {error}") from error
    arena.run(study)
