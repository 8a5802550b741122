import json
import random
import statistics

import numpy as np
import pytest

from headway.core import UsageError
from headway.validate import Holdout, HoldoutClosed
from headway.validate.holdout import _laplace

SECRET = b"sixteen bytes or more"
NUMBERS = Holdout(threshold=0.04, noise=0.001, budget=3, one_bit=False)


def ask(holdout, query, training, truth, secret=SECRET):
    answer = holdout.ask(query, training=training, holdout=truth, secret=secret)
    return answer, holdout.after(answer)


def test_where_the_sides_agree_the_training_value_is_told_and_nothing_charged():
    answer, after = ask(NUMBERS, "a", 0.61234, 0.60987)
    assert (answer.agrees, answer.value, answer.charged) == (True, 0.61234, False)
    assert (after.asked, after.spent) == (1, 0)


def test_where_they_differ_the_noised_holdout_is_told_and_charged():
    answer, after = ask(NUMBERS, "a", 0.9, 0.50012)
    assert (answer.agrees, answer.charged) == (False, True)
    assert answer.value is not None
    assert abs(answer.value - 0.5) < 0.02
    assert answer.value == pytest.approx(round(answer.value, 3), abs=1e-12)  # in steps of the noise
    assert (after.asked, after.spent) == (1, 1)


def test_one_bit_tells_one_bit():
    holdout = Holdout(threshold=0.04, noise=0.001, budget=3)
    for truth, agrees in ((0.9, True), (0.5, False)):
        answer, after = ask(holdout, "a", 0.9, truth)
        assert (answer.agrees, answer.value) == (agrees, None)
        assert "0.5" not in json.dumps(after.to_json())


def test_asking_again_tells_the_same_and_costs_nothing():
    first, holdout = ask(NUMBERS, "a", 0.9, 0.5)
    for training, truth in ((0.9, 0.5), (0.5, 0.5)):
        again, after = ask(holdout, "a", training, truth)
        assert (again.value, again.agrees, again.charged) == (first.value, first.agrees, False)
        assert after == holdout
    assert holdout.recall("a") == again
    assert holdout.recall("b") is None


def test_a_spent_budget_closes_the_holdout_for_new_questions_only():
    holdout = NUMBERS
    for query in "abc":
        _, holdout = ask(holdout, query, 0.9, 0.5)
    with pytest.raises(HoldoutClosed, match=r"3 questions were answered, and all 3 disagreements"):
        ask(holdout, "d", 0.5, 0.5)
    assert ask(holdout, "a", 0.9, 0.5)[0].charged is False


def test_noise_is_the_secrets_and_the_questions():
    told = {secret: ask(NUMBERS, "a", 0.9, 0.5, secret)[0].value for secret in (b"1" * 16, b"2" * 16, b"3" * 16)}
    assert len(set(told.values())) > 1
    assert ask(NUMBERS, "a", 0.9, 0.5)[0] == ask(NUMBERS, "a", 0.9, 0.5)[0]
    assert len({ask(NUMBERS, str(number), 0.9, 0.5)[0].value for number in range(20)}) > 5


def test_noise_has_the_laplace_distribution():
    draws = [_laplace(2.0, SECRET, "answer", str(number)) for number in range(20_000)]
    assert statistics.mean(draws) == pytest.approx(0, abs=0.08)  # four standard errors
    assert statistics.mean(map(abs, draws)) == pytest.approx(2, abs=0.06)
    assert statistics.stdev(draws) == pytest.approx(2 * 2**0.5, abs=0.12)


def test_the_state_survives_json():
    holdout = NUMBERS
    for query, truth in (("a", 0.5), ("b", 0.9)):
        _, holdout = ask(holdout, query, 0.9, truth)
    restored = Holdout.from_json(json.loads(json.dumps(holdout.to_json())))
    assert restored == holdout
    assert SECRET.decode() not in json.dumps(holdout.to_json())


def test_what_is_fitted_to_the_holdout_is_found_out():
    # Dwork's experiment, small: of 2,000 null features take those that do well on both sides.
    draw = np.random.default_rng(5)
    rows, features = 2_000, 2_000
    data = draw.integers(0, 2, (2, rows, features), dtype=np.int8) * 2 - 1
    labels = draw.integers(0, 2, (2, rows)) * 2 - 1
    right = [(data[side] == labels[side][:, None]).mean(axis=0) for side in (0, 1)]
    holdout, told = Holdout(threshold=0.045, noise=0.002, budget=200, one_bit=False), []
    for index, (training, truth) in enumerate(zip(*(side.tolist() for side in right), strict=True)):
        answer, holdout = ask(holdout, f"feature {index}", training, truth)
        told.append(answer.value)

    def classify(seen):
        chosen = np.argsort(-np.minimum(right[0], np.asarray(seen)))[:200]
        signs = [np.where(data[side][:, chosen].sum(axis=1) >= 0, 1, -1) for side in (0, 1)]
        return [float((signs[side] == labels[side]).mean()) for side in (0, 1)]

    assert classify(right[1])[1] > 0.6
    training, truth = classify(told)
    value = ask(holdout, "classifier", training, truth)[0].value
    assert value is not None
    assert abs(value - 0.5) < 0.045


def test_few_questions_about_what_holds_are_charged():
    draw, holdout = random.Random(0), Holdout(threshold=0.03, noise=0.001, budget=100)
    for number in range(300):
        # 10,000 cases: the difference of two accuracies has an sd of .007
        _, holdout = ask(holdout, str(number), 0.7 + draw.gauss(0, 0.005), 0.7 + draw.gauss(0, 0.005))
    assert holdout.spent <= 3


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Holdout(threshold=0.01, noise=0.02, budget=1), "guard no holdout"),
        (lambda: Holdout(threshold=0.04, noise=0.0, budget=1), "guard no holdout"),
        (lambda: Holdout(threshold=0.04, noise=0.001, budget=0), "guard no holdout"),
        (lambda: ask(NUMBERS, "a", 0.5, 0.5, b"short"), "can be guessed"),
        (lambda: ask(NUMBERS, "a", 0.5, float("nan")), "finite"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong, says):
    with pytest.raises(UsageError, match=says):
        wrong()
