"""Configurations as people and agents write them: what is not given is the baseline's, and spaces in a few words."""

from collections.abc import Mapping, Sequence
from typing import Any

from headway.core import Choice, Float, Int, Parameter, Scalar, Space, exists

__all__ = ["changes", "completed", "space_text"]


def completed(space: Space, given: Mapping[str, Any], baseline: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the baseline's values where a parameter exists beside what stands above it.

    What is wrong with what was given is left for `Space.check` to say.
    """
    config: dict[str, Any] = {**space.constants, **given}
    known: dict[str, Any] = dict(space.constants)
    for name, parameter in space:
        if not exists(parameter, known):
            continue
        if name not in config and name in baseline:
            config[name] = baseline[name]
        if name in config:
            known[name] = config[name]
    return config


def changes(config: Mapping[str, Any], baseline: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a configuration has otherwise than the baseline: null where it leaves a parameter out."""
    absent = object()
    names = [*config, *(name for name in baseline if name not in config)]
    return {name: config.get(name) for name in names if config.get(name, absent) != baseline.get(name, absent)}


def space_text(space: Space) -> dict[str, str]:
    """Return what each parameter may be, in a few words.

    >>> space_text(Space.of({"lr": Float(1e-4, 1.0, log=True), "act": Choice(["relu", "gelu"])}))
    {'lr': 'float 0.0001..1.0 log', 'act': "one of 'relu', 'gelu'"}
    """
    return {name: _parameter_text(parameter) for name, parameter in space}


def _parameter_text(parameter: Parameter) -> str:
    match parameter:
        case Float():
            text = f"float {parameter.low}..{parameter.high}"
        case Int():
            text = f"int {parameter.low}..{parameter.high}"
        case Choice():
            text = "one of " + ", ".join(map(repr, parameter.values))
    if isinstance(parameter, Float | Int):
        text += (" log" if parameter.log else "") + (f" step {parameter.step}" if parameter.step else "")
    conditions = [f"{name} is {_wanted(value)}" for name, value in (parameter.when or {}).items()]
    return f"{text} when {' and '.join(conditions)}" if conditions else text


def _wanted(value: Scalar | Sequence[Scalar]) -> str:
    values = [value] if isinstance(value, str) or not isinstance(value, Sequence) else value
    return " or ".join(map(repr, values))
