import ast
import collections
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.propose.evolve import normal_form


def form(text, path="a.py"):
    return normal_form({path: text})


PROGRAM = '''"""What it is."""
import math


def search(items, weight=2.0):
    """Do it."""
    # a comment
    best, found = None, 0.0
    for item in items:
        value = math.sqrt(item) * weight
        if value > found:
            best, found = item, value
    squares = [entry * entry for entry in items if entry]
    return best, max(squares, key=lambda square: -square)


class Holder:
    """Hold."""

    size = 3

    def grow(self):
        step = self.size + 1
        self.size = step
        return step
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("item", "thing"),
        ("found", "lowest"),
        ("entry", "e"),
        ("step", "s"),
        ('"""Do it."""', '"""Do it well."""'),
        ('    """Do it."""\n', ""),
        ('"""What it is."""\n', ""),
        ("    # a comment\n", "\n\n"),
        ("best, found = None, 0.0", "(best, found) = (None, 0.0)"),
        ("math.sqrt(item) * weight", "(math.sqrt(\n            item) * weight)"),
        ("2.0", "2.00"),
    ],
)
def test_other_words_are_the_same_program(old, new):
    assert old in PROGRAM
    if old == "item":
        changed = (
            PROGRAM.replace("for item in", "for thing in").replace("(item)", "(thing)").replace("= item", "= thing")
        )
    else:
        changed = PROGRAM.replace(old, new)
    assert changed != PROGRAM
    assert form(changed) == form(PROGRAM)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2.0", "2"),
        ("0.0", "0.1"),
        ("None", "False"),
        ("weight=2.0", "heavy=2.0"),
        ("sqrt", "exp"),
        ("import math", "import cmath as math"),
        (">", ">="),
        ("* weight", "+ weight"),
        ("self.size = step", "self.length = step"),
        ("size = 3", "length = 3"),
        ("if entry", "if not entry"),
        ("-square", "square"),
        ("def grow", "def shrink"),
        ("best, found = item, value", "found, best = item, value"),
        ("return best, max", "return found, max"),
        ("class Holder", "class Keeper"),
    ],
)
def test_any_other_change_is_another_program(old, new):
    assert old in PROGRAM
    assert form(PROGRAM.replace(old, new, 1)) != form(PROGRAM)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # what an inner scope binds is not what the outer one reads
        ("def f():\n def g():\n  x=1\n  return x\n return x", "def f():\n def g():\n  y=1\n  return y\n return y"),
        ("def f():\n [x for x in (1,)]\n return x", "def f():\n [y for y in (1,)]\n return y"),
        ("def f():\n class A:\n  x=1\n return x", "def f():\n class A:\n  y=1\n return y"),
        ("def f():\n lambda x: 0\n return x", "def f():\n lambda y: 0\n return y"),
        # an argument hides an outer name, and a definition is none of the assignments
        ("def f():\n x=1\n def g(x): return x\n return g", "def f():\n y=1\n def g(x): return y\n return g"),
        ("def f():\n x=1\n return lambda x: x", "def f():\n y=1\n return lambda x: y"),
        ("def f():\n x=1\n def x(): pass\n return x", "def f():\n y=1\n def x(): pass\n return y"),
        ("def f():\n x=1\n import x\n return x", "def f():\n y=1\n import x\n return y"),
        ("def f():\n x=1\n import x.y\n return x", "def f():\n z=1\n import x.y\n return z"),
        ("def f():\n x=1\n class x: pass\n return x", "def f():\n y=1\n class x: pass\n return y"),
        ("def f(v):\n x=1\n match v:\n  case [x]: pass\n return x", "def f(v):\n y=1\n match v:\n  case [x]: pass\n return y"),  # noqa: E501
        ("def f(v):\n x=1\n match v:\n  case {**x}: pass\n return x", "def f(v):\n y=1\n match v:\n  case {**x}: pass\n return y"),  # noqa: E501
        ("def f():\n x=1\n try: g()\n except E as x: pass\n return x", "def f():\n y=1\n try: g()\n except E as x: pass\n return y"),  # noqa: E501
        # globals are seen by everybody, attributes by those who hold the object
        ("def f():\n global x\n x=1", "def f():\n global y\n y=1"),
        ("def f():\n global x\n x=1", "def f():\n x=1"),
        ("def f():\n class A:\n  x=1\n return A", "def f():\n class A:\n  y=1\n return A"),
        ("x = 1", "y = 1"),
        # a class body reads its own names, its methods do not
        ("def f():\n x=1\n class A:\n  x=2\n  z=x\n return A", "def f():\n y=1\n class A:\n  x=2\n  z=y\n return A"),
        # what sees names while it runs
        ("def f():\n x=1\n return locals()", "def f():\n y=1\n return locals()"),
        ("def f():\n x=1\n return eval('x')", "def f():\n y=1\n return eval('x')"),
        ("def f():\n 'a'\nprint(f.__doc__)", "def f():\n 'b'\nprint(f.__doc__)"),
        ("import inspect\ndef f(): pass\ninspect.getsource(f)", "import inspect\ndef f(): pass #\ninspect.getsource(f)"),  # noqa: E501
        # a class makes another name of one with two underscores
        ("def f():\n __x=1\n class A:\n  def g(self): return __x\n return A", "def f():\n y=1\n class A:\n  def g(self): return y\n return A"),  # noqa: E501
        ("def f():\n x=1\n del x\n return x", "def f():\n x=1\n return x"),
        ("def f():\n x: int = 1\n return x", "def f():\n x: str = 1\n return x"),
        ("def f():\n x=0\n def g():\n  nonlocal x\n  x=1\n g()\n return x", "def f():\n x=0\n def g():\n  x=1\n g()\n return x"),  # noqa: E501
    ],
)  # fmt: skip
def test_programs_that_differ_never_look_equal(one, other):
    assert form(one) != form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f():\n x=0\n def g():\n  nonlocal x\n  x=1\n g()\n return x", "def f():\n y=0\n def g():\n  nonlocal y\n  y=1\n g()\n return y"),  # noqa: E501
        ("def f(s):\n return [x+y for x in s for y in x]", "def f(s):\n return [a+b for a in s for b in a]"),
        ("def f(s):\n if (n := len(s)) > 1: return n", "def f(s):\n if (m := len(s)) > 1: return m"),
        ("def f(s):\n return [y := x for x in s], y", "def f(s):\n return [w := x for x in s], w"),
        ("async def f(s):\n async for x in s: yield x", "async def f(s):\n async for y in s: yield y"),
        ("def f(p):\n with open(p) as x: return x.read()", "def f(p):\n with open(p) as y: return y.read()"),
        ("def f(m):\n m.eval()\n x = 1\n return x", "def f(m):\n m.eval()\n y = 1\n return y"),
    ],
)  # fmt: skip
def test_local_names_of_all_kinds_are_renamed(one, other):
    assert form(one) == form(other)


def test_text_that_is_no_python_counts_byte_by_byte():
    assert form("x =", "a.py") != form("x = ", "a.py")
    assert form("a b", "a.txt") != form("a  b", "a.txt")
    assert form("\0") != form("")
    assert form("(" * 5000) != form("(" * 5001)
    assert form("x = " + "1+" * 20_000 + "1")  # deeper than Python's recursion
    assert form("x = 1" + "0" * 5000)


def test_doubtful_escapes_of_proposed_code_warn_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert form('x = "\\d"\ny = 1 is 1')


def test_the_place_of_a_file_counts():
    assert normal_form({"a.py": "x=1", "b.py": "y=1"}) != normal_form({"b.py": "x=1", "a.py": "y=1"})


# Small programs of nested scopes over two names, so that collisions are many.
names = st.sampled_from(["x", "y"])
reads = st.recursive(
    names,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: f"({two[0]}, {two[1]})"),
        st.tuples(inner, names, names).map(lambda three: f"[{three[0]} for {three[1]} in ({three[2]},)]"),
        st.tuples(names, inner).map(lambda two: f"(lambda {two[0]}: {two[1]})(7)"),
        st.tuples(names, inner).map(lambda two: f"({two[0]} := {two[1]})"),
    ),
    max_leaves=3,
)


@st.composite
def bodies(draw, depth=0, kind="function"):
    lines = []
    if kind == "function" and depth and draw(st.booleans()) and draw(st.booleans()):
        lines.append(f"{draw(st.sampled_from(['global', 'nonlocal']))} {draw(names)}")
    for _ in range(draw(st.integers(1, 3))):
        what = draw(st.sampled_from(["assign", "assign", "record", "def", "class", "for", "del", "except"]))
        name = draw(names)
        if what == "assign":
            lines.append(f"{name} = {draw(st.sampled_from(['1', '2']))}")
        elif what == "record":
            lines.append(f"seen.append({draw(reads)})")
        elif what == "for":
            lines.append(f"for {name} in (3,): pass")
        elif what == "del":
            lines.append(f"del {name}")
        elif what == "except":
            lines += ["try: 1 / 0", f"except ZeroDivisionError as {name}: pass"]
        elif depth < 2:
            argument = draw(st.sampled_from(["", "x", "y=x", "x=5"])) if what == "def" else ""
            inner = draw(bodies(depth + 1, "function" if what == "def" else "class"))
            head = (
                f"def {draw(st.sampled_from(['g', 'x']))}({argument}):"
                if what == "def"
                else f"class {draw(st.sampled_from(['K', 'y']))}:"
            )
            lines += [head, *(f" {line}" for line in inner)]
            if what == "def":
                lines.append(f"{head[4 : head.index('(')]}({'4' if argument == 'x' else ''})")
    return lines


def behaviour(text):
    seen = []
    values = {"seen": seen, "x": "global x", "y": "global y"}
    try:
        exec(compile(text, "a.py", "exec"), values)
        end = "ended"
    except Exception as error:
        end = type(error).__name__
    return (
        repr([str(item) if callable(item) else item for item in seen]).split(" at 0x")[0],
        end,
        values.get("x") == "global x",
    )


@given(st.lists(bodies(), min_size=12, max_size=40))
@settings(max_examples=50, deadline=None)
def test_programs_with_one_form_behave_alike(drawn):
    groups = collections.defaultdict(dict)
    for body in drawn:
        text = "\n".join(["def f():", *(f" {line}" for line in body), " seen.append((x, y))", "f()"])
        for variant in (text, text.translate({ord("x"): "y", ord("y"): "x"}).replace("ercept", "except")):
            try:
                ast.parse(variant)
                compile(variant, "a.py", "exec")
            except SyntaxError:
                continue
            groups[form(variant)][variant] = behaviour(variant)
    for programs in groups.values():
        assert len(set(programs.values())) == 1, "\n---\n".join(programs)
