"""A model by script: it knows some edits of a search, good and bad, and proposes one of those that fit the parent.

`complete(prompt, seed)` is all that a model is asked. It reads the parent's code in the prompt, so its proposals build
on what evolution kept. It says the same for the same prompt and seed, and needs no network.
"""

import random
import re

_FENCED = re.compile(r"^```[^\n`]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
_CURRENT = re.compile(r"^#+ *current program\b.*$", re.IGNORECASE | re.MULTILINE)

ANYWHERE = "        x, y = draw.uniform(low, high), draw.uniform(low, high)\n"
NEAR = """        if _look < looks // 3:
            x, y = draw.uniform(low, high), draw.uniform(low, high)
        else:
            x, y = draw.gauss(best[0], SPREAD), draw.gauss(best[1], SPREAD)
            x, y = min(max(x, low), high), min(max(y, low), high)
"""
NARROWING = (
    "            x, y = draw.gauss(best[0], SPREAD), draw.gauss(best[1], SPREAD)\n",
    "            near = SPREAD * (1 - _look / looks)\n"
    "            x, y = draw.gauss(best[0], near), draw.gauss(best[1], near)\n",
)

# Each edit: what must stand in the parent, and what stands there afterwards. Which of these help is left open.
BETTER = [
    (ANYWHERE, NEAR),
    NARROWING,
    # how much of the run looks everywhere
    ("if _look < looks // 3:", "if _look < looks // 2:"),
    ("if _look < looks // 3:", "if _look < looks // 6:"),
    ("if _look < looks // 2:", "if _look < looks // 3:"),
    # squares of equal size, one look in each
    (
        "            x, y = draw.uniform(low, high), draw.uniform(low, high)\n",
        "            row, column = divmod(_look % 49, 7)\n"
        "            x = low + (high - low) * (row + draw.random()) / 7\n"
        "            y = low + (high - low) * (column + draw.random()) / 7\n",
    ),
    # narrow faster
    ("near = SPREAD * (1 - _look / looks)\n", "near = SPREAD * (1 - _look / looks) ** 2\n"),
    ("near = SPREAD * (1 - _look / looks) ** 2\n", "near = SPREAD * (1 - _look / looks) ** 3\n"),
]
WORSE = [
    # half of the looks, the middle only, no memory of the best
    ("for _look in range(looks):", "for _look in range(looks // 2):"),
    ("for _look in range(looks // 2):", "for _look in range(looks):"),
    (ANYWHERE, "        x, y = draw.gauss(0, SPREAD), draw.gauss(0, SPREAD)\n"),
    ("        if found < lowest:\n", "        if found < lowest or draw.random() < 0.2:\n"),
]
BROKEN = [
    # too many looks, outside of the square, a name that is not there, a line that is no Python
    ("for _look in range(looks):", "for _look in range(2 * looks):"),
    ("    return best\n", "    return best[0] + 2 * high, best[1]\n"),
    ("        found = height(x, y)\n", "        found = height(x, y) + penalty(x, y)\n"),
    ("        if found < lowest:\n", "        if found < lowest\n"),
]
# From memory, and not of this file.
FORGOTTEN = ("for step in range(max_steps):", "for step in range(2 * max_steps):")


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
    """Turn the one knob up or down."""
    line = re.search(r"^SPREAD = (\S+)\n", parent, re.MULTILINE)
    if line is None:
        raise ValueError("The parent has no line 'SPREAD = ...'.")
    return line[0], f"SPREAD = {float(line[1]) * draw.choice([0.5, 0.7, 1.4, 2.0]):.4g}\n"


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
