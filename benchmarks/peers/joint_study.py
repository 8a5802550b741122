"""Evolve a repository for so many seconds: `joint_study.py REPOSITORY PROPOSERS SECONDS WORKERS SEED`.

PROPOSERS are texts as `headway evolve` keeps them, with commas between them. The last line is JSON: how many trials,
programs and crashes there were, the wall seconds, and the program that the study chose with what its verdict says.
"""

import json
import sys
import time
from pathlib import Path

from headway.core import Budget, TrialState
from headway.engine import EngineSettings
from headway.experiments.layouts import find_layout
from headway.sandbox import protection
from headway.store import Store
from headway.studies import QuietObserver, run_study
from headway.studies.from_folder import repository_study
from headway.studies.repositories import files_of

_NAME = "joint"


def main(repository: Path, proposers: str, seconds: float, workers: int, seed: int) -> None:
    """Run the study and print what came of it."""
    store = repository.parent / f"{repository.name}-store"
    study = repository_study(
        repository,
        store,
        name=_NAME,
        budget=Budget(seconds=seconds),
        proposers=proposers.split(","),
        workers=workers,
        unsafe=not protection().sound,
    )
    study.seed = seed
    began = time.monotonic()
    run_study(study, store, EngineSettings(workers=workers), QuietObserver())
    print(json.dumps({"wall_seconds": time.monotonic() - began, **_outcome(repository, store)}))


def _outcome(repository: Path, store: Path) -> dict[str, object]:
    with Store.open(store) as opened:
        study = opened.studies.find(_NAME)
        assert study is not None
        places = list(opened.places.standing(study.id))
        judged = opened.studies.verdicts(study.id)
        best = judged[0] if judged else None
        files = dict(find_layout(repository).sources()) if best is None else files_of(opened, study, best.candidate)
        number = 0 if best is None else opened.studies.find_number(study.id, best.candidate)
        return {
            "trials": len(places),
            "failed": sum(place.state == TrialState.FAILED for place in places),
            "programs": opened.studies.count_proposals(study.id),
            "decision": "nothing was better" if best is None else str(best.decision),
            "ideas": _line(opened, study.id, 0 if number is None else number),
            "files": files,
        }


def _line(store: Store, study: int, number: int) -> list[str]:
    """Return what led from the first program to one of them, as its proposers said it."""
    ideas: list[str] = []
    while number:
        (proposal,) = store.studies.proposals(study, [number])
        ideas.append(proposal.note)
        number = (store.studies.find_number(study, proposal.parents[0]) or 0) if proposal.parents else 0
    return ideas[::-1]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
