"""What `headway init --agent` writes to teach agents a project: a skill, a section of AGENTS.md, an entry of .mcp.json.

What a person wrote is never lost: beside what Headway wrote stands its digest, and what no longer agrees with that is
left alone. So the same command again changes nothing, and a later Headway brings its own texts up to date.
"""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from headway.core import StoreError, UsageError, digest

__all__ = ["Agent", "Lesson", "lessons", "teach"]

Agent = Literal["claude", "codex"]
_Done = Literal["written", "updated", "unchanged", "kept"]

_TEMPLATES = Path(__file__).parent / "templates"
_SKILL, _AGENTS, _SERVERS = Path(".claude/skills/headway/SKILL.md"), Path("AGENTS.md"), Path(".mcp.json")
_NAME = "headway"
_SIGNED = re.compile(r"<!-- headway init --agent wrote this \((\w+)\)[^\n]*-->\n?\Z")
_MARK = re.compile(r"^<!-- headway (?:begin|end)\b[^\n]*", re.MULTILINE)
_SECTION = re.compile(
    r"^<!-- headway begin \((\w+)\)[^\n]*-->\r?\n(.*?)^<!-- headway end -->[^\S\n]*(?:\n|\Z)", re.MULTILINE | re.DOTALL
)
_FORCE = "To have Headway's text all the same, add --force"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Hold one file as it shall be, and what is done to it. `kept` is a person's own entry, which stays as it is."""

    path: Path
    text: str
    done: _Done


def lessons(root: Path, agent: Agent, server: Mapping[str, Any], *, force: bool = False) -> list[Lesson]:
    """Return the files that teach an agent the project at `root`. Nothing is written yet.

    `server` is the entry of .mcp.json. Raises `UsageError` for a file that a person has changed and, where it cannot be
    understood, for .mcp.json; `force` gives Headway's own texts the way, and nothing else.
    """
    makers = [(_SKILL, _skill)] + ([(_AGENTS, _section)] if agent == "codex" else [])
    found = [_lesson(root, path, maker(root / path, _read(root, path), force=force)) for path, maker in makers]
    return [*found, _server_lesson(root, server, force=force)]


def teach(found: list[Lesson]) -> None:
    """Write the files, each at once or not at all."""
    for lesson in found:
        if lesson.done in ("written", "updated"):
            try:
                _write(lesson.path, lesson.text)
            except OSError as error:
                raise StoreError(
                    f"{lesson.path} cannot be written ({error.strerror}). Make the folder writable, and type it again."
                ) from error


def _skill(path: Path, old: str | None, *, force: bool) -> str:
    text = (_TEMPLATES / "skill.md.txt").read_text(encoding="utf-8")
    if old is not None and not force and not _is_ours(old):
        raise UsageError(f"{path} is not as Headway wrote it: somebody has changed it. Move it away. {_FORCE}.")
    mark = f"<!-- headway init --agent wrote this ({digest(text)}): a later one replaces it where nobody changed it -->"
    return f"{text}\n{mark}\n"


def _is_ours(text: str) -> bool:
    plain = text.replace("\r\n", "\n")
    signed = _SIGNED.search(plain)
    return signed is not None and digest(plain[: signed.start()].removesuffix("\n")) == signed[1]


def _section(path: Path, old: str | None, *, force: bool) -> str:
    """Return AGENTS.md with Headway's section between its marks: in the old one's place, else at the end."""
    body = (_TEMPLATES / "agents.md.txt").read_text(encoding="utf-8")
    begin = f"<!-- headway begin ({digest(body)}): headway init --agent codex writes what stands up to the end mark -->"
    section = f"{begin}\n{body}<!-- headway end -->\n"
    if not old:
        return section
    line_end = "\r\n" if "\r\n" in old else "\n"
    start, after = _place(path, old, force=force)
    if start == len(old):  # a new section stands apart from what is there
        section = ("\n" if old.endswith("\n") else "\n\n") + section
    return old[:start] + section.replace("\n", line_end) + old[after:]


def _place(path: Path, text: str, *, force: bool) -> tuple[int, int]:
    """Return where Headway's section begins and ends in a text; its end where there is none."""
    marks = [found.group() for found in _MARK.finditer(text)]
    if not marks:
        return len(text), len(text)
    found = _SECTION.search(text)
    if len(marks) != 2 or found is None:
        raise UsageError(
            f"{path} has {len(marks)} of Headway's marks ({', '.join(mark[:24] for mark in marks[:4])}). Expected a "
            "begin and an end, each on a line of its own, or none. Take out what is left of the section, and type it "
            "again."
        )
    if digest(found[2].replace("\r\n", "\n")) != found[1] and not force:
        raise UsageError(f"Somebody has changed Headway's section of {path}. Move that out of its marks. {_FORCE}.")
    return found.start(), found.end()


def _server_lesson(root: Path, server: Mapping[str, Any], *, force: bool) -> Lesson:
    """Return .mcp.json with the entry of our server among the others; one that a person wrote under its name stays."""
    path = root / _SERVERS
    old = _read(root, _SERVERS)
    data = _servers(path, old)
    entries: dict[str, Any] = data.setdefault("mcpServers", {})
    if old is not None and _NAME in entries and entries[_NAME] != dict(server) and not force:
        return Lesson(path=path, text=old, done="kept")
    if old is not None and entries.get(_NAME) == dict(server):
        return Lesson(path=path, text=old, done="unchanged")
    entries[_NAME] = dict(server)
    return _lesson(root, _SERVERS, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def _servers(path: Path, old: str | None) -> dict[str, Any]:
    try:
        data: object = json.loads(old) if old and old.strip() else {}
    except ValueError as error:
        raise UsageError(f"{path} is no JSON ({error}). Mend it, or move it away, and type it again.") from error
    servers = cast("dict[str, object]", data).get("mcpServers", {}) if isinstance(data, dict) else None
    if not isinstance(servers, dict):
        raise UsageError(f'{path} holds something else than {{"mcpServers": {{...}}}}. Mend it, or move it away.')
    return cast("dict[str, Any]", data)


def _lesson(root: Path, path: Path, text: str) -> Lesson:
    old = _read(root, path)
    done: _Done = "written" if old is None else "unchanged" if old == text else "updated"
    return Lesson(path=root / path, text=text, done=done)


def _read(root: Path, path: Path) -> str | None:
    """Return a file's text as it is, or None where there is none. Refuses what a link leads out of the project."""
    place = root / path
    if not place.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"{place} leads out of the project, to {place.resolve()}. Headway writes inside of {root} only."
        )
    try:
        return place.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise UsageError(f"{place} is no UTF-8 text. Move it away, and type it again.") from error
    except OSError as error:
        raise UsageError(f"{place} cannot be read ({error.strerror}). A file is expected there, or nothing.") from error


def _write(path: Path, text: str) -> None:
    from headway.studies.report.replacing import replacing

    path.resolve().parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode())
        if path.exists():
            shutil.copymode(path, temporary)
