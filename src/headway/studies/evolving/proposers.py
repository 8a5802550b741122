"""The proposers of a study by the texts that name them, as the command line gives them and the record keeps them."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from headway.core import UsageError
from headway.engine.lease import own_mark
from headway.experiments.repositories import RepositoryExperiment
from headway.llm import Cached, Metered, Model, model_of
from headway.propose.evolve import AgentProposer, FunctionProposer, KnobProposer, ModelProposer, Proposer
from headway.studies.proposing import Ceiling, kind_of

__all__ = ["check_proposers", "proposers_of"]


def proposers_of(
    texts: Sequence[str], experiment: RepositoryExperiment, folder: Path, ceiling: Ceiling
) -> list[Proposer]:
    """Return the proposers that the texts name. What models answer is kept in `folder`, and what they cost counted.

    Raises `UsageError` for a text that names none, a program or file that is not there, a package that is missing.
    """
    return [_proposer(text, experiment, folder, ceiling) for text in texts]


def check_proposers(texts: Sequence[str], experiment: RepositoryExperiment, ceiling: Ceiling) -> None:
    """Raise `UsageError` for a text that names no proposer that is there, before anything is written."""
    for text in texts:
        kind, rest = kind_of(text)
        if kind == "model":
            model_of(rest, price=ceiling.price)
        else:
            _proposer(text, experiment, Path(), ceiling)


def _proposer(text: str, experiment: RepositoryExperiment, folder: Path, ceiling: Ceiling) -> Proposer:
    kind, rest = kind_of(text)
    if kind == "agent":
        # With the engine's mark: should Headway be killed, the next session ends what it left.
        return AgentProposer(rest, environment=dict([own_mark().split("=", 1)]))
    if kind == "tune":
        return KnobProposer(experiment.space)
    if kind == "function":
        return FunctionProposer(_function(rest, experiment.folder), rest)
    return ModelProposer(_model(rest, folder, ceiling))


def _model(text: str, folder: Path, ceiling: Ceiling) -> Model:
    plain = model_of(text, price=ceiling.price)
    ledger = folder / "spending.sqlite"
    folder.mkdir(parents=True, exist_ok=True)
    metered = Metered(plain, ledger, dollars=ceiling.dollars, tokens=ceiling.tokens, price=ceiling.price)
    return Cached(metered, folder / "answers")


def _function(text: str, folder: Path) -> Callable[[str, int], str]:
    """Load a function from FILE:NAME; the file is the user's own, and runs with all that they may do."""
    file, _, name = text.rpartition(":")
    path = Path(file) if Path(file).is_absolute() else folder / file
    if not file or not path.is_file():
        raise UsageError(f"There is no file {file or text!r} in {folder}. Write function:FILE.py:NAME.")
    spec = importlib.util.spec_from_file_location(f"headway_proposer_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{path} cannot be loaded: {type(error).__name__}: {error}. Mend it.") from error
    found: Any = getattr(module, name, None)
    if not callable(found):
        raise UsageError(
            f"{path} has no function {name!r}. Expected one of a prompt and a seed: complete(prompt, seed)."
        )
    return cast("Callable[[str, int], str]", found)
