"""A model by script for `examples/autoresearch`: it proposes structure, and never turns a constant.

`complete(prompt, seed)` is all that a model is asked. It reads the parent's train.py in the prompt and answers with
SEARCH/REPLACE blocks that put one of its ideas there, so that proposals build on what evolution kept. Some ideas help,
some do nothing, some harm, and some are broken; it cannot tell which is which. It says the same for the same prompt and
seed, and needs no network. structure_ideas/ holds them.

    python structures.py train.py           # which ideas fit a program
    python structures.py train.py NAME      # the program with one of them
"""

import difflib
import importlib.util
import random
import re
import sys
from pathlib import Path


def _ideas():
    """Load the folder beside this file; it is on nobody's path where Headway loads the function."""
    folder = Path(__file__).with_name("structure_ideas")
    spec = importlib.util.spec_from_file_location(
        folder.name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[folder.name] = module
    spec.loader.exec_module(module)
    return module


_known = _ideas()
IDEAS, OPENINGS, PLACES, COUNTED = _known.IDEAS, _known.OPENINGS, _known.PLACES, _known.COUNTED

_PARENT = re.compile(r"^# train\.py\n(`{3,})[^\n]*\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)


def complete(prompt, seed):
    """Answer a prompt: an idea in a line, and the blocks that put it into the parent."""
    parent = parent_of(prompt)
    for idea in random.Random(seed).sample(IDEAS, len(IDEAS)):
        child = applied(idea, parent)
        if child is not None:
            return f"Idea: {idea.says}\n\ntrain.py\n{blocks(parent, child)}"
    return "Every idea stands in this program already, or does not fit it."


def parent_of(prompt):
    """Return train.py as the prompt gives it: the first one is the parent's."""
    found = _PARENT.search(prompt)
    if found is None:
        raise ValueError(f"No train.py stands between fences in this prompt of {len(prompt)} characters.")
    return found[2]


def applied(idea, source):
    """Return the source with an idea in it, or None where it is there already or does not fit."""
    if any(mark in source for mark in idea.marks) or any(text not in source for text in idea.needs):
        return None
    for place, text in idea.adds:
        source = _added(source, place, text)
        if source is None:
            return None
    for old, new in idea.swaps:
        source = _opened(source, old)
        if source.count(old) != 1:
            return None
        source = source.replace(old, new)
    return source.replace(*COUNTED) if "table_" in source else source


def _added(source, place, text):
    """Insert lines at a place: after its line, or before it; None where the program has no such line any more."""
    if place == "import" and text in source:
        return source
    side, line = PLACES[place]
    source = _opened(source, line)
    found = re.search("^" + re.escape(line).replace(re.escape("*"), ".*") + "\n", source, re.MULTILINE)
    if found is None:
        return None
    at = found.end() if side == "after" else found.start()
    return source[:at] + text.lstrip("\n") + source[at:]


def _opened(source, line):
    """Split a line of the first program that does several things at once, where one of its parts is looked for."""
    for closed, opened in OPENINGS:
        if closed in source and line.rstrip("*").strip() in opened:
            source = source.replace(closed, opened)
    return source


def blocks(old, new):
    """Return SEARCH/REPLACE blocks that turn one text into another; each has lines around it, until it is unique."""
    before, after = old.splitlines(), new.splitlines()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for context in range(2, len(before)):
        groups = list(matcher.get_grouped_opcodes(context))
        parts = [(before[g[0][1] : g[-1][2]], after[g[0][3] : g[-1][4]]) for g in groups]
        if all(f"\n{old}".count("\n" + "\n".join(search) + "\n") == 1 for search, _ in parts):
            break
    else:
        parts = [(before, after)]
    return "".join(
        "<<<<<<< SEARCH\n" + "\n".join(search) + "\n=======\n" + "\n".join(replace) + "\n>>>>>>> REPLACE\n"
        for search, replace in parts
    )


def main(path, name=None):
    """Say which ideas fit a program, or print it with one of them."""
    source = Path(path).read_text()
    for idea in IDEAS:
        child = applied(idea, source)
        if name is None and child is not None:
            print(f"{idea.name:<18} {idea.says}")
        elif name == idea.name:
            print(child or f"{name} is there already, or does not fit.", end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
