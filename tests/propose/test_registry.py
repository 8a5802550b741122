import logging
from importlib.metadata import EntryPoint, EntryPoints
from typing import cast

import pytest

from headway.core import Choice, MissingExtra, Space, UsageError
from headway.propose import (
    GridSampler,
    OptunaSampler,
    RandomSampler,
    SamplerFactory,
    SobolSampler,
    make_sampler,
    optuna,
    registry,
)

SPACE = Space.of({"batch": Choice([16, 32])})


def make_ours(space, *, seed, direction):
    return RandomSampler(space, seed=seed)


def not_a_sampler(space, *, seed, direction):
    return ["adamw"]


@pytest.fixture
def plugged(monkeypatch):
    def plug(**points):
        found = EntryPoints(EntryPoint(name, value, registry.ENTRY_POINTS) for name, value in points.items())
        monkeypatch.setattr(registry, "entry_points", found.select)

    return plug


@pytest.mark.parametrize(
    ("name", "kind"),
    [("grid", GridSampler), ("random", RandomSampler), ("sobol", SobolSampler), ("tpe", OptunaSampler)],
)
def test_built_in_samplers_are_known_by_name(name, kind, monkeypatch):
    monkeypatch.setattr(registry, "entry_points", None)  # not looked up for these
    assert isinstance(make_sampler(name, SPACE, seed=0, direction="minimize"), kind)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UsageError, match=r"no sampler 'sobel'\. Did you mean 'sobol'\? Known samplers: grid, random"):
        make_sampler("sobel", SPACE, seed=0, direction="minimize")


def test_a_factory_takes_the_place_of_a_name():
    assert isinstance(make_sampler(make_ours, SPACE, seed=0, direction="maximize"), RandomSampler)


def test_a_factory_that_makes_something_else_is_named():
    with pytest.raises(UsageError, match=r"not_a_sampler.* made a list"):
        make_sampler(cast("SamplerFactory", not_a_sampler), SPACE, seed=0, direction="maximize")


def test_a_plug_in_is_found_by_its_entry_point(plugged):
    plugged(ours="headway.propose.registry:_random")
    assert isinstance(make_sampler("ours", SPACE, seed=0, direction="minimize"), RandomSampler)


def test_a_broken_plug_in_is_reported_by_name_and_skipped(plugged, caplog):
    plugged(ours="no_such_module_of_ours:Sampler", other="headway.propose.registry:_random")
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(UsageError, match=r"'ours' \(no_such_module_of_ours:Sampler\) cannot be loaded: ModuleNotFound"),
    ):
        make_sampler("ours", SPACE, seed=0, direction="minimize")
    assert "ours" in caplog.text
    assert isinstance(make_sampler("other", SPACE, seed=0, direction="minimize"), RandomSampler)


def test_tpe_without_optuna_names_the_extra(monkeypatch):
    monkeypatch.setattr(optuna, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'headway\[optuna\]'"):
        make_sampler("tpe", SPACE, seed=0, direction="minimize")
