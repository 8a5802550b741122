"""A model by script: it knows some edits of a packing, good and bad, and proposes one of those that fit the parent.

`complete(prompt, seed)` is all that a model is asked. It reads the parent's code in the prompt, so its proposals build
on what evolution kept. It says the same for the same prompt and seed, and needs no network.
"""

import random
import re

_FENCED = re.compile(r"^```[^\n`]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
_CURRENT = re.compile(r"^#+ *current program\b.*$", re.IGNORECASE | re.MULTILINE)

RINGS = """    points = [(0.5, 0.5)]
    for ring in range(1, 4):
        for place in range(8 * ring):
            angle = 2 * math.pi * place / (8 * ring)
            points.append((0.5 + 0.16 * ring * math.cos(angle), 0.5 + 0.16 * ring * math.sin(angle)))
    return points[:count]
"""
GRID = """    points = [((column + 0.5) / 5, (row + 0.5) / 5) for row in range(5) for column in range(5)]
    return [*points, (0.4, 0.4)][:count]
"""
ROWS = """    points = []
    for row, many in enumerate([5, 6, 5, 5, 5]):
        points += [((column + 0.5) / many, (row + 0.5) / 5) for column in range(many)]
    return points[:count]
"""
ANYWHERE = "    return [(draw.random(), draw.random()) for _ in range(count)]\n"
SHARED = """    sizes = [min(x, 1 - x, y, 1 - y) for x, y in points]
    for _sweep in range(SWEEPS):
        for i, first in enumerate(points):
            for j in range(i):
                room = math.dist(first, points[j])
                if sizes[i] + sizes[j] > room:
                    share = room / (sizes[i] + sizes[j])
                    sizes[i], sizes[j] = sizes[i] * share, sizes[j] * share
    return sizes
"""
GROWN = """    walls = [min(x, 1 - x, y, 1 - y) for x, y in points]
    rooms = [[math.dist(first, second) for second in points] for first in points]
    sizes = [min(wall, min(room for room in row if room > 0) / 2) for wall, row in zip(walls, rooms, strict=True)]
    for _sweep in range(SWEEPS):
        for i, row in enumerate(rooms):
            sizes[i] = min(walls[i], min(room - sizes[j] for j, room in enumerate(row) if j != i))
    return sizes
"""

# Each edit: what must stand in the parent, and what stands there afterwards. Which of these help is left open.
BETTER = [
    # where the circles begin
    (RINGS, GRID),
    (RINGS, ROWS),
    (GRID, ROWS),
    (ROWS, GRID),
    (ANYWHERE, GRID),
    (ANYWHERE, ROWS),
    (RINGS, ANYWHERE),
    # how the radii are found
    (SHARED, GROWN),
    # look for better places, and how long
    ("ROUNDS = 0\n", "ROUNDS = 100\n"),
    ("ROUNDS = 100\n", "ROUNDS = 300\n"),
    ("ROUNDS = 300\n", "ROUNDS = 800\n"),
    ("SWEEPS = 1\n", "SWEEPS = 3\n"),
    ("SWEEPS = 3\n", "SWEEPS = 1\n"),
    ("        step = STEP * (1 - _round / ROUNDS)\n", "        step = STEP * (1 - _round / ROUNDS) ** 2\n"),
    ("        step = STEP * (1 - _round / ROUNDS) ** 2\n", "        step = STEP * 0.01 ** (_round / ROUNDS)\n"),
]
WORSE = [
    # smaller circles, and a walk that takes what is worse
    ("    return sizes\n", "    return [0.9 * size for size in sizes]\n"),
    ("and sum(found) > sum(sizes):", "and sum(found) > sum(sizes) - 0.01:"),
]
BROKEN = [
    # overlap, too few, a name that is not there, a line that is no Python
    ("    return sizes\n", "    return [1.05 * size for size in sizes]\n"),
    ("for (x, y), size in zip(points, sizes, strict=True)]", "for (x, y), size in zip(points[1:], sizes)]"),
    ("        near = [*points]\n", "        near = relaxed(points)\n"),
    ("    points = centers(count, draw)\n", "    points = centers(count, draw\n"),
]
# From memory, and not of this file.
FORGOTTEN = ("while moved > 1e-6:", "while moved > 1e-9:")


def complete(prompt, seed):
    """Answer a prompt with SEARCH/REPLACE blocks."""
    draw, parent = random.Random(f"{seed}:{prompt}"), parent_of(prompt)
    kind = draw.random()
    if kind < 0.02:
        return _block(*FORGOTTEN)
    edits = BROKEN if kind < 0.15 else WORSE if kind < 0.35 else BETTER
    fitting = [edit for edit in edits if _place(parent, edit[0]) >= 0]
    if kind > 0.8 or not fitting:
        fitting = [_turned(draw, parent)]
    return _block(*_lines(parent, *draw.choice(fitting)))


def parent_of(prompt):
    """Return the first program with an EVOLVE-BLOCK that stands in fences, after a heading "Current program" if any."""
    begin = max((heading.end() for heading in _CURRENT.finditer(prompt)), default=0)
    for found in _FENCED.finditer(prompt, begin):
        if "EVOLVE-BLOCK-START" in found[1]:
            return found[1]
    raise ValueError(f"No program with an EVOLVE-BLOCK stands in this prompt of {len(prompt)} characters.")


def _turned(draw, parent):
    """Turn the length of the steps up or down."""
    line = re.search(r"^STEP = (\S+)\n", parent, re.MULTILINE)
    if line is None:
        raise ValueError("The parent has no line 'STEP = ...'.")
    return line[0], f"STEP = {float(line[1]) * draw.choice([0.4, 0.7, 1.4, 2.5]):.4g}\n"


def _place(parent, old):
    """Return where a text stands in the parent, or -1. One that is indented begins a line."""
    return parent.find("\n" + old) + 1 or -1 if old.startswith(" ") else parent.find(old)


def _lines(parent, old, new):
    """Return the whole lines that an edit touches, as they are and as they will be."""
    begin = _place(parent, old)
    end = begin + len(old.rstrip("\n"))
    first = parent.rfind("\n", 0, begin) + 1
    last = parent.find("\n", end)
    return parent[first:last], parent[first:begin] + new.rstrip("\n") + parent[end:last]


def _block(old, new):
    return f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"
