"""A warm sandbox on a small folder, whose candidates are bodies of functions."""

import sys

from headway.sandbox import Sandbox, SandboxLimits, WarmSandbox, interpreter_paths

__all__ = ["EVALUATOR", "HONEST", "MiB", "Stage", "result_of"]

MiB = 1024**2
DRIVER = """
import importlib.util
def prepare(evaluator):
    spec = importlib.util.spec_from_file_location("evaluator", evaluator)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda request: iter([module.evaluate(request["program"])])
"""
EVALUATOR = """
import random
KNOWN = {"best": 1}
def evaluate(path):
    names = {"KNOWN": KNOWN, "random": random}
    exec(compile(open(path).read(), path, "exec"), names)
    return names["f"]()
"""
HONEST = "def f(): return 'honest'"


def result_of(called):
    return called.results[0] if called.results else None


class Stage:
    """A warm sandbox, and the folder that it is made of."""

    def __init__(self, root, evaluator=EVALUATOR, *, environment=None, modules=(), **limits):
        self.root = root
        self.tree = root / "tree"
        self.tree.mkdir(parents=True)
        (root / "driver.py").write_text(DRIVER)
        (self.tree / "evaluator.py").write_text(evaluator)
        (self.tree / "data").mkdir()
        (self.tree / "data" / "labels").write_text("labels")
        (self.tree / "link").symlink_to("data/labels")
        given = {"wall_seconds": 10, "memory_bytes": 512 * MiB, "processes": 64, "scratch_bytes": 64 * MiB}
        sandbox = Sandbox(
            root=root,
            readable=interpreter_paths(sys.executable),
            scratch=("tree",),
            environment={"PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            limits=SandboxLimits(**{**given, **limits}),
        )
        words = [str(self.tree / "evaluator.py")]
        self.warm = WarmSandbox(sandbox, sys.executable, root / "driver.py", self.tree, words, modules=modules)

    def call(self, body, seed=0):
        """Evaluate a candidate: the body of a function, with an indentation."""
        text = (
            body if body.startswith("def f") else f"def f():\n    {body.strip().replace(chr(10), chr(10) + '    ')}\n"
        )
        argument = {"program": str(self.tree / "program.py")}
        return self.warm.call({"program.py": text}, seed=seed, argument=argument)

    def result(self, body, seed=0):
        called = self.call(body, seed)
        assert (called.code, called.passed) == (0, ""), (called, called.output)
        return result_of(called)

    def honest(self):
        """Tell that the next candidate runs as if nobody had been there before."""
        called = self.call(HONEST)
        assert (called.code, called.passed, result_of(called)) == (0, "", "honest"), called
        assert called.wall_seconds < 2
        return True
