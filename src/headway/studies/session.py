"""One session of a study: hold its definition against the record, run the engine, write verdicts and report."""

import asyncio
import contextlib
import os
import signal
import threading
from pathlib import Path

from headway.engine import (
    Ending,
    Engine,
    EngineSettings,
    Observer,
    Origin,
    check_needs,
    make_scheduler,
    refuse_busy,
)
from headway.experiments import CommandExperiment, Experiment
from headway.experiments.repositories import RepositoryExperiment
from headway.store import Store, StudyRecord, resumable
from headway.studies.conclude import conclude
from headway.studies.declaration import Declaration
from headway.studies.observers import PlainObserver
from headway.studies.plan import StudyPlan
from headway.studies.report import write_report
from headway.studies.repositories import keep_results, refuse_unprotected
from headway.studies.streaming import StreamPlan
from headway.studies.summary import StudySummary, summarize

__all__ = ["origin_of", "record_of", "run_study"]

_WITHOUT_SEED = (
    "No seed reaches this command, so there is no noise to measure: use {seed} in it, or read HEADWAY_SEED.",
    "No seed is written in the code that may be changed, and none reaches its command: nothing can be accepted. "
    "Set one, as with random.seed(42).",
)
_ROWS = 100  # candidates of a returned summary


def run_study(
    study: Declaration, folder: Path, settings: EngineSettings, observer: Observer | None = None
) -> StudySummary:
    """Run a study, or go on with it, and return its summary. Ctrl-C pauses it; a second one ends it at once."""
    watcher = observer or PlainObserver()
    study.check_sampler()
    if isinstance(study.experiment, RepositoryExperiment):
        refuse_unprotected(study.experiment)
    check_needs(study.experiment.needs)
    _check_proposers(study)
    with Store.open(folder) as store, resumable(store.folder, study.name):
        store.database.refuse_damage()
        record = record_of(store, study)
        if not study.experiment.has_seed_channel:
            watcher.note(_WITHOUT_SEED[isinstance(study.experiment, RepositoryExperiment)])
        for text in study.experiment.notes:
            watcher.note(text)
        plan = _plan_of(store, record, study)
        keeper = keep_results(store, record, study, plan.stream)
        engine = Engine(
            store,
            record,
            study.experiment,
            origin_of(study.experiment, study.source, folder),
            make_scheduler(study.scheduler, study.experiment.direction),
            settings,
            watcher,
        )
        if plan.stream is not None:
            plan.stream.changed = engine.changed_files
        with contextlib.closing(plan):
            ending = _run_engine(engine, plan)
        keeper.catch_up()
        if plan.note is not None and plan.finalists():  # else it is what the study concludes with
            watcher.note(plan.note)
        if ending == "done":
            conclude(store, record, study, plan, engine.changed_files)
            store.studies.set_state(record.id, "finished")
        write_report(store, store.studies.get(record.name))
        summary = summarize(store, store.studies.get(record.name), rows=_ROWS)
        if observer is None:  # nobody else tells what came of it
            watcher.note(
                summary.sentence if ending == "done" else f"Paused. To go on, type: headway resume {study.name}"
            )
        return summary


def _check_proposers(study: Declaration) -> None:
    """Raise `UsageError` for proposers that are not there: a study that is written keeps those it was given."""
    if study.rule == "evolve" and isinstance(study.experiment, RepositoryExperiment):
        from headway.studies.evolving.proposers import check_proposers  # loads what talks to models

        check_proposers(study.proposers, study.experiment, study.ceiling)


def _plan_of(store: Store, record: StudyRecord, study: Declaration) -> StudyPlan:
    match study.rule:
        case "stream":
            return StreamPlan(store, record, study)
        case "evolve":
            from headway.studies.evolving import EvolvePlan  # loads what talks to models

            return EvolvePlan(store, record, study)
        case _:
            return StudyPlan(store, record, study)


def record_of(store: Store, study: Declaration) -> StudyRecord:
    """Return the study's record, made anew or the one of its name; refuse another definition, and a study that runs."""
    source = _source_of(study)
    found = store.studies.find(study.name)
    if found is None:
        return store.studies.create(
            name=study.name,
            definition=study.definition,
            settings=study.settings,
            source=source,
            experiment=study.experiment.identity,
            metric=study.experiment.metric,
            direction=study.experiment.direction,
        )
    refuse_busy(found)
    study.refuse_change(found.definition)
    store.studies.set_settings(found.id, study.settings, source)
    return store.studies.get(study.name)


def _source_of(study: Declaration) -> str:
    """Return where the study is declared: a file, relative to the project's root, or a repository's folder."""
    if isinstance(study.experiment, RepositoryExperiment):
        return str(study.experiment.folder)
    return "" if study.source is None else os.path.relpath(study.source, study.experiment.root)


def origin_of(experiment: Experiment, source: Path | None, folder: Path) -> Origin:
    """Say where workers find the experiment. One that a notebook defines travels as a pickle."""
    identity, where = experiment.identity, str(experiment.folder)
    if isinstance(experiment, CommandExperiment):
        return Origin(identity=identity, folder=where, command=experiment.to_json())
    if isinstance(experiment, RepositoryExperiment):
        return Origin(identity=identity, folder=where, repository=experiment.to_json())
    if experiment.source is not None:
        return Origin(identity=identity, folder=where, file=str(source or experiment.source))
    import cloudpickle  # pyright: ignore[reportMissingTypeStubs]

    target = folder / "notebooks" / f"{identity}.pickle"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(cloudpickle.dumps(experiment))  # pyright: ignore[reportUnknownMemberType]
    return Origin(identity=identity, folder=where, pickled=str(target))


def _run_engine(engine: Engine, plan: StudyPlan) -> Ending:
    """Run the loop here, or in a thread where a loop runs already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_with_signals(engine, plan))
    result: list[Ending] = []
    problem: list[BaseException] = []

    def target() -> None:
        try:
            result.append(asyncio.run(engine.run(plan)))
        except BaseException as error:
            problem.append(error)

    thread = threading.Thread(target=target, name="headway-engine")
    thread.start()
    _join(thread, engine)
    if problem:
        raise problem[0]
    return result[0]


def _join(thread: threading.Thread, engine: Engine) -> None:
    asked = False
    while thread.is_alive():
        try:
            thread.join(0.2)
        except KeyboardInterrupt:
            engine.end_now() if asked else engine.pause()
            asked = True


async def _with_signals(engine: Engine, plan: StudyPlan) -> Ending:
    loop = asyncio.get_running_loop()
    asked = 0

    def interrupt() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            engine.pause()
        else:
            engine.end_now()

    if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGINT, interrupt)
        loop.add_signal_handler(signal.SIGTERM, interrupt)
    return await engine.run(plan)
