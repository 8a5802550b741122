"""What all layouts make of steps that did not end well."""

from collections.abc import Mapping, Sequence

from headway.core import Reason
from headway.experiments.layouts.layout import Finished, Reading
from headway.experiments.layouts.progress import CurvePoint, lines_of

_LONGEST_LINE = 200


def problem_of_exit(finished: Sequence[Finished]) -> tuple[Reason, str] | None:
    """Return why the steps failed, with the last line that the failed one printed, or None where all ended with 0."""
    if not finished:
        return Reason.LOST, "No step was run."
    bad = next((end for end in finished if end.code != 0 or end.timed_out), None)
    if bad is None:
        return None
    said = next((line.strip() for line in reversed(lines_of(bad.output)) if line.strip()), "it printed nothing")
    said = said[:_LONGEST_LINE]
    if bad.timed_out:
        return Reason.WALL_TIME, f"The step {bad.step!r} was ended at its time limit: {said}"
    if bad.code < 0:
        return Reason.SIGNAL, f"The step {bad.step!r} was ended by signal {-bad.code}: {said}"
    return Reason.EXCEPTION, f"The step {bad.step!r} ended with exit code {bad.code}: {said}"


def crashed(failed: tuple[Reason, str], metrics: Mapping[str, float], curve: tuple[CurvePoint, ...] = ()) -> Reading:
    """Return the reading of a trial that failed: what it had told until then, and no value."""
    return Reading(value=None, metrics=metrics, curve=curve, problem=failed[0], why=failed[1])
