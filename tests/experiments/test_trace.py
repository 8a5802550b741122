import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from headway.experiments import trace


@pytest.fixture
def traced(tmp_path):
    """Run code in a fresh interpreter under the trace, as a worker does, and return what was seen."""
    project = tmp_path / "project"
    project.mkdir()
    path = tmp_path / "trace"

    def run(code, *, ignore=(), again=""):
        script = (
            "import sys\n"
            f"sys.path.insert(0, {str(project)!r})\n"
            "from headway.experiments import trace\n"
            f"trace.start({str(path)!r}, {tuple(map(str, ignore))!r})\n{code}\n{again}"
        )
        subprocess.run([sys.executable, "-c", script], cwd=project, check=True)
        return set(trace.read(str(path)))

    return SimpleNamespace(run=run, project=project, path=path)


def names(entries, kind):
    return {Path(rest).name for letter, rest in entries if letter == kind}


def test_modules_files_and_packages_are_told_apart(traced):
    (traced.project / "model.py").write_text("import package.inner")
    (traced.project / "package").mkdir()
    (traced.project / "package" / "__init__.py").touch()
    (traced.project / "package" / "inner.py").touch()
    (traced.project / "data.csv").write_text("1")
    entries = traced.run(
        "import model, numpy, json\nopen('data.csv').read()\nimport os; os.open('data.csv', os.O_RDONLY)"
    )
    assert {"model.py", "__init__.py", "inner.py"} <= names(entries, "m")
    assert names(entries, "f") == {"data.csv"}
    assert any(kind == "s" and rest.endswith("\tnumpy") for kind, rest in entries)
    assert ("h", "") in entries


def test_a_module_loaded_from_its_cache_is_known_by_its_source(traced):
    (traced.project / "model.py").write_text("value = 1")
    traced.run("import model")
    traced.path.unlink()
    entries = traced.run("import model")
    assert ("m", str(traced.project / "model.py")) in entries
    assert not [rest for _, rest in entries if rest.endswith(".pyc")]


def test_what_a_trial_wrote_itself_is_no_input(traced):
    (traced.project / "data.bin").write_bytes(b"1")
    code = (
        "open('out.txt', 'w').write('1'); open('out.txt').read()\n"
        "import os, pathlib; os.close(os.open('made.bin', os.O_WRONLY | os.O_CREAT))\n"
        "pathlib.Path('made.bin').read_bytes(); open('data.bin', 'rb').read(); open('both.txt', 'w+').read()\n"
    )
    entries = traced.run(code)
    assert names(entries, "f") == {"data.bin"}
    assert names(entries, "w") == {"out.txt", "made.bin", "both.txt"}


def test_ignored_folders_and_the_standard_library_are_not_of_interest(traced):
    store = traced.project / ".headway"
    store.mkdir()
    (store / "spec.json").write_text("1")
    entries = traced.run("open('.headway/spec.json').read(); import sqlite3, csv; open('/proc/self/status').read()",
                     ignore=[store])  # fmt: skip
    assert names(entries, "f") == set()
    assert names(entries, "m") == set()


def test_forked_children_are_traced(traced):
    (traced.project / "child.txt").write_text("1")
    entries = traced.run("import os\nif os.fork() == 0: open('child.txt').read(); os._exit(0)\nos.wait()")
    assert "child.txt" in names(entries, "f")


def test_a_killed_process_leaves_what_it_saw(traced):
    (traced.project / "data.txt").write_text("1")
    with pytest.raises(subprocess.CalledProcessError):
        traced.run("open('data.txt').read(); import os; os.kill(os.getpid(), 9)")
    assert names(trace.read(str(traced.path)), "f") == {"data.txt"}


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("import subprocess; subprocess.run(['true'])", "subprocess"),
        ("import os; os.system('true')", "subprocess"),
        ("import sqlite3; sqlite3.connect('data.db').close()", "sqlite3"),
        (
            "import multiprocessing as m, os\n"
            "if __name__ == '__main__':\n p = m.get_context('spawn').Process(target=os.getpid); p.start(); p.join()",
            "subprocess",
        ),
    ],
    ids=["subprocess", "system", "sqlite3", "spawn"],
)
def test_what_no_hook_looks_into_is_noted(traced, code, what):
    assert ("x", what) in traced.run(code)


def test_file_names_may_hold_any_byte(traced):
    (traced.project / "\udcff.bin").write_bytes(b"1")
    assert ("f", str(traced.project / "\udcff.bin")) in traced.run("open(b'\\xff.bin').read()")


def test_a_second_start_tells_again_and_one_that_keeps_does_not(traced, tmp_path):
    (traced.project / "data.txt").write_text("1")
    second, third = tmp_path / "second", tmp_path / "third"
    (traced.project / "made.txt").write_text("1")
    traced.run(
        "open('data.txt').read(); open('made.txt', 'w').close()",
        again=(
            f"trace.start({str(second)!r}); open('data.txt').read(); open('made.txt').read()\n"
            f"trace.start({str(third)!r}, keep=True); open('data.txt').read()\n"
            "trace.stop(); open('late.txt', 'w').close()\n"
        ),
    )
    assert names(trace.read(str(second)), "f") == {"data.txt", "made.txt"}
    assert trace.read(str(third)) == [("h", "")]


def test_a_missing_trace_holds_nothing(tmp_path):
    assert trace.read(str(tmp_path / "none")) == []


def test_a_module_that_names_no_file_is_none_that_was_read(traced):
    # As torch.ops and torch.classes do.
    found = traced.run(
        "import types\npretender = types.ModuleType('pretender')\npretender.__file__ = '_pretender.py'\n"
        "sys.modules['pretender'] = pretender\ntrace.loaded()"
    )
    assert "_pretender.py" not in str(found)
