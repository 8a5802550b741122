"""`headway evolve` with a real language model behind a real endpoint: the whole way, though a small model seldom helps."""  # noqa: E501

import re
import sqlite3

import pytest

from tests.llm import serving
from tests.studies.evolving.evolutions import laid_out

smollm2 = serving.smollm2


@pytest.mark.slow
def test_a_real_model_is_asked_and_what_it_answers_is_kept(smollm2, tmp_path):
    evolution = laid_out(tmp_path)
    # Room for a request or two: each may take 8,000 tokens for its answer, until it is known how long it was.
    ended = evolution.evolve(
        "--model", f"{smollm2}#{serving.NAME}", "--most-tokens", "22000", "--workers", "1", budget="12 trials"
    )
    assert ended.returncode == 0, ended.stderr
    kept = list((evolution.store / "models" / "answers").rglob("*.json"))
    assert kept
    with sqlite3.connect(evolution.store / "models" / "spending.sqlite") as ledger:
        rows = ledger.execute("SELECT state, input_tokens, output_tokens FROM requests").fetchall()
    assert len(rows) >= len(kept)
    assert all(tokens_in > 100 and tokens_out > 0 for state, tokens_in, tokens_out in rows if state == "answered")
    assert sum(row[1] + row[2] for row in rows) <= 22_000
    # It ended for one of the reasons that there are, and says which.
    assert re.search(
        r"of the ceiling of 22,000|brought no new program|accepted|undecided|rejected",
        ended.stderr + ended.stdout,
        re.I,
    )
