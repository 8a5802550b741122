"""All programs of an evolution, as far as the next proposal needs them: who descends from whom, what is believed of
their scores, what failed and why, what was there before in other words."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from headway.core import Direction
from headway.experiments.repositories import RepositoryExperiment
from headway.propose.evolve import Beliefs, Choice, Context, Dead, Program, choose, normal_form
from headway.store import CandidateRecord, Store

__all__ = ["Archive", "Member"]

_MOST_FILES = 256  # programs whose files are kept at hand
_CHILDREN, _DEAD, _BEST = 8, 6, 8
_OTHERS = 2
_ANCESTORS, _TRIED = 4, 16  # above a program, whose changes it is told of; and how many of these
_LONGEST = 160

_Item = TypeVar("_Item")


@dataclass(slots=True, kw_only=True)
class Member:
    """Hold one program: its candidate, its number, its parent's node, the idea, and its last children."""

    candidate: str
    number: int
    parent: int | None
    note: str
    proposer: str
    children: list[int]
    failed: str = ""


class Archive:
    """Know the programs of a study. Nothing here grows by more than a line or two for each."""

    def __init__(self, store: Store, experiment: RepositoryExperiment, task: str, *, turns: bool) -> None:
        self.beliefs = Beliefs()
        self._store = store
        self._experiment = experiment
        self._task = task
        self._turns = turns  # whether somebody asks for the values of knobs
        self._members: list[Member] = []
        self._nodes: dict[str, int] = {}
        self._files: OrderedDict[str, dict[str, str]] = OrderedDict()
        self._records: OrderedDict[str, CandidateRecord] = OrderedDict()
        self._forms: dict[str, str] = {}
        self._unread: list[str] = []  # candidates whose normal form is not known yet
        self._dead: OrderedDict[str, tuple[int, str]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._members)

    def enter(
        self,
        candidate: str,
        number: int,
        parent: str | None,
        note: str,
        *,
        proposer: str = "",
        form: str | None = None,
    ) -> None:
        """Take in a program that was proposed. One whose parent is not known descends from the first."""
        if candidate in self._nodes:
            return
        above = None if not self._members else self._nodes.get(parent or "", 0)
        node = self.beliefs.add(above)
        self._nodes[candidate] = node
        member = Member(candidate=candidate, number=number, parent=above, note=note, proposer=proposer, children=[])
        self._members.append(member)
        if above is not None:
            children = self._members[above].children
            children.append(node)
            del children[:-_CHILDREN]
        if form is None:
            self._unread.append(candidate)
        else:
            self._forms.setdefault(form, candidate)

    def scored(self, candidate: str, value: float) -> None:
        """Take in a score."""
        self.beliefs.observe(self._nodes[candidate], self._sign * value)

    def failed(self, candidate: str, why: str) -> None:
        """Take in that a program came to no score, and why."""
        member = self._members[self._nodes[candidate]]
        member.failed = _short(why)
        self.beliefs.kill(self._nodes[candidate])
        self._died(why, member.note)

    def drop(self, candidate: str) -> None:
        """Let nobody descend from a program any more, and believe its scores no longer."""
        self.beliefs.kill(self._nodes[candidate])

    def refused(self, parent: str, why: str, note: str) -> None:
        """Take in an answer about a parent that is no new program, so that the next one is told."""
        self.beliefs.refuse(self._nodes.get(parent, 0))
        self._died(why, note)

    def _died(self, why: str, note: str) -> None:
        text = _short(why)
        times, _ = self._dead.pop(text, (0, ""))
        self._dead[text] = (times + 1, _short(note))
        while len(self._dead) > _DEAD:
            self._dead.popitem(last=False)

    def proposer(self, candidate: str) -> str:
        """Return who proposed a program."""
        return self._members[self._nodes[candidate]].proposer

    def better(self, candidate: str) -> bool:
        """Tell whether a program is believed to be better than its parent."""
        return self.beliefs.improved(self._nodes[candidate])

    def known(self, form: str) -> str | None:
        """Return the candidate that has this normal form, if one has."""
        for candidate in self._unread:
            self._forms.setdefault(normal_form(self.files(candidate)), candidate)
        self._unread.clear()
        return self._forms.get(form)

    def runs(self, candidate: str) -> int:
        """Return how many scores a program has."""
        return self.beliefs.runs(self._nodes[candidate])

    def has(self, candidate: str) -> bool:
        """Tell whether a program is here."""
        return candidate in self._nodes

    def note(self, candidate: str) -> str:
        """Return the idea of a program; empty where it has none, or is not here."""
        node = self._nodes.get(candidate)
        return "" if node is None else self._members[node].note

    def choose(self, random: Random) -> Choice:
        """Return what to run next."""
        return choose(self.beliefs, random)

    def candidate(self, node: int) -> str:
        """Return the candidate of a node."""
        return self._members[node].candidate

    def best(self, count: int) -> list[str]:
        """Return the candidates that are believed to be the best."""
        return [self.candidate(node) for node in self.beliefs.best(count)]

    def record(self, candidate: str) -> CandidateRecord:
        """Return a candidate, from memory where it was asked for lately."""
        if candidate not in self._records:
            self._records[candidate] = self._store.studies.candidate(candidate)
        return _latest(self._records, candidate)

    def files(self, candidate: str) -> Mapping[str, str]:
        """Return the editable files as a candidate has them."""
        if candidate not in self._files:
            found = self.record(candidate)
            self._files[candidate] = {
                **self._experiment.sources,
                **self._experiment.files(found.config, found.files),
            }
        return _latest(self._files, candidate)

    def context(self, node: int, seed: int, random: Random) -> Context:
        """Return what a proposer is told about a parent."""
        member = self._members[node]
        best = [other for other in self.beliefs.best(_BEST) if other != node]
        others = sorted(random.sample(best, min(_OTHERS, len(best))), key=lambda other: -self.beliefs.mean(other))
        return Context(
            task=self._task,
            metric=self._experiment.metric,
            direction=self._direction,
            parent=self._program(node),
            others=[self._program(other) for other in others],
            dead=[Dead(why=why, times=times, note=note) for why, (times, note) in reversed(self._dead.items())],
            children=self._tried(node),
            knobs=self._experiment.layout.knobs(self.files(member.candidate)).values if self._turns else {},
            seed=seed,
        )

    @property
    def _direction(self) -> Direction:
        return self._experiment.direction

    @property
    def _sign(self) -> float:
        return 1.0 if self._direction == "maximize" else -1.0

    def _program(self, node: int) -> Program:
        member = self._members[node]
        return Program(
            number=member.number, files=self.files(member.candidate), score=self._score(node), note=member.note
        )

    def _score(self, node: int) -> str:
        runs = self.beliefs.runs(node)
        if not runs:
            return "not measured yet"
        value, sd = self._sign * self.beliefs.mean(node), self.beliefs.sd(node)
        sure = "" if self.beliefs.deterministic else f" ± {sd:.2g}"
        return f"{self._experiment.metric} {value:.6g}{sure} ({runs} run{'' if runs == 1 else 's'})"

    def _tried(self, node: int) -> list[str]:
        """Return what became of the last changes of a program, then of those of the ones that it descends from."""
        found: list[str] = []
        below = -1
        for _ in range(1 + _ANCESTORS):
            member = self._members[node]
            found += [
                text for child in reversed(member.children) if child != below and (text := self._told(child, node))
            ]
            if member.parent is None:
                break
            below, node = node, member.parent
        return found[:_TRIED]

    def _told(self, child: int, parent: int) -> str:
        member = self._members[child]
        if member.failed:
            return f"{member.note or 'no words'}: {member.failed}"
        if not self.beliefs.runs(child):
            return ""
        gain = self.beliefs.mean(child) - self.beliefs.mean(parent)
        if gain == float("-inf"):
            return f"{member.note or 'no words'}: far worse"
        return f"{member.note or 'no words'}: {'better' if gain > 0 else 'worse'} by {abs(gain):.3g}"


def _latest(items: "OrderedDict[str, _Item]", key: str) -> "_Item":
    """Return an item as the last that was asked for, and forget those that nobody asked for lately."""
    items.move_to_end(key)
    while len(items) > _MOST_FILES:
        items.popitem(last=False)
    return items[key]


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
