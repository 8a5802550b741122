"""`headway init --agent`: it teaches agents the project, takes nothing from anybody, and what it teaches is true."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import anyio
import click
import pytest
from mcp import Client, StdioServerParameters

from headway.interfaces.agents.verbs import VERBS
from headway.interfaces.cli.app import cli
from headway.store import FOLDER, is_accepted

SKILL = ".claude/skills/headway/SKILL.md"
RULES = "# Our rules\r\n\r\nBe kind.\nMixed line ends stay.\r\n"


@pytest.fixture
def skill(project, ask_json) -> str:
    ask_json("init", "--agent")
    return (project / SKILL).read_text()


def done(ask_json, *words) -> dict[str, str]:
    return {Path(item["path"]).name: item["done"] for item in ask_json("init", *words)["files"]}


def test_the_skill_has_the_form_of_agent_skills(skill):
    found = re.match(r"---\nname: ([a-z0-9-]{1,64})\ndescription: ([^\n]{1,1024})\n---\n\n# ", skill)
    assert found is not None
    assert found[1] == "headway"
    assert "Use it when" in found[2]
    assert not re.search(r"[<>]|: ", found[2]), "plain YAML and no tags"
    assert len(skill.splitlines()) < 120


def commands(text: str) -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [code for code in re.findall(r"`([^`\n]+)`", text) if code.startswith("headway ")]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("headway ")]


def every_text(project: Path, ask_json) -> str:
    ask_json("init", "--agent", "codex")
    return (project / SKILL).read_text() + (project / "AGENTS.md").read_text()


def test_every_command_that_is_taught_exists_with_its_flags(project, ask, ask_json):
    found = commands(every_text(project, ask_json))
    assert {words[1] for words in found} >= {name.replace("_", "-") for name in VERBS}
    for words in found:
        assert ask(words[1], "--help").exit_code == 0, words
        command = cli.get_command(click.Context(cli), words[1])
        assert command is not None
        with command.make_context(words[1], _present(project, words[2:])):  # refuses unknown flags, missing arguments
            pass


def _present(project: Path, words: list[str]) -> list[str]:
    """Put in the place of files and folders such that exist."""
    (project / "change.diff").write_text("")
    (project / "new_train.py").write_text("")
    return ["." if word == "FOLDER" else word for word in words]


def test_every_call_that_is_taught_has_known_arguments(project, ask_json):
    calls = re.findall(r"`(\w+)\(([^`]*)\)`", every_text(project, ask_json))
    assert {name for name, _ in calls} == set(VERBS)
    for name, arguments in calls:
        known = {item.name for item in VERBS[name].parameters}
        assert set(re.findall(r"(\w+)=", arguments)) <= known, (name, arguments)


def test_every_word_of_a_verdict_is_taught(skill):
    taught = {row.split("|")[1].strip() for row in skill.splitlines() if row.startswith("| ")} - {"verdict"}
    words = {"accepted (guarded)", "accepted (as printed)", "rejected", "undecided", "identical", "flagged", "failed"}
    assert taught == words | {"rebased"}
    assert sum(map(is_accepted, taught)) == 2


def test_the_same_again_changes_nothing(project, ask_json):
    assert set(done(ask_json, "--agent", "codex").values()) == {"written"}
    before = {path: path.read_bytes() for path in (project / SKILL, project / "AGENTS.md", project / ".mcp.json")}
    assert set(done(ask_json, "--agent", "codex").values()) == {"unchanged"}
    assert {path: path.read_bytes() for path in before} == before
    assert (project / FOLDER / "store.sqlite").exists()


def test_a_section_is_put_beside_what_a_person_wrote_and_later_into_its_own_place(project, ask_json):
    path = project / "AGENTS.md"
    path.write_bytes(RULES.encode())
    assert done(ask_json, "--agent", "codex")["AGENTS.md"] == "updated"
    text = path.read_bytes().decode()
    assert text.startswith(RULES)
    path.write_bytes((text + "## More\r\nAfter it.").encode())
    assert done(ask_json, "--agent", "codex")["AGENTS.md"] == "unchanged"
    # an earlier Headway's section, unchanged by anybody, gives way to this one's
    from headway.core import digest

    old = "old words\n"
    head, _, rest = text.partition("<!-- headway begin")
    assert rest
    path.write_bytes(
        f"{head}<!-- headway begin ({digest(old)}): x -->\n{old}<!-- headway end -->\n## More\r\nAfter it.".encode()
    )
    assert done(ask_json, "--agent", "codex")["AGENTS.md"] == "updated"
    again = path.read_bytes().decode()
    assert again.startswith(RULES)
    assert again.endswith("<!-- headway end -->\r\n## More\r\nAfter it.")
    assert "old words" not in again


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        (SKILL, "my own skill", "not as Headway wrote it"),
        ("AGENTS.md", "<!-- headway begin (x) -->\nno end\n", "1 of Headway's marks"),
        ("AGENTS.md", "<!-- headway end -->\n<!-- headway begin (x) -->\n", "2 of Headway's marks"),
        ("AGENTS.md", "<!-- headway begin (x) -->\nmine\n<!-- headway end -->\n", "Somebody has changed"),
        ("AGENTS.md", b"\xff\xfe", "no UTF-8"),
        (".mcp.json", "{", "is no JSON"),
        (".mcp.json", "[]", "something else"),
        (".mcp.json", '{"mcpServers": []}', "something else"),
    ],
)
def test_what_cannot_be_done_without_loss_is_refused_and_nothing_is_written(project, ask, file, text, says):
    path = project / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = sorted(item for item in project.rglob("*") if item.is_file())
    result = ask("init", "--agent", "codex")
    assert result.exit_code == 2
    assert says in result.stderr
    assert sorted(item for item in project.rglob("*") if item.is_file()) == before
    assert path.read_bytes() == (text if isinstance(text, bytes) else text.encode())


def test_a_skill_that_was_changed_gives_way_to_force_alone(project, ask, ask_json, skill):
    (project / SKILL).write_text(skill.replace("You bring ideas.", "You bring cake."))
    assert ask("init", "--agent").exit_code == 2
    assert "cake" in (project / SKILL).read_text()
    assert done(ask_json, "--agent", "--force")["SKILL.md"] == "updated"
    assert (project / SKILL).read_text() == skill


def test_a_link_out_of_the_project_is_not_followed_and_one_inside_stays(project, ask, ask_json, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "AGENTS.md"
    outside.write_text("theirs")
    (project / "AGENTS.md").symlink_to(outside)
    result = ask("init", "--agent", "codex")
    assert "leads out of the project" in result.stderr
    assert outside.read_text() == "theirs"
    (project / "AGENTS.md").unlink()
    (project / "CLAUDE.md").write_text("ours\n")
    (project / "AGENTS.md").symlink_to("CLAUDE.md")
    assert done(ask_json, "--agent", "codex")["AGENTS.md"] == "updated"
    assert (project / "AGENTS.md").is_symlink()
    assert (project / "CLAUDE.md").read_text().startswith("ours\n\n<!-- headway begin")


def test_the_servers_entry_is_merged_and_a_persons_own_one_stays(project, ask_json):
    path = project / ".mcp.json"
    path.write_text('{"mcpServers": {"other": {"command": "x"}}, "more": 1}')
    answer = ask_json("init", "--agent")
    data = json.loads(path.read_text())
    assert data == {"mcpServers": {"other": {"command": "x"}, "headway": answer["server"]}, "more": 1}
    data["mcpServers"]["headway"] = {"command": "mine"}
    path.write_text(json.dumps(data))
    assert done(ask_json, "--agent")[".mcp.json"] == "kept"
    assert json.loads(path.read_text()) == data
    assert done(ask_json, "--agent", "--force")[".mcp.json"] == "updated"


def test_agents_that_start_the_server_of_the_entry_find_the_verbs(project, ask_json):
    ask_json("init", "--agent")
    entry = json.loads((project / ".mcp.json").read_text())["mcpServers"]["headway"]

    async def main() -> None:
        server = StdioServerParameters(command=entry["command"], args=entry["args"], cwd=project)
        async with Client(server) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == list(VERBS)

    anyio.run(main)


def test_a_store_elsewhere_stands_in_the_entry(project, ask_json, tmp_path_factory):
    away = tmp_path_factory.mktemp("away") / "store"
    server = ask_json("init", "--agent", "--store", away)["server"]
    assert server["args"][-2:] == ["--store", str(away)]


def test_what_does_not_go_together_is_refused(ask, project):
    assert "Leave out FILE" in ask("init", "study.py", "--agent").stderr
    assert "Leave out FILE" in ask("init", "--agent", "claude", "--command").stderr
    assert "Did you mean 'codex'?" in ask("init", "--agent", "codx").stderr
    assert not (project / FOLDER).exists()


def test_the_files_lie_at_the_projects_root(project, ask_json, monkeypatch):
    subprocess.run(["git", "init", "-q", "."], cwd=project, check=True)
    (project / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(project / "deep" / "er")
    ask_json("init", "--agent")
    assert (project / SKILL).exists()


def test_the_page_on_agents_names_every_verb_argument_and_cap():
    text = (Path(__file__).parents[3] / "docs" / "agents.md").read_text()
    for verb in VERBS.values():
        row = re.search(rf"^\| `{verb.name}` \| ([^|]*) \| ([^|]*) \|$", text, re.MULTILINE)
        assert row is not None, verb.name
        assert row[1].split(", ") == [item.name for item in verb.parameters]
        assert [f"{tokens:,}" for tokens in (verb.tokens, *verb.large.values())] == re.findall(
            r"\d,\d{3}|\d\d,\d{3}", row[2]
        )
