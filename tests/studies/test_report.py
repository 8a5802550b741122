"""The report on real stores: what it shows, what it escapes, and that it stands alone."""

import base64
import hashlib
import html
import math
import random
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headway.studies.report as report_package
from headway.core import Choice, Float, Int, Reason, Role, Space, TrialState
from headway.store import Curve, Point, Store
from headway.studies.report import report_path, write_report
from headway.studies.report.markup import Html, join, tag
from headway.studies.report.scale import Scale
from headway.studies.report.traces import thin
from headway.studies.summary import summarize
from headway.validate import compare_paired

SPACE = Space.of(
    {
        "learning_rate": Float(1e-4, 1e-1, log=True),
        "layers": Int(2, 12),
        "optimizer": Choice(["adamw", "muon", "sgd"]),
        "warmup": Float(0.0, 0.2),
        "steps": 400,
    }
)
BASELINE = {"learning_rate": 3e-3, "layers": 6, "optimizer": "adamw", "warmup": 0.05, "steps": 400}
VOID = {"meta", "link", "br", "line", "rect", "circle", "path"}


class FixedClock:
    def now(self):
        return 1_760_000_000.0

    def monotonic(self):
        return 0.0


class Recorder:
    """Write a study as the engine would, without running anything."""

    def __init__(self, store, name="tiny-gpt", metric="val_loss", direction="minimize", budget=None, space=SPACE):
        self.store, self.metric, self.direction = store, metric, direction
        self.study = store.studies.create(
            name=name,
            definition={
                "experiment": {"name": "train"}, "direction": direction, "space": space.to_json(), "baseline": BASELINE,
                "sampler": "tpe", "scheduler": "asha", "seeds": 4, "finalists": 2, "seed": 0, "level": 0.95,
            },
            settings={"budget": budget or {"trials": 48, "seconds": 7200.0}},
            source="examples/study.py",
            experiment="e" * 20,
            metric=metric,
            direction=direction,
        )  # fmt: skip
        self.candidates = {}

    def propose(self, number, config, proposer="tpe", parents=()):
        self.candidates[number] = self.store.studies.add_candidate("e" * 20, config)
        self.store.studies.propose(self.study.id, number, self.candidates[number], proposer, parents)

    def trial(self, number, seed, role, *, state=TrialState.COMPLETE, value=None, points=(), wall=20.0, reused=False, **end):
        trial = self.store.trials.create(self.candidates[number], seed)
        self.store.trials.place(self.study.id, trial, role, number, reused=reused)
        if state == TrialState.QUEUED:
            return trial
        attempt = self.store.trials.begin(trial, self.study.id, f"runs/{trial}/1", {})
        self.store.curves.fold(trial, attempt, points)
        if state != TrialState.RUNNING:
            self.store.trials.end_attempt(
                attempt, str(state), wall_seconds=wall, cpu_seconds=wall * 1.5, peak_memory_bytes=3 << 28
            )
            self.store.trials.end(trial, state, value=value, **end)
        return trial

    def decide(self, number, finalists=1):
        by_seed = {}
        for place in self.store.trials.of_study(self.study.id):
            if place.role != Role.SEARCH and place.trial.seed > 0 and place.trial.value is not None:
                by_seed.setdefault(place.number, {})[place.trial.seed] = place.trial.value
        found = compare_paired(
            by_seed[number], by_seed[0], metric=self.metric, direction=self.direction, comparisons=finalists
        )
        data = found.to_json()
        decision, sentence = data.pop("decision"), data.pop("sentence")
        self.store.studies.decide(
            self.study.id, self.candidates[number], self.candidates[0], str(decision), sentence,
            data | {"seeds": sorted(by_seed[number].keys() & by_seed[0].keys())},
        )  # fmt: skip

    def write(self):
        path = write_report(self.store, self.summary(), clock=FixedClock())
        return path.read_text(encoding="utf-8")

    def summary(self):
        return summarize(self.store, self.store.studies.get(self.study.name))


def training(draw, final, horizon=400, until=400):
    points = []
    for step in range(0, until, 2):
        loss = final + 7.5 * math.exp(-step / 12) + 0.9 * math.exp(-step / 110) + draw.gauss(0, 0.012)
        points.append(Point("val_loss", step, loss, step * 0.05))
        points.append(Point("train_loss", step, loss - 0.08 + draw.gauss(0, 0.05), step * 0.05))
        points.append(Point("lr", step, 3e-3 * (1 - step / horizon), step * 0.05))
        points.append(Point("grad_norm", step, math.exp(draw.gauss(0, 0.4)) + (40 if step == 4 else 0), step * 0.05))
    return points


def final_of(config, draw):
    lr = math.log10(config["learning_rate"] / 9e-3)
    tilt = {"adamw": 0.0, "muon": -0.06, "sgd": 0.25}[config["optimizer"]]
    return 3.2 + 0.16 * lr * lr - 0.012 * (config["layers"] - 6) + tilt + draw.gauss(0, 0.006)


def rich(store):
    """Record a study with everything in it: verdicts, early stops, crashes, NaN, an identical candidate, a running one."""
    draw = random.Random(3)
    study = Recorder(store)
    noise = {seed: draw.gauss(0, 0.02) for seed in range(5)}

    def run(number, config, seed, role, **more):
        value = final_of(config, draw) + noise[seed]
        study.trial(number, seed, role, value=value, points=training(draw, value), step=400, horizon=400, **more)

    study.propose(0, BASELINE, "baseline")
    for seed in range(5):
        run(0, BASELINE, seed, Role.BASELINE, reused=seed == 3)
    best = []
    for number in range(1, 25):
        config = SPACE.at([draw.random() for _ in SPACE.parameters])
        study.propose(number, config, "queue" if number == 9 else "tpe", (study.candidates[0],))
        kind = "crash" if number in (5, 11, 17) else "nan" if number == 14 else "stop" if number % 4 == 2 else "run"
        if kind == "run":
            run(number, config, 0, Role.SEARCH)
            best.append((final_of(config, random.Random(0)), number, config))
        elif kind == "stop":
            value = final_of(config, draw) + 0.4
            study.trial(number, 0, Role.SEARCH, state=TrialState.STOPPED, reason=Reason.SCHEDULER, value=value, wall=6.0,
                        message="at step 100 it was 14th of 17", points=training(draw, value, until=100), step=100, horizon=400)  # fmt: skip
        elif kind == "crash":
            study.trial(number, 0, Role.SEARCH, state=TrialState.FAILED, reason=Reason.EXCEPTION, wall=3.0, fingerprint="a41f09c3d2e1",
                        message=f"OutOfMemoryError: tried to allocate {number}.2 GiB on a device with 8 GiB\n"
                                '  File "train.py", line 41, in step\n    loss.backward()')  # fmt: skip
        else:
            points = training(draw, 3.4, until=160)
            points += [Point("val_loss", 160 + i, math.nan if i else math.inf, 9.0) for i in range(4)]
            study.trial(number, 0, Role.SEARCH, state=TrialState.FAILED, reason=Reason.NOT_FINITE, wall=8.0,
                        message="val_loss is nan at step 161", points=points, step=163, horizon=400)  # fmt: skip
    study.propose(25, {**BASELINE, "warmup": 0.06}, "agent:claude")
    same = study.summary().candidates[0].value
    study.trial(25, 0, Role.SEARCH, value=same, points=training(draw, same), step=400, horizon=400)
    study.propose(26, {**BASELINE, "layers": 8}, "agent:claude")
    study.trial(26, 0, Role.SEARCH, state=TrialState.RUNNING, points=training(draw, 3.2, until=60))
    study.propose(27, {**BASELINE, "layers": 9}, "agent:claude")
    study.trial(27, 0, Role.SEARCH, state=TrialState.QUEUED)
    finalists = [best_item[1:] for best_item in sorted(best)[:3]]
    finalists.append(next((number, config) for value, number, config in best if value > 3.35))
    for number, config in finalists:
        for seed in range(1, 5):
            run(number, config, seed, Role.CONFIRM)
    for number, _ in finalists:
        study.decide(number, len(finalists))
    store.studies.decide(study.study.id, study.candidates[25], study.candidates[0], "identical",
                         "Identical: with seed 0 it gives the baseline's curves, bit for bit.", {})  # fmt: skip
    for kind, amount in (("trials", 39), ("seconds", 430.0), ("slot seconds", 860.0), ("busy slot seconds", 790.0)):
        store.studies.charge(study.study.id, kind, amount)
    store.studies.set_state(study.study.id, "finished")
    return study


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / ".headway") as opened:
        yield opened
