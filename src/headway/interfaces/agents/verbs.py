"""The eight verbs by name: what each takes, what its answer may cost in tokens, and which function gives it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from headway.core import UsageError, suggestion
from headway.interfaces.agents.answers import capped
from headway.interfaces.agents.board import brief, status
from headway.interfaces.agents.failures import explain_failure
from headway.interfaces.agents.files import FILE_TOKENS
from headway.interfaces.agents.promoting import promote
from headway.interfaces.agents.proposing import propose
from headway.interfaces.agents.results import compare, result
from headway.interfaces.agents.waiting import LONGEST_SECONDS, WAIT_SECONDS, wait
from headway.store import Store

__all__ = ["VERBS", "Kind", "Parameter", "Verb", "call", "checked", "fitted"]

Kind = Literal["string", "number", "integer", "object"]
_EXPECTED: dict[Kind, tuple[str, type | tuple[type, ...]]] = {
    "string": ("a text", str),
    "number": ("a number", (int, float)),
    "integer": ("a whole number", int),
    "object": ("an object of names and values", Mapping),
}
_LONGEST_TEXT, _LONGEST_PATCH = 10_000, 400_000  # characters that are given


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Say what one argument of a verb is. A text has at most `longest` characters."""

    name: str
    kind: Kind
    text: str
    required: bool = False
    longest: int = _LONGEST_TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """Say what an agent may ask. `tokens` caps the answer; `more` says how to get what the cap left out.

    An answer that is asked for with an argument in `large` may cost so many tokens instead.
    """

    name: str
    text: str
    parameters: tuple[Parameter, ...]
    function: Callable[..., dict[str, Any]]
    tokens: int
    more: str
    reads_only: bool = True
    large: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of the arguments."""
        required = [item.name for item in self.parameters if item.required]
        return {
            "type": "object",
            "properties": {item.name: {"type": item.kind, "description": item.text} for item in self.parameters},
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }


_STUDY = Parameter(name="study", kind="string", text="The study's name; may be left out where there is only one.")
_CANDIDATE_TEXT = "Its number such as '#12', its id, 'baseline', or 'official'."
_CANDIDATE = Parameter(name="candidate", kind="string", text=_CANDIDATE_TEXT, required=True)
_PROPOSER = Parameter(
    name="proposer", kind="string", text="Your name, the same in every call; proposers take turns in the queue."
)

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            name="brief",
            text="Read first: what the study asks, what may be changed and how to send it, what is official, what was "
            "tried, the verdicts so far.",
            parameters=(_STUDY,),
            function=brief,
            tokens=3500,
            more="Ask result for one candidate. A person's full list: headway trials STUDY --json",
        ),
        Verb(
            name="propose",
            text="Claim an idea: queue a change to be run. Returns at once. What anybody proposed before is not run "
            "again: the answer says whose it is and what it gave.",
            parameters=(
                Parameter(name="config", kind="object", text="Values by parameter; those left out are the baseline's."),
                Parameter(
                    name="patch",
                    kind="string",
                    text="Repositories: a unified diff; or, with file, SEARCH/REPLACE blocks or its whole new text.",
                    longest=_LONGEST_PATCH,
                ),
                Parameter(name="file", kind="string", text="The file that patch is for, where it is no diff."),
                Parameter(name="parent", kind="string", text="The candidate that it changes; official if left out."),
                _STUDY,
                Parameter(name="note", kind="string", text="Your hypothesis: kept with the candidate."),
                _PROPOSER,
                Parameter(
                    name="token",
                    kind="string",
                    text="Your own name for this proposal: sent twice, queued once.",
                ),
            ),
            function=propose,
            tokens=1000,
            more="Ask result for this candidate.",
            reads_only=False,
        ),
        Verb(
            name="status",
            text="Where a study stands now: whether an engine runs and how to start one, what runs and waits, the "
            "budget left. Without a study, where there are several: a line for each.",
            parameters=(_STUDY,),
            function=status,
            tokens=1500,
            more="Name one study. In full: headway status STUDY --json",
        ),
        Verb(
            name="wait",
            text="Return as soon as there are new verdicts (in a study that ends: new results), or at the timeout. "
            "Pass the cursor of the last answer as since. With a candidate, wait for that one alone.",
            parameters=(
                Parameter(name="candidate", kind="string", text=_CANDIDATE_TEXT),
                Parameter(name="since", kind="string", text="The cursor of the last answer; left out: from now on."),
                Parameter(
                    name="timeout",
                    kind="number",
                    text=f"Seconds, 0 to {LONGEST_SECONDS:.0f}; {WAIT_SECONDS:.0f} if left out.",
                ),
                _STUDY,
            ),
            function=wait,
            tokens=1500,
            more="Ask result for one candidate, or brief for the newest and the best.",
        ),
        Verb(
            name="result",
            text="What a candidate gave: verdict, values by seed beside what it is held against, its diff, its curve "
            "in brief. With file: the text of that file.",
            parameters=(
                _CANDIDATE,
                _STUDY,
                Parameter(name="file", kind="string", text="Repositories: a file to read, as the candidate has it."),
                Parameter(name="offset", kind="integer", text="The character from which on: next_offset."),
            ),
            function=result,
            tokens=2500,
            more="With file: a whole file as the candidate has it. In full: headway show TRIAL --json",
            large={"file": FILE_TOKENS},
        ),
        Verb(
            name="compare",
            text="Two candidates side by side: what differs, values by seed, verdicts, curves in brief.",
            parameters=(
                Parameter(name="first", kind="string", text=_CANDIDATE_TEXT, required=True),
                Parameter(name="second", kind="string", text="Likewise.", required=True),
                _STUDY,
            ),
            function=compare,
            tokens=2000,
            more="Ask result for each. In full: headway compare TRIAL TRIAL --json",
        ),
        Verb(
            name="explain_failure",
            text="Why a candidate failed or was flagged: cause, place in its code, which others failed alike, and the "
            "end of what it printed, quoted as data.",
            parameters=(_CANDIDATE, _STUDY),
            function=explain_failure,
            tokens=2000,
            more="In full: headway logs TRIAL, with the trial's number.",
        ),
        Verb(
            name="promote",
            text="Ask that an accepted candidate becomes what others build on; a person confirms it. A study that "
            "stays open does so by itself.",
            parameters=(
                _CANDIDATE,
                _STUDY,
                Parameter(name="note", kind="string", text="Why."),
                _PROPOSER,
            ),
            function=promote,
            tokens=1000,
            more="Ask result for this candidate.",
            reads_only=False,
        ),
    )
}


def call(store: Store, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer one call: its arguments checked, its answer capped. `wait` waits here; servers use `Waiter`."""
    given = checked(name, arguments)
    return fitted(name, VERBS[name].function(store, **given), given)


def fitted(name: str, answer: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verb's answer to the arguments `given`, no larger than it may be."""
    verb = VERBS[name]
    tokens = max([verb.tokens, *(verb.large[key] for key in given if key in verb.large)])
    return capped(answer, tokens, verb.more)


def checked(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call, or raise `UsageError` that names what is unknown, missing or of another kind.

    A candidate may be given as a number, and null for what is left out.
    """
    if name not in VERBS:
        raise UsageError(f"There is no verb {name[:80]!r}. {suggestion(name[:80], VERBS)}")
    verb = VERBS[name]
    known = {item.name: item for item in verb.parameters}
    for key in arguments:
        if key not in known:
            hint = suggestion(str(key)[:80], known)
            raise UsageError(f"{name} has no argument {str(key)[:80]!r}. {hint}")
    given = {key: _coerced(known[key], value) for key, value in arguments.items() if value is not None}
    missing = [item.name for item in verb.parameters if item.required and item.name not in given]
    if missing:
        first = known[missing[0]]
        raise UsageError(f"{name} needs the argument {first.name!r}: {_EXPECTED[first.kind][0]}. {first.text}")
    return given


def _coerced(parameter: Parameter, value: Any) -> Any:
    if parameter.name in ("candidate", "first", "second", "parent") and type(value) is int:
        return str(value)
    words, kind = _EXPECTED[parameter.kind]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise UsageError(f"The argument {parameter.name!r} is {str(value)[:80]!r}. Expected {words}. {parameter.text}")
    if isinstance(value, str) and len(value) > parameter.longest:
        raise UsageError(
            f"The argument {parameter.name!r} has {len(value)} characters. At most {parameter.longest} "
            "are taken: shorten it."
        )
    return value
