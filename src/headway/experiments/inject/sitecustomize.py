"""Start the file trace in an interpreter that a trial's command launched, then give way to the user's sitecustomize."""

import importlib.machinery
import importlib.util
import os
import sys


def _begin() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    target = os.environ.get("HEADWAY_TRACE")
    if target and sys.version_info >= (3, 8):
        spec = importlib.util.spec_from_file_location("_headway_trace", os.path.join(here, os.pardir, "trace.py"))
        if spec is not None and spec.loader is not None:
            trace = sys.modules["_headway_trace"] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(trace)
            ignored = os.environ.get("HEADWAY_TRACE_IGNORE", "").split(os.pathsep)
            trace.start(target, tuple(folder for folder in ignored if folder))
    others = [folder for folder in sys.path if os.path.abspath(folder or ".") != here]
    original = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if original is not None and original.loader is not None:
        original.loader.exec_module(importlib.util.module_from_spec(original))


if "_headway_trace" not in sys.modules:  # another sitecustomize that gives way to the next may come round to this one
    _begin()
