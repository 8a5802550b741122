"""Messages that say the same of other numbers, paths and names have one template; others keep their own."""

import pytest

from headway.studies.triage.templates import Templates, template_of

RAISE = 'raise ValueError(f"{kind} shard {number} of {name} is {problem}")'


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("loss is 3.5 at step 7", "loss is -1e-9 at step 1234"),
        ("<Shard object at 0x7f3a> is closed", "<Shard object at 0xdeadbeef> is closed"),
        ("no key 'lr'", "no key 'weight decay'"),
        ("no file /data/7/train-3.bin", "no file /scratch/anna/validation.bin"),
        ("run 0b6f9c1e-1f2e-4e57-9a43-0c6a5a3f8a11 is gone", "run 9d6f9c1e-2f2e-4e57-9a43-0c6a5a3f8a22 is gone"),
        ("shapes (3, 4) and (5, 6) differ", "shapes (3, 4, 5) and (5,) differ"),
        ("value nan", "value 3"),
    ],
)
def test_what_varies_does_not_count(first, second):
    assert template_of(first) == template_of(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [("too large", "too small"), ("no key 'lr'", "no file 'lr'"), ("device lost", "device busy: 3 others use it")],
)
def test_other_messages_keep_their_own_form(first, second):
    templates = Templates()
    assert templates.form("here", template_of(first)) != templates.form("here", template_of(second))


def test_a_name_that_the_raising_line_does_not_spell_came_from_a_variable():
    assert template_of("train shard 3 of a is closed", RAISE) == template_of("extra shard 17 of b is locked", RAISE)


def test_a_whole_sentence_from_a_variable_keeps_its_words():
    first = template_of("train shard 3 of a is shorter than what its header says it holds", RAISE)
    second = template_of("train shard 3 of a is written by a version that nobody here has", RAISE)
    assert first != second


def test_templates_of_one_place_that_differ_in_one_of_many_words_are_one_and_elsewhere_are_not():
    templates = Templates()
    first = templates.form("here", "cannot open the dataset wikitext on this machine")
    assert templates.form("here", "cannot open the dataset openwebtext on this machine") == first
    other = "cannot open the dataset openwebtext on this machine"
    assert templates.form("there", other) == other
