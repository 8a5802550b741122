"""What happens inside a worker, the same in a fork, a fresh interpreter and the engine's own process: one attempt.

A trial's end is written into its run log before the process goes: `ended`, `paused` or `failed` with its fingerprint;
or `interrupted`, where the store's disk refuses what Headway itself writes, which says nothing of the trial. Should
there be no log to write it into, the exit code says it.
"""

import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, cast

from headway.core import DiskError, ExperimentError, HeadwayError, Reason, Redactor
from headway.engine import crash, fingerprint
from headway.engine.spec import AttemptSpec, Origin
from headway.experiments import (
    EXIT_NO_DISK,
    EXIT_PAUSED,
    BadMetric,
    CommandExperiment,
    CommandFailed,
    Experiment,
    Paused,
    Run,
    StepsFailed,
    load_file,
    registered,
    seed_everything,
    set_current,
    trace,
)
from headway.store import UNLIMITED, RunLog, own_writes, refused

__all__ = ["EXIT_FAILED", "find_experiment", "perform", "set_thread_variables"]

EXIT_FAILED = 1
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
_TRACEBACK_CHARACTERS = 16_000
_SIGXCPU = getattr(signal, "SIGXCPU", 0)


def set_thread_variables(environment: MutableMapping[str, str], threads: int) -> None:
    """Set how many threads BLAS, OpenMP and their kin may start. It counts only before the libraries load."""
    for name in _THREAD_VARIABLES:
        environment[name] = str(threads)
    environment["PYTHONHASHSEED"] = "0"


def find_experiment(origin: Origin) -> Experiment:
    """Load the experiment where its study file, or a notebook's pickle, defines it; a command needs no loading."""
    os.chdir(origin.folder)
    if origin.command is not None:
        return CommandExperiment.from_json(origin.command)
    if origin.repository is not None:
        from headway.experiments.repositories import RepositoryExperiment

        return RepositoryExperiment.from_json(origin.repository)
    if origin.pickled is not None:
        import cloudpickle  # pyright: ignore[reportMissingTypeStubs]

        return cast("Experiment", cloudpickle.loads(Path(origin.pickled).read_bytes()))
    assert origin.file is not None
    load_file(Path(origin.file))
    found = registered(origin.identity)
    if found is None:
        raise ExperimentError(
            f"{origin.file} no longer defines the experiment of this study (its file, name or metric changed). "
            "Put it back, or give the study a new name."
        )
    return found


def perform(experiment: Experiment, spec: AttemptSpec, setup: Any) -> int:
    """Run one attempt to its end and return the exit code of its process."""
    # Only the run that calls `steps` waits at rungs: the script where there is one, else this process.
    rungs = () if experiment.opaque else spec.rungs
    try:
        log = RunLog(spec.log, granted=0 if rungs else UNLIMITED, attempt=spec.attempt)
    except DiskError:
        return EXIT_NO_DISK
    run = Run(
        log,
        config=spec.config,
        seed=spec.seed,
        folder=Path(spec.folder),
        checkpoint_folder=Path(spec.checkpoints),
        setup=setup,
        rungs=rungs,
        patch=spec.patch,
    )
    set_current(run)
    before = None if experiment.opaque else random.getstate()  # to save and restore it takes 0.05 ms
    try:
        if before is not None:
            _set_torch_threads(spec.threads)
            seed_everything(spec.seed)
        experiment.run(run)
        _mind_the_trace()
        log.last_mark("ended")
        return 0
    except Paused:
        return EXIT_PAUSED
    except BaseException as error:  # whatever a trial raises is its result, and never the end of an engine
        return _failed(log, error)
    finally:
        if before is not None:
            random.setstate(before)
        set_current(None)
        log.close()


def _mind_the_trace() -> None:
    """Raise `DiskError` where the disk refused a part of the trace: a change of what it lacks would go unnoticed."""
    problem = trace.problem()
    if problem is not None and refused(problem):
        raise DiskError(f"The file trace is not whole ({problem.strerror}).", problem.errno or 0)


def _failed(log: RunLog, error: BaseException) -> int:
    try:
        return _tell(log, error)
    except DiskError as refusal:
        with contextlib.suppress(DiskError):  # the exit code says it as well
            log.disk_refused(refusal.number)
        return EXIT_NO_DISK


def _tell(log: RunLog, error: BaseException) -> int:
    if isinstance(error, DiskError):
        raise error
    _mind_the_trace()
    if isinstance(error, SystemExit) and error.code in (0, None):
        log.last_mark("exited", code=0)
        return 0
    redactor = Redactor.of_environment(os.environ)
    ours = isinstance(error, CommandFailed | StepsFailed | HeadwayError)  # it says in a sentence what is wrong
    if isinstance(error, CommandFailed | StepsFailed):
        tail = crash.shortened(error.tail, redactor)
        mark = fingerprint.of_text(tail)
        trace_text = redactor.text("\n".join(tail))
    else:
        mark = fingerprint.of_exception(error, crash.text_of(error, redactor))
        trace_text = crash.traceback_of(error, redactor)
        with contextlib.suppress(Exception):  # the trial may have closed it, or put something else there
            sys.stderr.write(trace_text)
    log.mark(
        "failed",
        reason=_reason(error),
        message=(crash.text_of if ours else crash.message_of)(error, redactor),
        traceback=trace_text[-_TRACEBACK_CHARACTERS:],
        fingerprint=mark,
    )
    return EXIT_FAILED


def _reason(error: BaseException) -> Reason:
    match error:
        case BadMetric():
            return Reason.BAD_METRIC
        case StepsFailed(reason=reason):
            return reason
        case SystemExit():
            return Reason.EXITED
        case CommandFailed(code=code) if code < 0:
            return Reason.CPU_TIME if code == -_SIGXCPU else Reason.SIGNAL
        case _:
            return Reason.EXCEPTION


def _set_torch_threads(threads: int) -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def main() -> None:
    """Run the attempt described on the command line, in a fresh interpreter: `python -m headway.engine.worker JSON`."""
    from headway.engine import confine

    data = json.loads(sys.argv[1])
    origin, spec = Origin(**data["origin"]), AttemptSpec.from_json(data["spec"])
    confine.die_first_without_memory()
    confine.limit(spec, confine.data_bytes())
    try:
        if origin.imports:
            with own_writes(Path(spec.trace)):
                trace.start(spec.trace, spec.ignore, attempt=spec.attempt)
        code = _prepare_and_perform(origin, spec)
    except DiskError:
        code = EXIT_NO_DISK
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _prepare_and_perform(origin: Origin, spec: AttemptSpec) -> int:
    try:
        experiment = find_experiment(origin)
        setup = experiment.prepare()
    except Exception as error:
        log = RunLog(spec.log, attempt=spec.attempt)
        code = _failed(log, error)
        log.close()
        return code
    return perform(experiment, spec, setup)


if __name__ == "__main__":
    main()
