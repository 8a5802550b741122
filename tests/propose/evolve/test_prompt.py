from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headway.llm import tokens_of
from headway.propose.evolve import Context, Dead, Program, parse_answer, prompt_of
from headway.propose.evolve.answers import _fences  # how answers are read is how fences are seen

texts = st.text(st.sampled_from("ab` \n#é-"), max_size=120)
programs = st.builds(
    Program,
    number=st.integers(0, 99),
    files=st.dictionaries(st.sampled_from(["a.py", "b/c.py"]), texts, min_size=1, max_size=2),
    score=st.just("score 0.5 ± 0.1 (2 runs)"),
    note=st.text(max_size=20),
)
contexts = st.builds(
    Context,
    task=st.text(max_size=400),
    metric=st.just("val_loss"),
    direction=st.sampled_from(["minimize", "maximize"]),
    parent=programs,
    others=st.lists(programs, max_size=3),
    dead=st.lists(st.builds(Dead, why=texts, times=st.integers(1, 5), note=texts), max_size=6),
    children=st.lists(texts, max_size=8),
)


def context(**changes):
    plain: dict[str, Any] = {
        "task": "Find the lowest place.",
        "metric": "val_loss",
        "direction": "minimize",
        "parent": Program(number=7, files={"a.py": "X = 1\n"}, score="val_loss 0.5"),
        "others": [
            Program(number=3, files={"a.py": "OTHER = 3\n"}, score="val_loss 0.6", note="wider"),
            Program(number=4, files={"a.py": "OTHER = 4\n"}, score="val_loss 0.7"),
        ],
        "dead": [Dead(why="NameError: penalty", times=2, note="penalise"), Dead(why="timed out", times=1)],
        "children": ["halve it: worse by 0.1", "double it: better by 0.2"],
    }
    return Context(**(plain | changes))


@given(contexts, st.integers(0, 900))
def test_only_the_parent_takes_a_prompt_above_its_budget(given_context, tokens):
    alone = Context(
        task="",
        metric=given_context.metric,
        direction=given_context.direction,
        parent=given_context.parent,
    )
    least = tokens_of(prompt_of(alone, tokens=0))
    assert tokens_of(prompt_of(given_context, tokens=tokens)) <= max(tokens, least)


def test_all_parts_stand_in_their_order():
    prompt = prompt_of(context(), tokens=12_000)
    parts = [
        "Find the lowest place.",
        "The metric is val_loss: lower is better.",
        "The program to change, #7, val_loss 0.5:\n# a.py\n```\nX = 1\n```",
        "Changes that were tried, of it and of those it was made from:\n- halve it: worse by 0.1\n"
        "- double it: better by 0.2",
        "What failed lately, and why:\n- NameError: penalty (2 times): penalise\n- timed out",
        "Other programs, to take ideas from:\n#3, val_loss 0.6: wider\n# a.py\n```\nOTHER = 3\n```\n#4, val_loss 0.7\n",
        "Propose one change of the program.",
    ]
    places = [prompt.index(part) for part in parts]
    assert places == sorted(places)
    assert "higher is better" in prompt_of(context(direction="maximize"), tokens=9000)


def test_what_does_not_fit_is_left_out_from_the_end():
    whole = tokens_of(prompt_of(context(), tokens=12_000))
    short = prompt_of(context(), tokens=whole - 20)
    assert "OTHER = 4" not in short
    assert "halve it" in short
    assert "X = 1" in prompt_of(context(task="long " * 5000), tokens=300)


def test_a_long_task_leaves_room_for_the_program():
    task = "\n".join(f"Line {number} of the task." for number in range(500))
    prompt = prompt_of(context(task=task), tokens=200)
    assert "Line 0 of the task." in prompt
    assert "Line 499" not in prompt
    assert "X = 1" in prompt
    assert tokens_of(prompt) <= 200


@given(st.text(st.sampled_from("`\n ax"), max_size=60))
def test_no_program_closes_its_own_fence(text):
    prompt = prompt_of(context(parent=Program(number=1, files={"a.py": text}, score="0"), others=[]), tokens=9000)
    lines = prompt.split("\n")
    begin = lines.index("# a.py") + 1
    fence = lines[begin]
    assert fence.startswith("```")
    assert fence not in text
    end = lines.index(fence, begin + 1)
    assert "\n".join(lines[begin + 1 : end]) == text.rstrip()
    assert lines[end + 1] == ""


def test_a_prompt_given_back_is_no_harm():
    """Small models repeat what they read: the first file is then the parent itself, which changes nothing."""
    prompt = prompt_of(context(others=[]), tokens=9000)
    assert list(_fences(prompt.split("\n")))
    assert parse_answer(prompt, ["a.py"]).files == {"a.py": "X = 1\n"}
