"""Reading a YAML file with PyYAML's safe loader, and taking typed values from what it holds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from headway.core import MissingExtra, UsageError


def load_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a file holds. Raises `UsageError` where it holds none, `MissingExtra` without PyYAML."""
    try:
        import yaml
    except ImportError as error:
        raise MissingExtra("PyYAML", "yaml", f"Reading {path.name}") from error
    try:
        data: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path} holds no mapping of names to values.")
    return cast("dict[str, Any]", data)


def section(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a nested mapping, empty where there is none."""
    found = data.get(name)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def texts(path: Path, name: str, value: object) -> tuple[str, ...]:
    """Return a list of texts, or raise `UsageError` that shows what stands there."""
    if value is None:
        return ()
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in items):
        raise UsageError(f"{path} has {name}: {value!r}. Expected a list of paths or globs.")
    return tuple(cast("list[str]", items))


def seconds(path: Path, name: str, value: object, default: float) -> float:
    """Return a positive number of seconds."""
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise UsageError(f"{path} has {name}: {value!r}. Expected a number of seconds above 0.")
    return float(value)
