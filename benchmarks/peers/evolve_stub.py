"""Models without a model: pure functions from a prompt to an answer, the same for every contestant of `evolve`.

They find the parent in any tool's prompt, and answer as the prompt asks: SEARCH/REPLACE blocks where it shows or names
them, else the whole file. An answer hangs only on the prompt, the seed and the call's name, so a contestant that makes
the same prompts gets the same answers. `trivial` changes one number; `known_effects` adds one idea to a recipe.
"""

import random
import re
from collections.abc import Callable
from functools import partial

__all__ = ["MODELS", "Model", "NoParent", "parent_of"]

Model = Callable[[str, int, str], str]
"""Answers (prompt, seed, call); `call` names the call, such as "3", and where workers count for themselves "2-3"."""

IDEAS = 10_000

_HEADING = re.compile(r"^#+ *current program\b.*$", re.IGNORECASE | re.MULTILINE)
_FENCED = re.compile(r"^```[^\n`]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"EVOLVE-BLOCK-START[^\n]*\n(.*?)^[^\n]*EVOLVE-BLOCK-END", re.DOTALL | re.MULTILINE)
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
_RECIPE = re.compile(r"^IDEAS = \[([\d, ]*)\]$", re.MULTILINE)


class NoParent(ValueError):
    """Say that a prompt shows no program with an EVOLVE-BLOCK."""


def parent_of(prompt: str) -> str:
    """Return the program that a prompt asks to change.

    It stands in fences: the first with an EVOLVE-BLOCK after the last heading "Current program" (OpenEvolve, Shinka),
    or without such a heading the first of all (Headway).
    """
    headings = [found.end() for found in _HEADING.finditer(prompt)]
    for begin in (*headings[-1:], 0):
        for found in _FENCED.finditer(prompt, begin):
            if _BLOCK.search(found[1]):
                return found[1]
    raise NoParent(f"No program with an EVOLVE-BLOCK stands in this prompt of {len(prompt)} characters.")


def _trivial(prompt: str, seed: int, call: str) -> str:
    draw, parent = _begin(prompt, seed, call)
    begin, block = _block(parent)
    numbers = list(_NUMBER.finditer(block))
    chosen = draw.choice(numbers)
    new = f"{float(chosen[0]) + draw.gauss(0, 10):.6f}"
    return _answer(prompt, parent, (begin + chosen.start(), begin + chosen.end()), new, "change_a_number")


def _known_effects(prompt: str, seed: int, call: str) -> str:
    draw, parent = _begin(prompt, seed, call)
    begin, block = _block(parent)
    recipe = _RECIPE.search(block)
    if recipe is None:
        raise NoParent("The parent has no line 'IDEAS = [...]' of whole numbers.")
    ideas = [int(idea) for idea in recipe[1].split(",") if idea.strip()]
    ideas.append(next(idea for idea in iter(partial(draw.randrange, IDEAS), None) if idea not in ideas))
    text = ", ".join(map(str, ideas))
    return _answer(prompt, parent, (begin + recipe.start(1), begin + recipe.end(1)), text, "add_an_idea")


def _spoiled(line: str, calls: frozenset[str], prompt: str, seed: int, call: str) -> str:
    """Change the last number; on some calls, and on no others, the new program ends in a line that hangs or raises.

    So whatever goes wrong after a spoiled program is the tool's doing, and not inherited.
    """
    draw, parent = _begin(prompt, seed, call)
    begin, block = _block(parent)
    kept = block.rstrip("\n").removesuffix(f"\n{line}")
    number = list(_NUMBER.finditer(kept))[-1]
    new = kept[: number.start()] + f"{float(number[0]) + draw.gauss(0, 10):.6f}" + kept[number.end() :]
    if call.rpartition("-")[2] in calls:
        new += f"\n{line}"
    place = begin + number.start(), begin + len(block.rstrip("\n"))
    return _answer(prompt, parent, place, new[number.start() :], "change_the_last_number")


MODELS: dict[str, Model] = {
    "trivial": _trivial,
    "known_effects": _known_effects,
    # The fourth answer makes a program that never ends, or one that always raises. (Where workers count for themselves:
    # the fourth of each.)
    "hangs": partial(_spoiled, "__import__('time').sleep(1e6)", frozenset({"3"})),
    "crashes": partial(_spoiled, "raise RuntimeError('this always fails')", frozenset({"3"})),
}


def _begin(prompt: str, seed: int, call: str) -> tuple[random.Random, str]:
    return random.Random(f"{seed}:{call}:{prompt}"), parent_of(prompt)


def _block(parent: str) -> tuple[int, str]:
    """Return where the program's first EVOLVE-BLOCK begins, and its text."""
    found = _BLOCK.search(parent)
    assert found is not None
    return found.start(1), found[1]


def _answer(prompt: str, parent: str, place: tuple[int, int], new: str, name: str) -> str:
    """Replace a place of the parent, in the form that the prompt asks for. A block holds the lines around the place."""
    begin, end = place
    first = parent.rfind("\n", 0, begin) + 1
    last = parent.find("\n", end)
    old_lines, new_lines = parent[first:last], parent[first:begin] + new + parent[end:last]
    if "SEARCH/REPLACE" in prompt or "<<<<<<< SEARCH" in prompt:
        text = f"<<<<<<< SEARCH\n{old_lines}\n=======\n{new_lines}\n>>>>>>> REPLACE\n"
        tag = "DIFF"
    else:
        text = f"```python\n{parent[:first]}{new_lines}{parent[last:]}```\n"
        tag = "CODE"
    if "<NAME>" not in prompt:
        return text
    return f"<NAME>\n{name}\n</NAME>\n\n<DESCRIPTION>\nOne small change.\n</DESCRIPTION>\n\n<{tag}>\n{text}\n</{tag}>\n"
