"""`headway plan power`: what a comparison could detect, and how many seeds or questions an effect needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import NothingToDo, UsageError
from headway.interfaces.cli.app import Named, command
from headway.interfaces.cli.places import open_store, study_named
from headway.interfaces.cli.words import (
    Column,
    echo,
    echo_json,
    fact_lines,
    number_text,
    share_text,
    table_lines,
    wrapped,
)

if TYPE_CHECKING:
    from headway.store import Store, StudyRecord
    from headway.validate import Noise

__all__ = ["plan"]

_MULTIPLES = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """Hold what is asked, of seeds: the noise of one run, and how it will be compared."""

    noise: "Noise"
    source: str
    pairs: int | None
    effects: tuple[float, ...]
    correlation: float
    level: float
    power: float
    comparisons: int
    tests: tuple[int, int]  # that the project has made, and how many of them accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Hold one effect: what it needs, the chance to find it with what there is, and what "accepted" takes."""

    effect: float
    needed: int | None
    power: float | None
    accepted: int | None = None


@command("Ask, before running, what could be found.", {7: "the study's baseline has not run often enough"})
@click.argument("question", type=Named(["power"]))
@click.argument("study", required=False)
@click.option("--effect", "effects", type=float, multiple=True, help="An effect, in the metric's units (repeatable).")
@click.option("--sd", type=float, help="The standard deviation of one run, over seeds.")
@click.option("--degrees", type=float, help="How well --sd is known: the runs it was measured with, less one.")
@click.option("--pairs", type=click.IntRange(min=2), help="Paired seeds that there will be.")
@click.option(
    "--correlation", type=float, default=0.0, show_default=True, help="Of a candidate's and its baseline's run."
)
@click.option(
    "--variance", type=float, help="Instead of --sd, for an evaluation: of the score difference, by question."
)
@click.option("--questions", type=click.IntRange(min=2), help="Questions that there will be.")
@click.option(
    "--cluster-size",
    type=float,
    default=1.0,
    show_default=True,
    help="Questions a cluster, as those about one document.",
)
@click.option("--cluster-correlation", type=float, default=1.0, help="Of two questions of a cluster.")
@click.option("--level", type=float, help="Of the interval (default: the study's, or 0.95).")
@click.option("--power", type=float, default=0.8, show_default=True, help="The chance with which an effect is found.")
@click.option("--comparisons", type=click.IntRange(min=1), help="Finalists that are judged together.")
def plan(question: str, study: str | None, store: Path | None, as_json: bool, **asked: Any) -> None:
    """Say what a comparison could detect with its seeds, and how many seeds an effect needs.

    STUDY is a study's name or file: its noise is read from the runs of its baseline, and not known better than those
    allow. What is found is an interval on one side of zero. "Accepted" holds over the project and takes more pairs:
    with those in the last column, the effect is accepted about half the time. Without a study, give
    --sd. An evaluation is planned with --variance, in questions.
    """
    del question
    if asked["variance"] is not None:
        _refuse_mixed(asked, study, ("sd", "degrees", "pairs", "comparisons"))
        _plan_questions(asked, as_json)
        return
    _refuse_mixed(asked, None, ("questions",))
    _plan_seeds(_asked_of(study, store, asked), as_json)


def _refuse_mixed(asked: dict[str, Any], study: str | None, others: Sequence[str]) -> None:
    given = [f"--{name}" for name in others if asked[name] is not None] + ([] if study is None else [study])
    if given:
        raise UsageError(
            f"{' and '.join(given)} cannot be meant here: a STUDY, --sd, --degrees, --pairs and --comparisons plan "
            "seeds, --variance and --questions an evaluation. Give the ones or the others."
        )


def _asked_of(study: str | None, store: Path | None, asked: dict[str, Any]) -> _Question:
    from headway.validate import Noise

    found: dict[str, Any] = {"pairs": None, "level": 0.95, "comparisons": 1, "source": "given"}
    found["tests"] = (0, 0)
    if study is not None:
        with open_store(store) as opened:
            record = study_named(opened, _name_of(study))
            found = _settings_of(record) | {"tests": opened.evidence.counts()}
            if asked["sd"] is None:
                found["noise"], found["source"] = _baseline_noise(opened, record)
    if asked["sd"] is not None:
        found["noise"] = Noise(asked["sd"], math.inf if asked["degrees"] is None else asked["degrees"])
    if "noise" not in found:
        raise UsageError(
            "Nothing tells the noise. Give the standard deviation of one run with --sd, or name a study whose baseline "
            "ran with several seeds: headway plan power STUDY. An evaluation takes --variance."
        )
    if found["noise"].sd == 0:
        raise UsageError("The noise is 0, so any effect shows in the first runs. Give a --sd above 0.")
    given = {name: asked[name] for name in ("pairs", "level", "comparisons") if asked[name] is not None}
    effects = asked["effects"] or tuple(found["noise"].sd * multiple for multiple in _MULTIPLES)
    return _Question(**{**found, **given}, effects=effects, correlation=asked["correlation"], power=asked["power"])


def _name_of(study: str) -> str:
    """Return the name of a study that was given by name or by file."""
    if not study.endswith(".py"):
        return study
    from headway.studies import studies_in

    names = list(studies_in(Path(study)))
    if len(names) != 1:
        raise UsageError(
            f"{study} declares {len(names)} studies: {', '.join(names)}. Name one: headway plan power NAME"
        )
    return names[0]


def _settings_of(record: "StudyRecord") -> dict[str, Any]:
    definition = record.definition
    return {
        "pairs": max(2, int(definition["seeds"])),
        "level": float(definition.get("level", 0.95)),
        "comparisons": max(1, int(definition.get("finalists", 1))),
        "source": "given",
    }


def _baseline_noise(store: "Store", record: "StudyRecord") -> "tuple[Noise, str]":
    import statistics

    from headway.core import TrialState
    from headway.validate import Noise

    places = store.places.of_numbers(record.id, [0])
    values = {
        place.trial.seed: place.trial.value
        for place in places
        if place.trial.value is not None and place.trial.state == TrialState.COMPLETE
    }
    if len(values) < 2:
        raise NothingToDo(
            f"The baseline of {record.name!r} has {len(values)} complete run{'' if len(values) == 1 else 's'}, and "
            f"noise takes 2. Run the study first (headway run {record.source}), or give the noise with --sd."
        )
    sd = statistics.stdev(values.values())
    if sd == 0:
        raise NothingToDo(
            f"All {len(values)} runs of the baseline of {record.name!r} came to {next(iter(values.values())):g}: the "
            "seed does not change the result, so there is nothing to plan for. Give another noise with --sd."
        )
    return Noise(sd, len(values) - 1), f"{len(values)} runs of the baseline of {record.name}"


def _plan_seeds(question: _Question, as_json: bool) -> None:
    from headway.validate import detectable_effect, pairs_needed, power_of_pairs

    shared: dict[str, Any] = {
        "correlation": question.correlation, "level": question.level, "comparisons": question.comparisons
    }  # fmt: skip
    rows = [
        _Row(
            effect=effect,
            needed=pairs_needed(effect, question.noise, power=question.power, **shared),
            power=question.pairs and power_of_pairs(question.pairs, effect, question.noise, **shared),
            accepted=_pairs_to_accept(question, effect),
        )
        for effect in question.effects
    ]
    least = question.pairs and detectable_effect(question.pairs, question.noise, power=question.power, **shared)
    degrees = question.noise.degrees
    known = "" if math.isinf(degrees) else f", known with {degrees:g} degree{'' if degrees == 1 else 's'} of freedom"
    facts = [
        ("noise", f"sd {number_text(question.noise.sd, 3)} of one run ({question.source}{known})"),
        ("rule", f"{question.level * 100:g} % interval, power {share_text(question.power)}"
                 + (f", {question.comparisons} finalists" if question.comparisons > 1 else "")),
    ]  # fmt: skip
    sentence = _sentence(question.pairs, "paired seeds", least, rows, question.power)
    if as_json:
        echo_json(
            {
                "noise": {"sd": question.noise.sd, "degrees": degrees, "source": question.source},
                "pairs": question.pairs, "correlation": question.correlation, "level": question.level,
                "power": question.power, "comparisons": question.comparisons, "detectable_effect": least,
                "effects": [
                    {
                        "effect": row.effect, "pairs_needed": row.needed, "power": row.power,
                        "pairs_to_accept": row.accepted,
                    }
                    for row in rows
                ],
                "sentence": sentence,
            }
        )  # fmt: skip
        return
    echo(_lines(facts, rows, "pairs needed", question.pairs, "pairs", sentence))


def _pairs_to_accept(question: _Question, effect: float) -> int | None:
    """Return with how many pairs such an effect is accepted about half the time, as the project's next test."""
    from headway.validate import OnlineFdr, further_pairs

    tests, discoveries = question.tests
    threshold = OnlineFdr(level=1 - question.level, tests=tests, discoveries=discoveries).test(0.0).threshold
    sd = question.noise.sd * math.sqrt(2 * (1 - question.correlation))
    further = further_pairs(1, abs(effect), sd, math.log(2 * threshold))  # half the stake: `paired_evidence`
    return None if further is None else 1 + further


def _plan_questions(asked: dict[str, Any], as_json: bool) -> None:
    from headway.validate import design_effect, detectable_difference, questions_needed

    level = 0.95 if asked["level"] is None else asked["level"]
    power, questions = asked["power"], asked["questions"]
    inflation = design_effect(asked["cluster_size"], asked["cluster_correlation"])
    shared: dict[str, Any] = {"variance": asked["variance"], "design_effect": inflation, "level": level, "power": power}
    effects: Sequence[float] = asked["effects"] or (0.01, 0.02, 0.03, 0.05)
    rows = [_Row(effect=effect, needed=questions_needed(effect, **shared), power=None) for effect in effects]
    least = questions and detectable_difference(questions, **shared)
    sentence = _sentence(questions, "questions", least, rows, power)
    if as_json:
        echo_json(
            {
                "variance": asked["variance"], "design_effect": inflation, "questions": questions, "level": level,
                "power": power, "detectable_effect": least,
                "effects": [{"effect": row.effect, "questions_needed": row.needed} for row in rows],
                "sentence": sentence,
            }
        )  # fmt: skip
        return
    facts = [
        ("variance", f"{number_text(asked['variance'], 3)} of the score difference, by question"),
        (
            "clusters",
            f"{number_text(inflation, 3)} times as many questions as independent ones" if inflation > 1 else "",
        ),
        ("rule", f"{level * 100:g} % interval, power {share_text(power)}"),
    ]
    echo(_lines(facts, rows, "questions needed", None, "questions", sentence))


def _lines(
    facts: Sequence[tuple[str, str]], rows: Sequence[_Row], needed: str, count: int | None, unit: str, sentence: str
) -> list[str]:
    columns = [Column("effect", right=True), Column(needed, right=True)]
    columns += [Column(f"found with {count} {unit}", right=True)] if count else []
    columns += [Column("pairs to be accepted", right=True)] if unit == "pairs" else []
    cells = [
        [number_text(row.effect, 3), "> 100000" if row.needed is None else f"{row.needed}"]
        + ([share_text(row.power)] if count else [])
        + ([("> 1000" if row.accepted is None else f"{row.accepted}")] if unit == "pairs" else [])
        for row in rows
    ]
    return [*fact_lines(facts, indent=0), "", *table_lines(columns, cells), "", wrapped(sentence)]


def _sentence(count: int | None, unit: str, least: float | None, rows: Sequence[_Row], power: float) -> str:
    if least is not None:
        size = number_text(least, 3)
        return f"{count} {unit} find an effect of {size} with a chance of {share_text(power)}; smaller ones seldom."
    row = rows[0]
    size = number_text(row.effect, 3)
    many = "more than 100,000" if row.needed is None else str(row.needed)
    return f"An effect of {size} takes {many} {unit} to be found with a chance of {share_text(power)}."
