"""A study as people declare it: an experiment, a baseline, who proposes, a budget, and how verdicts are reached.

    study = headway.Study(train, baseline={"lr": 1e-3}, sampler="tpe", budget="24 trials")

`headway run FILE` finds it; `study.run()` runs it from plain Python or a notebook.
"""

from pathlib import Path
from typing import final

from headway.core import call_checked
from headway.engine import EngineSettings, Observer
from headway.experiments import StopLoading, loading
from headway.studies.declaration import Declaration
from headway.studies.session import run_study
from headway.studies.summary import StudySummary

__all__ = ["Study"]


@final
class Study(Declaration):
    """Ask which configuration of an experiment beats its baseline, and by how much.

    `baseline` is a configuration of the space (its centre where none is given). `sampler` proposes: "sobol", "random",
    "grid" or "tpe". `scheduler` decides who runs on: "full" or "asha". `budget` counts executed trials, seconds, or
    both ("24 trials or 2 hours"). Every candidate runs once with `seed`; the best `finalists` run again with `seeds`
    fresh seeds, paired with the baseline's, and the verdict is read from these alone at the confidence `level`.
    `rule` chooses otherwise who is judged: "race", "every", or "stream", where each is judged as it comes and the study
    waits for more, until nothing came for `close_after` seconds (None: until its budget is spent or it is paused).
    """

    @call_checked("study.run(workers=4)")
    def run(
        self,
        *,
        store: str | Path | None = None,
        workers: int | None = None,
        backend: str = "local",
        retry_failed: bool = False,
        observer: Observer | None = None,
    ) -> StudySummary:
        """Run the study, or go on with it, and return what came of it.

        What the record holds is not run again; `retry_failed` leaves out the failures, as when their cause lay outside
        of the code. Ctrl-C pauses it; the next `run` goes on. In a notebook the engine runs in a thread of its own.
        """
        if loading():
            raise StopLoading
        chosen = self.workers if workers is None else workers
        settings = EngineSettings(workers=chosen, backend=backend, retry_failed=retry_failed)
        return run_study(self, self.store_folder(store), settings, observer)
