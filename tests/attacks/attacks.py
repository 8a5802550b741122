"""Attacks as text beside the tests that judge them: `@ATTACKS.before(code)` puts `code` into the edited file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["ATTEMPT", "Attacks"]

# What an attack says: `[name] done RESULT` or `[name] refused ERROR`. So a test knows that the attack was made.
ATTEMPT = """
def attempt(name, function, *words):
    try:
        result = function(*words)
    except BaseException as error:
        print(f"[{name}] refused {type(error).__name__} {error}".replace("\\n", " ")[:300], flush=True)
    else:
        print(f"[{name}] done {result!r}"[:300], flush=True)

"""
_Test = Callable[..., None]


@dataclass(kw_only=True)
class Attacks:
    """Collect the proposals of one module: for each test that is named in it the files that its candidate changes."""

    path: str
    source: str
    proposals: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    notes: dict[str, str] = field(default_factory=dict[str, str])

    def before(self, code: str, *, note: str = "") -> Callable[[_Test], _Test]:
        """Let the attack run before the honest work."""
        return self.files({self.path: self.put("# before\n", code)}, note=note)

    def after(self, code: str) -> Callable[[_Test], _Test]:
        """Let the attack run when the honest work is done."""
        return self.files({self.path: self.put("# after\n", code)})

    def instead(self, *edits: tuple[str, str]) -> Callable[[_Test], _Test]:
        """Replace pieces of the honest work, each of which stands there once."""
        return self.files(self._edited(*edits))

    def honest(self, edits: Mapping[str, tuple[str, str]]) -> dict[str, tuple[dict[str, str], str]]:
        """Return proposals that attack nothing, each with its name as note."""
        return {name: (self._edited(edit), name) for name, edit in edits.items()}

    def files(self, files: Mapping[str, str], *, note: str = "") -> Callable[[_Test], _Test]:
        """Propose files as a whole."""

        def registered(test: _Test) -> _Test:
            self.proposals[test.__name__] = dict(files)
            self.notes[test.__name__] = note or test.__name__.removeprefix("test_").replace("_", " ")
            return test

        return registered

    def _edited(self, *edits: tuple[str, str]) -> dict[str, str]:
        text = self.source
        for old, new in edits:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return {self.path: text}

    def put(self, place: str, code: str) -> str:
        """Return the edited file with an attack at one of its marks, and before it only what the attack needs."""
        assert self.source.count(place) == 1
        helpers = ("import os\n" if "os." in code else "") + (ATTEMPT if "attempt(" in code else "")
        return self.source.replace(place, f"# world\n{helpers}{code}\n")
