import os
import sys
import threading
import time

import pytest

from headway.core import HeadwayError, UsageError
from headway.llm import ModelError, OpenAIModel
from headway.propose.evolve import AgentProposer, Context, FunctionProposer, ModelProposer, Program
from headway.sandbox import processes
from tests.llm.answering import answering, chat

BLOCK = "Idea: more\n<<<<<<< SEARCH\nX = 1\n=======\nX = 2\n>>>>>>> REPLACE"


@pytest.fixture
def endpoint():
    with answering() as endpoint:
        yield endpoint


def context(files=None, seed=5):
    parent = Program(number=1, files=files or {"a.py": "X = 1\n"}, score="score 0.5")
    return Context(task="Do well.", metric="score", direction="maximize", parent=parent, seed=seed)


def asked(endpoint):
    return ModelProposer(OpenAIModel(url=endpoint.url, model="tiny", retries=0), answer_tokens=100)


def test_a_model_sees_the_instructions_and_the_parent(endpoint):
    endpoint.plan = [chat(BLOCK)]
    found = asked(endpoint).propose(context())
    system, user = (message["content"] for message in endpoint.requests[0]["messages"])
    assert "SEARCH" in system
    assert "X = 1" in user
    assert "Do well." in user
    assert endpoint.requests[0]["seed"] == 5
    assert endpoint.requests[0]["max_tokens"] == 100
    assert found.note == "more"
    assert found.patches[0][1] == "a.py"
    assert found.tokens == 110


def test_an_answer_without_a_change_says_whether_it_was_cut_off(endpoint):
    endpoint.plan = [chat("X" * 300, finish="length"), chat("no"), 500]
    proposer = asked(endpoint)
    with pytest.raises(UsageError, match="cut off at 100 tokens"):
        proposer.propose(context())
    with pytest.raises(UsageError, match=r"no whole file between ``` fences\.$"):
        proposer.propose(context())
    with pytest.raises(ModelError):
        proposer.propose(context())


def test_a_function_is_asked_as_a_model_is():
    seen = []

    def complete(prompt, seed):
        seen.append((prompt, seed))
        return BLOCK

    found = FunctionProposer(complete, "model.py:complete").propose(context())
    assert found.note == "more"
    assert seen[0][1] == 5
    assert "X = 1" in seen[0][0]


def test_a_function_that_fails_is_named_with_the_line_that_did_it():
    def complete(prompt, seed):
        raise KeyError("gone")

    with pytest.raises(
        HeadwayError, match=r"model\.py:complete failed with seed 5: KeyError: 'gone' .*raise KeyError"
    ) as caught:
        FunctionProposer(complete, "model.py:complete").propose(context())
    assert not isinstance(caught.value, UsageError)  # such are answers that are refused, and the next one is asked for


def test_a_function_that_returns_no_text_is_named():
    with pytest.raises(HeadwayError, match=r"model\.py:f returned NoneType, expected the text"):
        FunctionProposer(lambda prompt, seed: None, "model.py:f").propose(context())  # pyright: ignore


def agent(tmp_path, body, **settings):
    script = tmp_path / "agent.py"
    script.write_text("import os, sys, time, pathlib\ntask = sys.stdin.read()\n" + body)
    return AgentProposer(f"{sys.executable} {script}", **settings)


def test_an_agent_edits_files_and_says_its_idea(tmp_path):
    body = """
assert "Do well." in task and "X = 1" in task
assert sorted(str(p) for p in pathlib.Path().rglob("*.py")) == ["a.py", "src/b.py"]
pathlib.Path("a.py").write_text("X = 2\\n")
pathlib.Path("new.py").write_text("not one of those that may be changed")
print("working"); print("IDEA: double it")
"""
    found = agent(tmp_path, body).propose(context({"a.py": "X = 1\n", "src/b.py": "Y = 1\n"}))
    assert found.files == {"a.py": "X = 2\n"}
    assert found.note == "double it"
    assert found.seconds > 0


@pytest.mark.parametrize(
    "body",
    [
        "print('I see no way')",
        "os.unlink('a.py'); print('I see no way')",
        "os.unlink('a.py'); os.symlink('/etc/hostname', 'a.py'); print('I see no way')",
        "os.unlink('a.py'); os.mkdir('a.py'); print('I see no way')",
        "os.unlink('a.py'); os.mkfifo('a.py'); print('I see no way')",
        "pathlib.Path('a.py').write_bytes(b'\\xff\\xfe\\x00'); print('I see no way')",
        "open('a.py', 'w').truncate(100_000_000); print('I see no way')",
        "pathlib.Path('a.py').write_text('X = 1\\n'); print('I see no way')",
        "os.mkdir('locked'); open('locked/x', 'w').close(); os.chmod('locked', 0o500); print('I see no way')",
    ],
)
def test_what_is_no_change_of_text_is_none(tmp_path, body):
    with pytest.raises(UsageError, match=r"changed none of the files\. It said last: I see no way"):
        agent(tmp_path, body).propose(context())


def test_a_folder_that_became_a_link_leads_nowhere(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.py").write_text("SECRET = 1\n")
    body = f"import shutil; shutil.rmtree('src'); os.symlink({str(outside)!r}, 'src')"
    with pytest.raises(UsageError, match="changed none"):
        agent(tmp_path, body).propose(context({"src/b.py": "Y = 1\n"}))


def test_an_agent_that_fails_is_no_proposer_for_long(tmp_path):
    with pytest.raises(ModelError, match=r"exit code 3 .* It said last: please log in\. Run .* by hand"):
        agent(tmp_path, "print('please log in'); sys.exit(3)").propose(context())
    with pytest.raises(ModelError, match="ended at its limit of 1 s"):
        agent(tmp_path, "time.sleep(60)", seconds=1).propose(context())


def test_what_a_failed_agent_changed_counts_all_the_same(tmp_path):
    found = agent(tmp_path, "pathlib.Path('a.py').write_text('X = 3\\n'); sys.exit(1)").propose(context())
    assert found.files == {"a.py": "X = 3\n"}


def test_closing_ends_agents_that_still_run(tmp_path):
    begun = tmp_path / "begun"
    proposer = agent(tmp_path, f"open({str(begun)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    outcome = []

    def target():
        try:
            proposer.propose(context())
        except ModelError as error:
            outcome.append(str(error))

    thread = threading.Thread(target=target)
    thread.start()
    while not (begun.exists() and begun.read_text()):
        time.sleep(0.01)
    pid = int(begun.read_text())
    proposer.close()
    thread.join(20)
    assert outcome
    assert processes.start_time(pid) is None
    assert not [name for name in os.listdir("/proc") if name == str(pid)]
