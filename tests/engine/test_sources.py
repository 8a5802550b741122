import pytest

from headway.engine.sources import digest_module

STUDY = """\
import headway
import model

def load():
    return 1

@headway.experiment(
    metric="loss",
    space={{"lr": headway.Float(0, {high})}},
    setup={setup},
    limits=headway.Limits(wall_seconds={wall}),
)
def train(run):
    {comment}
    return {value}

study = headway.Study(train, budget="{budget} trials")

if __name__ == "__main__":
    {main}
"""
FIRST = {
    "high": 1, "setup": "load", "wall": 60, "comment": "# train", "value": 1, "budget": 24, "main": "study.run()",
}  # fmt: skip


@pytest.fixture
def digest(tmp_path):
    def digest(text=STUDY, **changes):
        path = tmp_path / "study.py"
        path.write_text(text.format(**{**FIRST, **changes}))
        return digest_module(path)

    return digest


@pytest.mark.parametrize("change", [{"budget": 99}, {"high": 2}, {"wall": 5}, {"main": "print(study.run().best)"}])
def test_what_only_describes_a_study_does_not_count(digest, change):
    assert digest(**change) == digest()


@pytest.mark.parametrize("change", [{"value": 2}, {"comment": "# validate"}, {"setup": "None"}])
def test_everything_else_counts(digest, change):
    assert digest(**change) != digest()


def test_setup_counts_on_one_line_too(digest):
    text = "@headway.experiment(metric='loss', setup={setup})\ndef train(run): pass\n"
    assert digest(text, setup="load") != digest(text, setup="load_more")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("study = Study(train, budget='1 trials')\n", "study = Study(train, budget='2 trials', workers=4)\n"),
        ("Study(train).run()\n", "Study(train, workers=2).run()\n"),
        ("s: Study = Study(\n    train,\n    seeds=3,\n)\n", "s: Study = Study(train, seeds=4)\n"),
    ],
)
def test_a_study_is_left_out_in_every_form(digest, first, second):
    assert digest("x = 1\n" + first) == digest("x = 1\n" + second)


def test_a_study_inside_of_a_function_counts(digest):
    text = "def build():\n    return Study(train, seeds={value})\n"
    assert digest(text, value=1) != digest(text, value=2)


def test_a_module_that_is_no_study_counts_byte_for_byte(digest):
    main = "x = 1\nif __name__ == '__main__':\n    print({value})\n"
    assert digest(main, value=1) != digest(main, value=2)
    assert digest("x = 1\n") != digest("x = 1\n\n")


def test_what_does_not_parse_counts_byte_for_byte(digest):
    assert digest("Study(\n{value}") != digest("Study(\n{value} ")
    assert digest("Study()\x00{value}") != digest("Study(1)\x00{value}")
