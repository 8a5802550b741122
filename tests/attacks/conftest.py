"""The studies under attack, each run once, with the attacks of those tests that are to run."""

from collections.abc import Generator

import pytest

from headway.sandbox import protection
from tests.attacks.arena import Arena, Told, git
from tests.attacks.guarded import ATTACKS, HONEST
from tests.attacks.playing import chosen, mixed, play
from tests.attacks.tiny import GUARDED

SOUND = protection().sound


@pytest.fixture(scope="session")
def protected() -> None:
    if not SOUND:
        pytest.skip(f"no sandbox that would hold the attacks on this machine: {protection()}")


@pytest.fixture(scope="session")
def guarded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, protected: None
) -> Generator[Arena]:
    """A guarded repository whose study has run, with attacks before, between and behind the honest changes."""
    arena = Arena.lay_out(tmp_path_factory.mktemp("guarded"), GUARDED)
    _set_traps(arena)
    with arena.listening():
        play(arena, mixed(chosen(request, ATTACKS), HONEST))
        yield arena


@pytest.fixture
def told(request: pytest.FixtureRequest, guarded: Arena) -> Told:
    """What came of the attack that stands above the test."""
    return guarded.told(request.function.__name__)


def _set_traps(arena: Arena) -> None:
    """Let git run programs, wherever it may be made to."""
    trap = f"touch {arena.folder}/elsewhere/evil; cat"
    named = ("filter.evil.smudge", "filter.evil.clean", "diff.evil.textconv", "merge.evil.driver")
    for name in named:
        git(arena.repository, "config", name, trap)
    for name in ("post-checkout", "reference-transaction", "post-commit", "pre-commit"):
        hook = arena.repository / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\n{trap}\n")
        hook.chmod(0o755)
