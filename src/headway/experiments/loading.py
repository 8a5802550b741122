"""Load a study file, in the engine and again in workers.

A study file may end in `Study(...).run()` without a guard: in a worker that call raises `StopLoading`, and what stands
above it is all that a worker needs.
"""

import builtins
import contextlib
import importlib.util
import sys
from collections.abc import Generator
from pathlib import Path
from types import FrameType, ModuleType

from headway.core import ExperimentError, HeadwayError, nearest

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
        folder, what = (path, "is a folder") if path.is_dir() else (path.parent, "does not exist")
        near = sorted(item.name for item in folder.glob("*.py"))[:5]
        there = f"There are: {', '.join(near)}." if near else "Type 'headway init' to write one."
        raise ExperimentError(f"The study file {path} {what}. {there}")
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
        except HeadwayError as error:  # it says what is wrong, and here is where
            del sys.modules[name]
            error.args = (f"{_place(path, error)}: {error}",)
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
    text = f"{type(error).__name__}: {str(error).rstrip('.')}"
    if not text.endswith("?"):  # headway.Flaot suggests a name itself
        text += f". {_advice(path, error)}"
    return f"The study file does not import. {_place(path, error)}: {text}"


def _place(path: Path, error: BaseException) -> str:
    """Name the file and the line of it that the error came through."""
    frames = _frames(path, error)
    line = frames[-1][1] if frames else None
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line = error.lineno
    return f"{path}, line {line}" if line else str(path)


def _frames(path: Path, error: BaseException) -> list[tuple[FrameType, int]]:
    found: list[tuple[FrameType, int]] = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            found.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return found


def _advice(path: Path, error: BaseException) -> str:
    near = None
    match error:
        case ModuleNotFoundError(name=str(name)):
            near = nearest(name, [item.stem for item in path.parent.glob("*.py") if item != path])
            if near is None:
                return f"If it is a package: pip install {name.split('.')[0]}"
        case NameError(name=str(name)):
            frames = _frames(path, error)
            near = nearest(name, [*frames[-1][0].f_locals, *frames[-1][0].f_globals, *vars(builtins)] if frames else [])
        case AttributeError(name=str(name), obj=ModuleType() as module):
            near = nearest(name, [item for item in dir(module) if not item.startswith("_")])
        case SyntaxError():
            return "Mend that line."
        case _:
            pass
    return "Mend it there; --debug shows the whole traceback." if near is None else f"Did you mean {near!r}?"
