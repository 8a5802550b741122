"""The search space: which configurations an experiment can take, and how a point of the unit cube becomes one.

A space maps names to parameters. A plain value is a constant. A parameter with `when` exists only where the named
parents have one of the given values:

    {
        "lr": Float(1e-4, 1e-1, log=True),
        "layers": Int(1, 8),
        "optimizer": Choice(["adamw", "muon"]),
        "momentum": Float(0.8, 0.99, when={"optimizer": "muon"}),
        "batch": 32,
    }

Samplers see numbers between 0 and 1 (`Space.at`) or the parameters themselves; both go through `Space.check`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self, TypeVar, cast

from headway.core.digest import canonical_json, digest
from headway.core.errors import SpaceError
from headway.core.names import fields_checked, suggestion
from headway.core.scalars import Scalar, check_constant, check_range, is_real, is_whole

__all__ = ["Choice", "Config", "Float", "Int", "Parameter", "Scalar", "Space", "exists"]

Config = Mapping[str, Any]
Condition = Mapping[str, Scalar | Sequence[Scalar]]
_Value = TypeVar("_Value")


@fields_checked("headway.Float(1e-4, 1e-1, log=True)")
@dataclass(frozen=True, slots=True)
class Float:
    """Search real numbers in [low, high]: `log` spreads them evenly in the logarithm, `step` keeps to a grid."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    when: Condition | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_range("Float", self.low, self.high, self.log, self.step)

    @property
    def count(self) -> int | None:
        """Return how many values there are: None without a step, as for all real numbers."""
        if self.step is not None:
            return math.floor((self.high - self.low) / self.step + 1e-9) + 1
        return 1 if self.low == self.high else None

    def at(self, u: float) -> float:
        """Return the value at the quantile `u` in [0, 1]."""
        if self.step is not None and self.count is not None:
            return self._on_step(min(int(u * self.count), self.count - 1))
        if u in (0.0, 1.0):
            return float(self.high if u else self.low)
        if self.log:
            value = math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + u * (self.high - self.low)
        return min(max(value, self.low), self.high)

    def _on_step(self, index: int) -> float:
        # In decimals, so that the third step of 0.1 is the 0.3 that people type, and not 0.30000000000000004.
        value = Decimal(str(float(self.low))) + index * Decimal(str(float(self.step or 0.0)))
        return min(float(value), float(self.high))

    def grid(self, points: int) -> list[float]:
        """Return at most `points` values that span the range."""
        if self.step is not None and self.count is not None:
            return _unique([self._on_step(index) for index in _spread(self.count, points)])
        # Twelve digits, so that powers of ten are those that people type: 0.001, not 0.0010000000000000002.
        values = (float(f"{self.at(index / max(points - 1, 1)):.12g}") for index in range(points))
        return _unique([min(max(value, float(self.low)), float(self.high)) for value in values])

    def problem(self, value: object) -> str | None:
        """Say what is wrong with `value`, or return None."""
        if not is_real(value) or value != value:
            return f"expected a finite number in [{self.low}, {self.high}]"
        return None if self.low <= value <= self.high else f"expected a number in [{self.low}, {self.high}]"

    def clean(self, value: Scalar) -> Scalar:
        """Return the one form in which equal values are stored."""
        return float(cast("float", value)) + 0.0  # -0.0 + 0.0 is 0.0: equal numbers share one text


@fields_checked("headway.Int(1, 8)")
@dataclass(frozen=True, slots=True)
class Int:
    """Search whole numbers in [low, high], both included: `log` spreads them evenly in the logarithm."""

    low: int
    high: int
    log: bool = False
    step: int | None = None
    when: Condition | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name, value in (("low", self.low), ("high", self.high), ("step", self.step)):
            if not (is_whole(value) or (name == "step" and value is None)):
                raise SpaceError(f"Int has {name}={value!r}. Expected a whole number; use Float for real ones.")
        check_range("Int", self.low, self.high, self.log, self.step)

    @property
    def count(self) -> int:
        """Return how many values there are."""
        return (self.high - self.low) // (self.step or 1) + 1

    def at(self, u: float) -> int:
        """Return the value at the quantile `u` in [0, 1]."""
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + u * (high - low))), self.low), self.high)
        return self.low + (self.step or 1) * min(int(u * self.count), self.count - 1)

    def grid(self, points: int) -> list[int]:
        """Return at most `points` values that span the range: all values, if these are not more."""
        if self.log and self.count > points:
            low, high = math.log(self.low), math.log(self.high)
            steps = [low + (high - low) * index / max(points - 1, 1) for index in range(points)]
            return _unique([min(max(round(math.exp(value)), self.low), self.high) for value in steps])
        return _unique([self.low + (self.step or 1) * index for index in _spread(self.count, points)])

    def problem(self, value: object) -> str | None:
        """Say what is wrong with `value`, or return None."""
        fits = is_whole(value) and self.low <= value <= self.high
        return None if fits else f"expected a whole number in [{self.low}, {self.high}]"

    def clean(self, value: Scalar) -> Scalar:
        """Return the one form in which equal values are stored."""
        return int(cast("int", value))


@fields_checked('headway.Choice(["adamw", "muon"])')
@dataclass(frozen=True, slots=True)
class Choice:
    """Search a list of values without order: strings, numbers, booleans or None."""

    values: Sequence[Scalar]
    when: Condition | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.values, str) or not isinstance(self.values, Sequence) or not self.values:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SpaceError(
                f"Choice({self.values!r}) has nothing to choose from. Give a list with at least one value: "
                'Choice(["adamw", "muon"]).'
            )
        for value in self.values:
            if not isinstance(value, bool | int | float | str | None):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise SpaceError(f"Choice has {value!r}. Expected a string, a number, a boolean or None; name it.")
            if isinstance(value, float) and not math.isfinite(value):
                raise SpaceError(f"Choice has {value!r}, which has no JSON form. Give a finite number or a name.")
        if len({(isinstance(value, bool), value) for value in self.values}) < len(self.values):
            raise SpaceError(f"Choice({list(self.values)!r}) names a value twice. Name each once.")
        object.__setattr__(self, "values", tuple(self.values))

    @property
    def count(self) -> int:
        """Return how many values there are."""
        return len(self.values)

    def at(self, u: float) -> Scalar:
        """Return the value at the quantile `u` in [0, 1]."""
        return self.values[min(int(u * len(self.values)), len(self.values) - 1)]

    def grid(self, points: int) -> list[Scalar]:
        """Return all values: a grid leaves out none."""
        del points
        return list(self.values)

    def problem(self, value: object) -> str | None:
        """Say what is wrong with `value`, or return None."""
        known = any(value == item and isinstance(value, bool) == isinstance(item, bool) for item in self.values)
        return None if known else f"expected one of {list(self.values)!r}"

    def clean(self, value: Scalar) -> Scalar:
        """Return the one form in which equal values are stored."""
        return next(item for item in self.values if item == value and isinstance(item, bool) == isinstance(value, bool))


Parameter = Float | Int | Choice


@dataclass(frozen=True, slots=True)
class Space:
    """Hold the parameters and constants of an experiment in an order in which parents come before children."""

    parameters: Mapping[str, Parameter]
    constants: Mapping[str, Scalar]

    @classmethod
    def of(cls, definition: "Mapping[str, Parameter | Scalar] | Space") -> "Space":
        """Build a space from what people write: names to parameters, or to plain values for constants."""
        if isinstance(definition, Space):
            return definition
        if not isinstance(definition, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SpaceError(
                f"The space {definition!r} is of type {type(definition).__name__}. Expected names and what they may "
                'be: {"lr": headway.Float(1e-4, 1e-1, log=True), "layers": headway.Int(1, 8)}.'
            )
        parameters: dict[str, Parameter] = {}
        constants: dict[str, Scalar] = {}
        for name, value in definition.items():
            if not isinstance(name, str) or not name.isidentifier():  # pyright: ignore[reportUnnecessaryIsInstance]
                raise SpaceError(f"The parameter name {name!r} is no identifier. Use letters, digits and underscores.")
            if isinstance(value, Float | Int | Choice):
                parameters[name] = value
            else:
                constants[name] = check_constant(name, value)
        ordered = _parents_first(parameters, constants)
        for name, parameter in ordered.items():
            _check_condition(name, parameter, parameters)
        return cls(ordered, constants)

    def __iter__(self) -> Iterator[tuple[str, Parameter]]:
        return iter(self.parameters.items())

    def at(self, point: Sequence[float] | Mapping[str, float]) -> dict[str, Any]:
        """Return the configuration at a point of the unit cube, one coordinate a parameter, in the space's order.

        Coordinates of parameters that do not exist there are ignored.
        """
        given = point if isinstance(point, Mapping) else dict(zip(self.parameters, point, strict=True))
        config: dict[str, Any] = dict(self.constants)
        for name, parameter in self.parameters.items():
            if exists(parameter, config):
                config[name] = parameter.at(given[name])
        return self.check(config)

    def check(self, config: Config) -> dict[str, Any]:
        """Return `config` complete and in canonical form, or raise `SpaceError` with all that is wrong.

        Constants are filled in. A parameter whose condition does not hold must be absent.
        """
        if not isinstance(config, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            names = ", ".join([*self.parameters, *self.constants])
            raise SpaceError(f"{config!r} is no configuration. Expected a dict that gives a value to each of: {names}.")
        problems: list[str] = []
        clean: dict[str, Any] = dict(self.constants)
        for name, parameter in self.parameters.items():
            if not exists(parameter, clean):
                if name in config:
                    problems.append(f"{name!r} exists only when {_condition_text(parameter.when)}: leave it out")
            elif name not in config:
                problems.append(f"{name!r} is missing: {parameter.problem(object())}")
            elif (problem := parameter.problem(config[name])) is not None:
                problems.append(f"{name!r} is {config[name]!r}: {problem}")
            else:
                clean[name] = parameter.clean(config[name])
        problems += self._strangers(config)
        if problems:
            raise SpaceError("The configuration does not fit the search space: " + "; ".join(problems) + ".")
        return {name: clean[name] for name in sorted(clean)}

    def _strangers(self, config: Config) -> list[str]:
        known = [*self.parameters, *self.constants]
        problems: list[str] = []
        for name in config:
            if name not in known:
                hint = suggestion(str(name), known).rstrip(".")
                problems.append(f"{name!r} is unknown ({hint[0].lower()}{hint[1:]})")
            elif name in self.constants and canonical_json(config[name]) != canonical_json(self.constants[name]):
                problems.append(f"{name!r} is the constant {self.constants[name]!r}, not {config[name]!r}")
        return problems

    def to_json(self) -> dict[str, Any]:
        """Return the canonical JSON form; `from_json` reads it."""
        return {
            "parameters": {name: _parameter_json(parameter) for name, parameter in self.parameters.items()},
            "constants": dict(self.constants),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        kinds: dict[str, Any] = {"float": Float, "int": Int, "choice": Choice}
        parameters = {
            name: kinds[item["kind"]](**{key: value for key, value in item.items() if key != "kind"})
            for name, item in data["parameters"].items()
        }
        return cls(_parents_first(parameters, data["constants"]), dict(data["constants"]))

    @property
    def digest(self) -> str:
        """Digest the canonical form: spaces with equal parameters share it."""
        return digest(self.to_json())


def exists(parameter: Parameter, config: Config) -> bool:
    """Tell whether a conditional parameter exists beside the values that `config` already holds."""
    conditions: Condition = parameter.when or {}
    return all(parent in config and config[parent] in _allowed(wanted) for parent, wanted in conditions.items())


def _allowed(wanted: Scalar | Sequence[Scalar]) -> Sequence[Scalar]:
    return wanted if isinstance(wanted, Sequence) and not isinstance(wanted, str) else (wanted,)


def _condition_text(when: Condition | None) -> str:
    return " and ".join(f"{name} is {' or '.join(map(repr, _allowed(value)))}" for name, value in (when or {}).items())


def _check_condition(name: str, parameter: Parameter, parameters: Mapping[str, Parameter]) -> None:
    """Refuse a parameter that can never exist, as its condition names a value that its parent cannot have."""
    for parent, wanted in (parameter.when or {}).items():
        for value in _allowed(wanted):
            if parent in parameters and (problem := parameters[parent].problem(value)) is not None:
                raise SpaceError(
                    f"The parameter {name!r} exists only when {_condition_text(parameter.when)}, but {parent!r} can "
                    f"never be {value!r}: {problem}."
                )


def _parents_first(parameters: Mapping[str, Parameter], constants: Mapping[str, Scalar]) -> dict[str, Parameter]:
    ordered: dict[str, Parameter] = {}
    waiting = dict(parameters)
    for name, item in parameters.items():
        if not isinstance(item.when, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SpaceError(
                f"The parameter {name!r} has when={item.when!r}. Expected a dict: {{'optimizer': 'muon'}}."
            )
    while waiting:
        ready = [
            name for name, item in waiting.items() if all(p in ordered or p in constants for p in (item.when or {}))
        ]
        if not ready:
            name, item = next(iter(waiting.items()))
            missing = [parent for parent in (item.when or {}) if parent not in parameters and parent not in constants]
            why = "the conditions form a circle."
            if missing:
                known = (*parameters, *constants)
                why = f"{missing[0]!r} is not in the space. {suggestion(missing[0], known)}"
            raise SpaceError(f"The parameter {name!r} exists only when {_condition_text(item.when)}, but {why}")
        for name in ready:
            ordered[name] = waiting.pop(name)
    return ordered


def _parameter_json(parameter: Parameter) -> dict[str, Any]:
    when = None if parameter.when is None else {k: list(_allowed(v)) for k, v in sorted(parameter.when.items())}
    tail: dict[str, Any] = {} if when is None else {"when": when}
    match parameter:
        case Float(low, high, log, step):
            return {"kind": "float", "low": float(low), "high": float(high), "log": log, "step": step} | tail
        case Int(low, high, log, step):
            grain = None if step is None else int(step)
            return {"kind": "int", "low": int(low), "high": int(high), "log": log, "step": grain} | tail
        case Choice(values):
            return {"kind": "choice", "values": list(values)} | tail


def _spread(count: int, points: int) -> list[int]:
    return (
        list(range(count)) if count <= points else [round(i * (count - 1) / max(points - 1, 1)) for i in range(points)]
    )


def _unique(values: list[_Value]) -> list[_Value]:
    return list(dict.fromkeys(values))
