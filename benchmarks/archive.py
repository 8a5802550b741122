"""Which archive an evolution should have: one tree of beliefs, islands, cells, crossover, elites; and who to ask.

Simulated, as thousands of evolutions are needed: a program is a set of ideas, whose effects add up, and a run adds
noise as large as the typical gain (the noisy task of `evolve`, without programs). The beliefs and the selection are
Headway's own. So that nothing is tuned to one kind of effects, the tree is held against elites in others too.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from benchmarks.runner import Context, Result, Row, Sample, Table, Target, at_least, at_most, benchmark
from headway.propose.evolve import Beliefs, choose

_TRIALS, _SEEDS, _RESERVE, _REPEATS = (60, 300), 5, 4, 100
_HELPFUL, _NEUTRAL = 0.15, 0.35
_ISLANDS, _MIGRATION = 4, 25
_CELL = 2  # ideas to a cell
_CROSSOVERS = 0.2
_WEAK = 0.03  # of a second model's ideas that help
_LEAST_OF_60 = 4.6  # a tree of normal effects, parents drawn by Thompson sampling, came to 3.9 (standard error 0.2)

Search = Callable[[Random, int], float]


@dataclass(slots=True)
class _World:
    """Hold the ideas of all programs, their true values, and how the budget is spent."""

    random: Random
    left: int
    noise: float = 1.0
    draw: Callable[[Random], float] | None = None  # an effect, where it is none of the noisy task's
    effects: dict[int, float] = field(default_factory=dict[int, float])

    def idea(self, helpful: float = _HELPFUL) -> int:
        """Draw a new idea."""
        number = len(self.effects)
        self.effects[number] = _effect(self.random, helpful) if self.draw is None else self.draw(self.random)
        return number

    def value(self, program: frozenset[int]) -> float:
        """Return what a program is worth."""
        return sum(self.effects[idea] for idea in program)

    def score(self, program: frozenset[int]) -> float:
        """Run a program once."""
        self.left -= 1
        return self.value(program) + self.random.gauss(0, self.noise)


def _effect(random: Random, helpful: float = _HELPFUL) -> float:
    kind, gain, harm = random.random(), random.expovariate(1), -random.expovariate(1)
    return gain if kind < helpful else 0.0 if kind < helpful + _NEUTRAL else harm


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


class _Tree:
    """Hold one tree of programs and what is believed of it."""

    def __init__(self, world: _World, seeds: int) -> None:
        self.world, self.beliefs, self.programs = world, Beliefs(), [frozenset[int]()]
        self.beliefs.add(None)
        for _ in range(seeds):
            self.beliefs.observe(0, world.score(frozenset()))

    def add(self, parent: int, program: frozenset[int]) -> None:
        """Run a new program once."""
        node = self.beliefs.add(parent)
        self.programs.append(program)
        self.beliefs.observe(node, self.world.score(program))

    def again(self, node: int) -> None:
        """Run a program once more."""
        self.beliefs.observe(node, self.world.score(self.programs[node]))

    def step(self, *, crossovers: float = 0.0) -> None:
        """Run what the selection wants."""
        choice = choose(self.beliefs, self.world.random)
        if choice.kind == "again":
            self.again(choice.node)
            return
        parent = self.programs[choice.node]
        if self.world.random.random() < crossovers:
            other = self.programs[choose(self.beliefs, self.world.random).node]
            if not other <= parent:
                self.add(choice.node, parent | other)
                return
        self.add(choice.node, parent | {self.world.idea()})

    @property
    def best(self) -> int:
        """Return who is believed to be the best."""
        return self.beliefs.best(1)[0]


@benchmark("an archive: one tree of beliefs is worth more than elites, islands or cells; a bandit over models pays")
def run(context: Context) -> Result:
    """Simulate evolutions with each archive, and with two models of which one is better."""
    repeats = context.pick(_REPEATS, 6)
    tables: list[Table] = []
    targets: dict[str, Target] = {}
    figures: dict[str, float | None] = {}
    for trials in _TRIALS:
        context.say(f"{trials} trials, {repeats} evolutions with each archive")
        found = {name: _values(search, trials, repeats) for name, search in _ARCHIVES.items()}
        title = f"True value of the best of {trials} trials, the first program's 0, mean of {repeats}"
        rows = [
            Row(name=name, samples=[Sample(statistics.fmean(values))], note=_error(values), ours=name == "tree")
            for name, values in found.items()
        ]
        tables.append(Table(title=title, unit="sds of noise", rows=rows))
        means = {name: statistics.fmean(values) for name, values in found.items()}
        figures |= {f"{name.replace(' ', '_')}_of_{trials}": value for name, value in means.items()}
        targets[f"tree_less_elites_of_{trials}"] = at_least(means["tree"] - means["elites"], 0.0)
        for other in ("islands", "cells", "tree with crossover"):
            limit = 2 * _spread(found[other], found["tree"])
            targets[f"{other.replace(' ', '_')}_gain_of_{trials}"] = at_most(means[other] - means["tree"], limit)
        if trials == _TRIALS[-1]:  # before that it has seen too little of either
            gain = means["bandit over two models"] - means["two models in turns"]
            targets[f"bandit_over_two_models_gain_of_{trials}"] = at_least(gain, 0.0)
    targets["tree_of_60"] = at_least(figures["tree_of_60"], _LEAST_OF_60)
    elsewhere, more = _elsewhere(context, repeats)
    return Result(tables=(*tables, elsewhere), figures=figures, targets=targets | more)


def _elsewhere(context: Context, repeats: int) -> tuple[Table, dict[str, Target]]:
    """Hold the tree against elites where effects, or the noise, are of other kinds."""
    trials, rows = _TRIALS[0], list[Row]()
    targets: dict[str, Target] = {}
    for name, (noise, draw) in _WORLDS.items():
        context.say(f"{name}: {trials} trials")
        tree = _values(partial(_tree, noise=noise, draw=draw), trials, repeats)
        elites = _values(partial(_elites, noise=noise, draw=draw), trials, repeats)
        for search, values in (("tree", tree), ("elites", elites)):
            row = Row(name=f"{name}, {search}", samples=[Sample(statistics.fmean(values))], note=_error(values))
            rows.append(row)
        gain = statistics.fmean(tree) - statistics.fmean(elites)
        targets[f"tree_less_elites_where_{name.replace(' ', '_')}"] = at_least(gain, 0.0)
    return Table(title=f"The same of {trials} trials, in other worlds", unit="mean gains", rows=rows), targets


def _values(search: Search, trials: int, repeats: int) -> list[float]:
    return [search(Random(f"{trials} {repeat}"), trials) for repeat in range(repeats)]


def _error(values: list[float]) -> str:
    return f"± {statistics.stdev(values) / len(values) ** 0.5:.2g} (standard error)"


def _spread(*groups: list[float]) -> float:
    return sum(statistics.variance(values) / len(values) for values in groups) ** 0.5


def _tree(
    random: Random,
    trials: int,
    *,
    crossovers: float = 0.0,
    noise: float = 1.0,
    draw: Callable[[Random], float] | None = None,
) -> float:
    world = _World(random, trials - _RESERVE, noise, draw)
    tree = _Tree(world, _SEEDS)
    while world.left > 0:
        tree.step(crossovers=crossovers)
    return world.value(tree.programs[tree.best])


def _elites(random: Random, trials: int, *, noise: float = 1.0, draw: Callable[[Random], float] | None = None) -> float:
    """Keep every program with its one score; draw parents from the best 30 mostly, else from all."""
    world = _World(random, trials, noise, draw)
    programs = [(world.score(frozenset()), frozenset[int]())]
    while world.left > 0:
        best = sorted(programs, key=lambda item: -item[0])[:30]
        _, parent = random.choice(best if random.random() < 0.7 else programs)
        program = parent | {world.idea()}
        programs.append((world.score(program), program))
    return world.value(max(programs, key=lambda item: item[0])[1])


def _islands(random: Random, trials: int) -> float:
    """Grow trees apart from one another, and let the best of each move on in turns."""
    world = _World(random, trials - _RESERVE)
    trees = [_Tree(world, 2) for _ in range(_ISLANDS)]
    steps = 0
    while world.left > 0:
        trees[steps % _ISLANDS].step()
        steps += 1
        if steps % _MIGRATION == 0:
            source = (steps // _MIGRATION) % _ISLANDS
            tree, target = trees[source], trees[(source + 1) % _ISLANDS]
            target.add(0, tree.programs[tree.best])
    best = max(trees, key=lambda tree: tree.beliefs.mean(tree.best))
    return world.value(best.programs[best.best])


def _cells(random: Random, trials: int) -> float:
    """Keep the best of each size (MAP-Elites), and draw a cell before a parent."""
    world = _World(random, trials - _RESERVE)
    tree = _Tree(world, _SEEDS)
    while world.left > 0:
        cells: dict[int, int] = {}
        for node in tree.beliefs.best(len(tree.beliefs)):
            cells.setdefault(len(tree.programs[node]) // _CELL, node)
        parent = random.choice(list(cells.values()))
        tree.add(parent, tree.programs[parent] | {world.idea()})
    return world.value(tree.programs[tree.best])


def _two_models(random: Random, trials: int, *, bandit: bool) -> float:
    """Ask two models, of which the second one is weak: in turns, or by how often their children were better."""
    world = _World(random, trials - _RESERVE)
    tree = _Tree(world, _SEEDS)
    models, turn = [(_HELPFUL, [1.0, 1.0]), (_WEAK, [1.0, 1.0])], 0
    while world.left > 0:
        choice = choose(tree.beliefs, random)
        if choice.kind == "again":
            tree.again(choice.node)
            continue
        drawn = [random.betavariate(*counts) for _, counts in models]
        index = drawn.index(max(drawn)) if bandit else turn % 2
        turn += 1
        helpful, counts = models[index]
        tree.add(choice.node, tree.programs[choice.node] | {world.idea(helpful)})
        better = tree.beliefs.improved(len(tree.beliefs) - 1)
        counts[0 if better else 1] += 1
    return world.value(tree.programs[tree.best])


_ARCHIVES: dict[str, Search] = {
    "tree": _tree,
    "elites": _elites,
    "islands": _islands,
    "cells": _cells,
    "tree with crossover": partial(_tree, crossovers=_CROSSOVERS),
    "two models in turns": partial(_two_models, bandit=False),
    "bandit over two models": partial(_two_models, bandit=True),
}

_WORLDS: dict[str, tuple[float, Callable[[Random], float]]] = {
    "gains are rare": (1.0, partial(_effect, helpful=0.05)),
    "gains are common": (1.0, partial(_effect, helpful=0.3)),
    "effects are normal": (1.0, lambda random: random.gauss(-0.4, 0.8)),
    "effects have heavy tails": (1.0, lambda random: _sign(_effect(random)) * random.lognormvariate(-0.5, 1)),
    "three in five break": (1.0, lambda random: -1000.0 if random.random() < 0.6 else _effect(random)),
    "noise is thrice the gain": (3.0, _effect),
    "there is no noise": (0.0, _effect),
}
