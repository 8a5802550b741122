"""A study's summary with what every part of the report asks of it: names, colours, digits, differences."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.core import Direction, Role, TrialState
from headway.store import StudyTrial, VerdictRecord
from headway.studies.report.scale import quantile
from headway.studies.report.words import decimals_for, real, short
from headway.studies.summary import CandidateRow, StudySummary

__all__ = ["ABSENT", "Finding", "View", "row_name", "search_trial"]

ABSENT = "absent"
_SERIES = 6  # colours of the Okabe-Ito palette that are neither black nor grey
_ORDER = {"accepted": 0, "undecided": 1, "rejected": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Hold a verdict that measured something: an effect, its interval, and the paired differences behind it."""

    verdict: VerdictRecord
    effect: float
    low: float
    high: float
    differences: tuple[float, ...]

    @property
    def half_width(self) -> float:
        """Return half of the interval's length."""
        return (self.high - self.low) / 2


class View:
    """Answer the questions that several parts of the report share."""

    def __init__(self, summary: StudySummary, folder: Path) -> None:
        self.summary = summary
        self.metric = summary.metric
        self.direction: Direction = summary.direction
        self._root = folder.parent
        self.store_name = folder.name
        self._rows = {row.candidate: row for row in reversed(summary.candidates)}
        self.baseline = next((row for row in summary.candidates if row.number == 0), None)
        self.verdicts = {item.candidate: item for item in summary.verdicts}
        self.findings = [found for item in summary.verdicts if (found := self._finding(item)) is not None]
        self._series = self._colours()
        self.decimals = self._digits()

    def row(self, candidate: str) -> CandidateRow | None:
        """Return a candidate's row; None where the study never listed it."""
        return self._rows.get(candidate)

    def name(self, candidate: str) -> str:
        """Name a candidate as people point at it."""
        row = self.row(candidate)
        return f"candidate {candidate[:8]}" if row is None else row_name(row)

    def series(self, number: int) -> str:
        """Return the class that colours a candidate: `base`, `s0` to `s5` (the seventh is `s0 again`), or `rest`."""
        return self._series.get(number, "rest")

    def changes(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a configuration has otherwise than the baseline, in its order; `ABSENT` where it lacks a name."""
        base = self.summary.baseline
        names = [*base, *(name for name in config if name not in base)]
        missing = object()
        return {
            name: config.get(name, ABSENT) for name in names if base.get(name, missing) != config.get(name, missing)
        }

    def change_of(self, row: CandidateRow) -> str:
        """Say what a candidate changes: its configuration from what to what, and code by its proposer's words."""
        knobs = self.changes_text(row.config)
        if not row.changes_code:
            return knobs
        return " · ".join(part for part in (row.note or "a change of code", knobs) if part)

    def changes_text(self, config: Mapping[str, Any]) -> str:
        """Say what a configuration changes, from what to what."""
        base = self.summary.baseline
        return " · ".join(
            f"{name} {short(base.get(name, ABSENT))} → {short(value)}" for name, value in self.changes(config).items()
        )

    def difference(self, row: CandidateRow) -> float | None:
        """Return how much higher a candidate's search run came out than the baseline's, where both ran to the end."""
        start = None if self.baseline is None or self.baseline.state != TrialState.COMPLETE else self.baseline.value
        if start is None or row.value is None or row.number == 0 or row.state != TrialState.COMPLETE:
            return None
        gap = row.value - start
        return gap if math.isfinite(gap) else None

    def improvement(self, difference: float) -> float:
        """Return a difference as positive where it is better."""
        return difference if self.direction == "maximize" else -difference

    def without_paths(self, message: str) -> str:
        """Take this machine's folders out of a message: reports travel."""
        home = str(Path.home())
        shorter = message.replace(f"{self._root}/", "")
        return shorter if home == "/" else shorter.replace(home, "~")

    def _finding(self, verdict: VerdictRecord) -> Finding | None:
        effect, low, high = (real(verdict.data, name) for name in ("effect", "low", "high"))
        if effect is None or low is None or high is None:
            return None
        return Finding(verdict=verdict, effect=effect, low=low, high=high, differences=self._differences(verdict))

    def _differences(self, verdict: VerdictRecord) -> tuple[float, ...]:
        ours, theirs = self._confirmed(verdict.candidate), self._confirmed(verdict.baseline)
        seeds: list[int] = verdict.data.get("seeds") or []
        gaps = [self.improvement(ours[seed] - theirs[seed]) for seed in seeds if seed in ours and seed in theirs]
        return tuple(gap for gap in gaps if math.isfinite(gap))

    def _confirmed(self, candidate: str) -> dict[int, float]:
        row = self.row(candidate)
        places: tuple[StudyTrial, ...] = () if row is None else row.trials
        return {
            place.trial.seed: place.trial.value
            for place in places
            if place.trial.value is not None and place.trial.state == TrialState.COMPLETE
        }

    def _colours(self) -> dict[int, str]:
        decided = [item for item in self.summary.verdicts if _word(item) in _ORDER and "effect" in item.data]
        decided.sort(key=lambda item: (_ORDER[_word(item)], -(real(item.data, "effect") or 0.0)))
        rows = [row for item in decided if (row := self.row(item.candidate)) is not None and row.number != 0]
        named = {
            row.number: f"s{index % _SERIES}" + (" again" if index >= _SERIES else "") for index, row in enumerate(rows)
        }
        return {0: "base"} | named

    def _digits(self) -> int | None:
        """Return the decimals of a single run's value: as the measured noise allows, else as the spread needs."""
        noise = [sd for item in self.summary.verdicts if (sd := real(item.data, "sd_of_differences"))]
        if (
            not noise
            and self.baseline is not None
            and len(values := list(self._confirmed(self.baseline.candidate).values())) > 1
        ):
            noise = [sd for sd in [statistics.stdev(values)] if sd > 0]
        if noise:
            return max(decimals_for(statistics.median(noise)), self._digits_of_smallest())
        ordered = sorted(row.value for row in self.summary.candidates if row.value is not None)
        wide = quantile(ordered, 0.9) - quantile(ordered, 0.1) if ordered else 0.0
        return decimals_for(wide / 100) if 0 < wide < math.inf else None

    def _digits_of_smallest(self) -> int:
        """Return the decimals that show two digits of the smallest value: values of 0.00 tell nobody apart."""
        sizes = [abs(row.value) for row in self.summary.candidates if row.value and row.state == TrialState.COMPLETE]
        return min(6, max(0, 1 - math.floor(math.log10(min(sizes))))) if sizes else 0


def row_name(row: CandidateRow) -> str:
    """Name a row as people point at it."""
    return "baseline" if row.number == 0 else f"candidate {row.number}"


def search_trial(row: CandidateRow) -> StudyTrial | None:
    """Return the trial whose value the row shows: the first that was not run to confirm."""
    return next((place for place in row.trials if place.role != Role.CONFIRM), None)


def _word(verdict: VerdictRecord) -> str:
    return verdict.decision.partition(" ")[0]  # "accepted (as printed)"
