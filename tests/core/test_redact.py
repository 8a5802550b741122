import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import Redactor

SECRETS = [
    "sk-" + "a1B2" * 8,
    "sk-ant-" + "api03-" + "x" * 30,
    "ghp_" + "A" * 36,
    "github_pat_" + "A1_" * 10,
    "glpat-" + "a" * 20,
    "hf_" + "a" * 30,
    "AKIA" + "A1" * 8,
    "AIza" + "b" * 35,
    "xoxb-" + "1" * 12,
    "eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + ".c-d_" + "e" * 20,
]


@pytest.mark.parametrize("secret", SECRETS)
def test_tokens_leave_by_their_shape(secret):
    text = Redactor().text(f'key = load("{secret}")  # mine\nlr = 0.1')
    assert secret not in text
    assert text.startswith('key = load("[redacted]')
    assert text.endswith("lr = 0.1")


def test_a_private_key_leaves_whole_even_when_cut_off():
    key = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEow\nabc\n"
    whole = key + "-----END RSA PRIVATE " + "KEY-----\nafter"
    assert Redactor().text(f"a\n{whole}") == "a\n[redacted]\nafter"
    assert Redactor().text(f"a\n{key}") == "a\n[redacted]"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("password = 'correct horse'", "password = 'correct horse'"),  # blanks: a sentence, not a secret
        ("password = 'correcthorse'", "password = '[redacted]'"),
        ('{"api_key": "0123456789"}', '{"api_key": "[redacted]"}'),
        ('AWS_SECRET_KEY="0123456789"', 'AWS_SECRET_KEY="[redacted]"'),
        ("postgres://me:hunter2@host/db", "postgres://me:[redacted]@host/db"),
        ("https://host/path?a=b:c@d", "https://host/path?a=b:c@d"),
    ],
)
def test_assignments_and_addresses_lose_their_values(text, redacted):
    assert Redactor().text(text) == redacted


@pytest.mark.parametrize(
    "text", ["lr = 3e-4", "task-specific", "tokens = 4096", "risk-adjusted-returns-of-funds", "key: value"]
)
def test_ordinary_text_stays(text):
    assert Redactor().text(text) == text


def test_values_of_secret_variables_leave_wherever_they_appear():
    environment = {"WANDB_API_KEY": "abcdefgh1234", "HF_TOKEN": "1", "HOME": "/home/me", "MONKEY": "bananas-all-day"}
    redactor = Redactor.of_environment(environment)
    assert (
        redactor.text("with abcdefgh1234 in /home/me: 1 bananas-all-day")
        == "with [redacted] in /home/me: 1 bananas-all-day"
    )
    assert redactor.variables(environment) == {
        "WANDB_API_KEY": "[redacted]",
        "HF_TOKEN": "[redacted]",
        "HOME": "/home/me",
        "MONKEY": "bananas-all-day",
    }


def test_the_longer_of_two_overlapping_values_leaves_whole():
    assert Redactor(["secret-12", "secret-12345"]).text("a secret-12345 b") == "a [redacted] b"


@given(st.text(), st.sampled_from(SECRETS), st.text())
def test_redacting_twice_is_redacting_once(before, secret, after):
    redactor = Redactor(["known-value-of-a-variable"])
    once = redactor.text(f"{before} {secret} known-value-of-a-variable {after}")
    assert secret not in once
    assert "known-value-of-a-variable" not in once
    assert redactor.text(once) == once
