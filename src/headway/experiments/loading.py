"""Load a study file, in the engine and again in workers.

A study file may end in `Study(...).run()` without a guard: in a worker that call raises `StopLoading`, and what stands
above it is all that a worker needs.
"""

import contextlib
import importlib.util
import sys
from collections.abc import Generator
from pathlib import Path
from types import ModuleType

from headway.core import ExperimentError, HeadwayError

__all__ = ["StopLoading", "load_file", "loading"]

_loading = False


class StopLoading(BaseException):
    """End the loading of a study file at the point where it would run a study."""


def loading() -> bool:
    """Tell whether a study file is being loaded, so that `run()` in it must not run."""
    return _loading


def load_file(path: Path) -> ModuleType:
    """Import the file at `path` as a module, its folder first on the path, as `python FILE` would have it."""
    path = path.absolute()
    if not path.is_file():
        near = sorted(item.name for item in path.parent.glob("*.py"))[:5] if path.parent.is_dir() else []
        there = f"There are: {', '.join(near)}." if near else "Type 'headway init' to write one."
        raise ExperimentError(f"The study file {path} does not exist. {there}")
    if path.suffix != ".py":
        raise ExperimentError(f"The study file {path} is no Python file. Give one that ends in .py.")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    name = path.stem if path.stem.isidentifier() and path.stem not in sys.stdlib_module_names else "study_file"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _flag():
        try:
            spec.loader.exec_module(module)
        except StopLoading:
            pass
        except HeadwayError:  # it says what is wrong, and where
            del sys.modules[name]
            raise
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise ExperimentError(_explained(path, error)) from error
    return module


@contextlib.contextmanager
def _flag() -> Generator[None]:
    global _loading
    before, _loading = _loading, True
    try:
        yield
    finally:
        _loading = before


def _explained(path: Path, error: BaseException) -> str:
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line = error.lineno
    where = f"{path}, line {line}" if line else str(path)
    help_text = ""
    if isinstance(error, ModuleNotFoundError) and error.name:
        help_text = f" If it is a package: pip install {error.name.split('.')[0]}"
    return f"The study file does not import. {where}: {type(error).__name__}: {str(error).rstrip('.')}.{help_text}"
