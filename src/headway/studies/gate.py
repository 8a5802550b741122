"""The gate before the word "accepted": enough evidence for the project's error rate, and a holdout that agrees."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headway.core import digest
from headway.store import EvidenceRecord, Store, StudyRecord
from headway.studies.declaration import Declaration
from headway.validate import (
    Comparison,
    Decision,
    Holdout,
    HoldoutClosed,
    OnlineFdr,
    format_odds,
    further_seeds,
    paired_evidence,
    withheld,
)

__all__ = ["Gate"]

_DISAGREEMENTS = 20  # a holdout's budget
_THRESHOLDS_NOISE = (
    20  # the threshold by the noise: that takes the word from 0.45 % of the effects that are equal; 10 from 5.4 %
)
_EXACT = 1e-3  # of an effect without any spread: how far the holdout's may lie from it


@dataclass(frozen=True, slots=True)
class Gate:
    """Let a study's verdicts pass, one after the other, in the project's order.

    Every finalist is a test, whatever its comparison says: a sequence that left out the failures would prove nothing.
    The same results are tested once, however often the study is concluded.
    """

    store: Store
    record: StudyRecord
    study: Declaration
    baseline: str

    def passed(
        self, candidate: str, comparison: Comparison, ours: Mapping[int, float], theirs: Mapping[int, float]
    ) -> tuple[Comparison, dict[str, Any]]:
        """Return the comparison as it may be told, and what the gate found, as JSON."""
        if self.study.follows is not None or self.study.margin is not None:
            return comparison, {}  # they ask about what was accepted; nothing new is claimed
        shared = sorted(ours.keys() & theirs.keys())
        test = self._test(candidate, {seed: [ours[seed], theirs[seed]] for seed in shared})
        needed = 1 / test.level
        found = {
            "evidence": {
                "log_e": test.log_e,
                "test": test.index,
                "log_e_needed": math.log(needed),
                "false_discovery_rate": 1 - self.study.level,
                "looks": self.store.evidence.looks(self.record.id, candidate),
            }
        }
        if comparison.decision != Decision.ACCEPTED:
            return comparison, found
        if test.accepted:
            return self._held_out(candidate, comparison, shared, found)
        further = further_seeds(ours, theirs, comparison.direction, math.log(needed))
        outlook = "" if further is None else f"; about {further} further seed{'' if further == 1 else 's'} would do"
        has, wants = format_odds(test.log_e), format_odds(math.log(needed))
        why = f"as its evidence of {has} is short of the {wants} that test {test.index} of this project needs{outlook}"
        return withheld(comparison, why), found

    def _held_out(
        self, candidate: str, comparison: Comparison, seeds: Sequence[int], found: dict[str, Any]
    ) -> tuple[Comparison, dict[str, Any]]:
        """Ask the study's holdout, if it has one, whether it agrees with an effect that would be accepted."""
        name = self.study.holdout
        if name is None:
            return comparison, found
        effect = self._private_effect(name, candidate, comparison, seeds)
        if effect is None:
            return withheld(comparison, f"as not all of its trials reported {name}, the holdout"), found
        query = digest({"candidate": candidate, "seeds": list(seeds), "effect": comparison.effect})
        state = self.store.evidence.holdout(name)
        holdout = Holdout.from_json(state) if state else _new_holdout(comparison)
        try:
            answer = holdout.ask(query, training=comparison.effect, holdout=effect, secret=self._secret())
        except HoldoutClosed as closed:
            return withheld(comparison, f"as {str(closed)[0].lower()}{str(closed)[1:].rstrip('.')}"), found
        holdout = holdout.after(answer)
        self.store.evidence.keep_holdout(name, holdout.to_json())
        found["holdout"] = {
            "name": name, "agrees": answer.agrees, "spent": holdout.spent, "budget": holdout.budget,
            "asked": holdout.asked,
        }  # fmt: skip
        if answer.agrees:
            return comparison, found
        why = f"as the holdout {name} disagrees ({holdout.spent} of its {holdout.budget} disagreements are spent)"
        return withheld(comparison, why), found

    def _private_effect(self, name: str, candidate: str, comparison: Comparison, seeds: Sequence[int]) -> float | None:
        sides = [
            {
                place.trial.seed: place.trial.metrics.get(name)
                for place in self.store.places.of_candidate(self.record.id, side)
            }
            for side in (candidate, self.baseline)
        ]
        pairs = [(sides[0].get(seed), sides[1].get(seed)) for seed in seeds]
        gaps = [ours - theirs for ours, theirs in pairs if ours is not None and theirs is not None]
        if len(gaps) < len(seeds):
            return None
        sign = 1.0 if comparison.direction == "maximize" else -1.0
        return sign * math.fsum(gaps) / len(gaps)

    def _secret(self) -> bytes:
        """Return what the noise of the answers comes from; it is made once, and only its owner may read it."""
        path = self.store.folder / "holdout.key"
        if not path.exists():
            with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(os.urandom(32))
        return path.read_bytes()

    def _test(self, candidate: str, pairs: Mapping[int, Sequence[float]]) -> EvidenceRecord:
        results = digest({str(seed): list(pair) for seed, pair in pairs.items()})
        known = self.store.evidence.test(self.record.id, candidate, results)
        if known is not None:
            return known
        tests, discoveries = self.store.evidence.counts()
        project = OnlineFdr(level=1 - self.study.level, tests=tests, discoveries=discoveries)
        test = project.test(
            paired_evidence(
                {seed: pair[0] for seed, pair in pairs.items()},
                {seed: pair[1] for seed, pair in pairs.items()},
                self.study.experiment.direction,
            )
        )
        return self.store.evidence.add_test(
            self.record.id, candidate, results, log_e=test.log_e, level=test.level, accepted=test.accepted
        )


def _new_holdout(comparison: Comparison) -> Holdout:
    """Return a holdout whose threshold is what noise alone may make of the first effect that it is asked about."""
    threshold = max(comparison.high - comparison.effect, abs(comparison.effect) * _EXACT)
    return Holdout(threshold=threshold, noise=threshold / _THRESHOLDS_NOISE, budget=_DISAGREEMENTS)
