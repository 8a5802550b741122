import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import Budget, Spent, UsageError

budgets = st.builds(
    Budget,
    trials=st.one_of(st.none(), st.integers(1, 10**6)),
    seconds=st.one_of(st.none(), st.integers(1, 10**7).map(lambda tenths: tenths / 10)),
)
spent = st.builds(Spent, trials=st.integers(0, 10**6), seconds=st.floats(0, 1e6))


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("24 trials", Budget(trials=24)),
        ("24", Budget(trials=24)),
        ("1 trial", Budget(trials=1)),
        ("2 hours", Budget(seconds=7200)),
        ("30min", Budget(seconds=1800)),
        ("1.5 h", Budget(seconds=5400)),
        ("2 D", Budget(seconds=172800)),
        ("50 trials or 8 h", Budget(trials=50, seconds=28800)),
        (" 90 s,3 trials ", Budget(trials=3, seconds=90)),
    ],
)
def test_budgets_read_as_people_write_them(text, budget):
    assert Budget.parse(text) == budget


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("lots", "cannot be read at 'lots'"),
        ("3 weeks", "unknown unit 'weeks'"),
        ("2.5 trials", "has 2.5 trials. Give a whole number"),
        ("3 trials or 4 trials", "the same limit twice, again at '4 trials'"),
        ("1 h or 30 min", "the same limit twice"),
        ("0 trials", "runs nothing"),
        ("-3 trials", "runs nothing"),
        ("0 s", "runs nothing"),
    ],
)
def test_a_budget_that_cannot_be_meant_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        Budget.parse(text)


@given(budgets.filter(lambda budget: budget != Budget()))
def test_a_budget_reads_back_what_it_prints(budget):
    assert Budget.parse(str(budget)) == budget


@given(budgets, spent)
def test_what_is_left_shrinks_and_never_goes_below_zero(budget, used):
    left = budget.left(used)
    for limit, rest in ((budget.trials, left.trials), (budget.seconds, left.seconds)):
        assert (limit is None) == (rest is None)
        assert rest is None or 0 <= rest <= limit
    assert budget.exhausted(used) == (left.trials == 0 or left.seconds == 0)


def test_whichever_limit_is_used_up_first_ends_the_search():
    budget = Budget.parse("10 trials or 60 s")
    assert not budget.exhausted(Spent(trials=9, seconds=59.9))
    assert budget.exhausted(Spent(trials=10))
    assert budget.exhausted(Spent(seconds=60.0))
    assert not Budget().exhausted(Spent(trials=10**9, seconds=1e12))
    assert str(Budget()) == "unlimited"
