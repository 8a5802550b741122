import pytest

from tests.llm import serving
from tests.llm.answering import answering

smollm2 = serving.smollm2


@pytest.fixture
def endpoint():
    with answering() as endpoint:
        yield endpoint
