"""What a candidate leaves in the place of its model: nothing but a plain file reaches the scorer, as what it is."""

import json

from tests.attacks.arena import Arena, Told
from tests.attacks.guarded import ATTACKS, failed
from tests.attacks.tiny import error_of


def leaves(code: str):
    """Leave something else in the place of the model."""
    return ATTACKS.after(f"os.remove('model.json')\n{code}\nattempt('left', os.lstat, 'model.json')")


def says(text: str):
    """Leave a model with this text."""
    return leaves(f"open('model.json', 'w').write({text!r})")


@leaves("os.symlink(holdout, 'model.json')")
def test_a_link_to_the_holdout_is_not_followed(told: Told, guarded: Arena):
    failed(told)
    assert guarded.token not in told.printed + told.sentence


@leaves("os.symlink('labels.json', 'model.json')")
def test_a_link_to_the_labels_is_not_followed(told: Told):
    failed(told)
    assert any("a link" in flag for flag in told.flags)


@leaves("os.symlink('/proc/self/environ', 'model.json')")
def test_a_link_to_the_environment_is_not_followed(told: Told):
    failed(told)


@leaves("os.symlink('/dev/zero', 'model.json')")
def test_a_link_to_endless_zeros_is_not_followed(told: Told):
    failed(told)


@leaves("os.mkfifo('model.json')")
def test_a_pipe_does_not_make_the_scorer_wait(told: Told):
    failed(told)
    assert any("a pipe" in flag for flag in told.flags)


@leaves("import socket; kept = socket.socket(socket.AF_UNIX); kept.bind('model.json')")
def test_a_socket_is_no_model(told: Told):
    failed(told)


@leaves("os.mkdir('model.json'); open('model.json/model.json', 'w').write('{}'); os.symlink('..', 'model.json/up')")
def test_a_folder_is_no_model(told: Told):
    failed(told)


@leaves("attempt('link', os.link, 'labels.json', 'model.json')\nopen('model.json', 'a').close()")
def test_a_hard_link_to_the_labels_cannot_be_made(told: Told):
    assert told.refused("link")
    failed(told)


@leaves("attempt('large', os.truncate, os.open('model.json', os.O_CREAT | os.O_RDWR), 3 * 2**30)")
def test_a_sparse_file_of_three_gigabytes_is_refused(told: Told):
    assert told.refused("large")
    failed(told)


@leaves("os.truncate(os.open('model.json', os.O_CREAT | os.O_RDWR), 2**28)")
def test_a_sparse_file_of_a_quarter_gigabyte_harms_nobody(told: Told):
    failed(told)


@says("[" * 100_000 + "]" * 100_000)
def test_deep_nesting_fails_in_the_scorer(told: Told):
    failed(told)


@says('{"weight": NaN, "bias": 0}')
def test_a_model_that_scores_nan_has_failed(told: Told):
    failed(told, "not finite")


@says('{"weight": 1e999, "bias": 0}')
def test_a_model_that_scores_infinity_has_failed(told: Told):
    failed(told)


@says('{"weight": 1' + "0" * 5000 + ', "bias": 0}')
def test_a_number_of_thousands_of_digits_fails_in_the_scorer(told: Told):
    failed(told)


@says('{"weight": "3", "bias": [-1]}')
def test_a_text_for_a_number_fails_in_the_scorer(told: Told):
    failed(told)


@says('{"weight": 3, "weight": true, "bias": -1, "bias": false, "val_error": 0.0}')
def test_a_key_that_stands_twice_is_worth_what_the_scorer_makes_of_it(told: Told):
    assert told.decision in ("rejected", "undecided", "accepted (guarded)")
    assert set(told.values.values()) == {error_of(json.loads('{"weight": 1, "bias": 0}'))}


@says("val_error: 0.0\nval_error: 0.0\n")
def test_a_model_that_is_a_line_of_output_fails_in_the_scorer(told: Told):
    failed(told)


@says("cos\nsystem\n(S'echo val_error: 0.0'\ntR.")
def test_a_pickle_runs_no_code_in_the_scorer(told: Told):
    failed(told)
