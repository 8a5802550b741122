import os

import pytest

from headway.core import Redactor
from headway.engine.manifests import Library, observed
from headway.experiments import trace
from headway.store import Store


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    (root / "model.py").write_text("x = 1\n")
    (root / "data.bin").write_bytes(b"\x00\xff")
    return root


@pytest.fixture
def store(project):
    with Store.open(project / ".headway") as store:
        yield store


@pytest.fixture
def site(tmp_path):
    """A folder of installed packages: one by pip, one as Debian installs it, and the remains of a third."""
    site = tmp_path / "lib" / "site-packages"

    def put(name, text):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)

    put("Py_Tool-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: Py_Tool\nVersion: 1.0\n")
    put("Py_Tool-1.0.dist-info/RECORD", "tool/__init__.py,,\n../../bin/tool,,\n_tool.cpython-311.so,,\n")
    put("Debian_Tool-2.0.egg-info/PKG-INFO", "Metadata-Version: 1.2\nName: Debian_Tool\nVersion: 2.0\n")
    put("Debian_Tool-2.0.egg-info/SOURCES.txt", "debian_tool/__init__.py\n")
    put("debian_tool/__init__.py", "")
    put("~roken-3.0.dist-info/RECORD", "broken/__init__.py,,\n")
    return site


@pytest.fixture
def library(store, project):
    return Library(store, project, Redactor(["sesame-open-sesame"]))


def use(tmp_path, *entries):
    """Make what was observed from trace entries."""
    path = tmp_path / "trace"
    path.write_bytes(b"\0".join(os.fsencode(f"{kind}{rest}") for kind, rest in [("h", ""), *entries]) + b"\0")
    return observed([path])


def make(library, seen, *, inputs=(), threads=1):
    return library.manifest(seen, inputs=inputs, threads=threads, device="cpu")


def changed(library, manifest, *, threads=1, device="cpu"):
    return library.changed(manifest, threads=threads, device=device)


def paths(manifest):
    return {item.path: item.kind for item in manifest.files}


def test_traces_are_joined_and_what_was_written_is_no_input(tmp_path, project):
    for name, entries in [("a", "h\0m/x/model.py\0f/x/model.py\0"), ("b", "f{}\0w{}\0x\0s/site\ttorch\0")]:
        data = entries.replace("{}", str(project / "data.bin"))
        (tmp_path / name).write_bytes(data.encode())
    seen = observed([tmp_path / "a", tmp_path / "b", tmp_path / "none"])
    assert {path.name for path in seen.modules} == {"model.py"}
    assert seen.files == frozenset()
    assert seen.packages == {("/site", "torch")}
    assert seen.traced
    assert not observed([tmp_path / "b"]).traced


def test_a_manifest_that_is_made_holds_now(tmp_path, library, project):
    manifest = make(library, use(tmp_path, ("m", project / "model.py"), ("f", project / "data.bin")))
    assert paths(manifest) == {"model.py": "module", "data.bin": "file"}
    assert changed(library, manifest) is None
    assert changed(library, manifest, threads=2) == "threads is 2 and was 1"
    assert changed(library, manifest, device="gpu") == "device is gpu and was cpu"


def test_a_file_outside_of_the_project_is_known_by_digest_alone(tmp_path, library, project):
    (tmp_path / "far.txt").write_text("1")
    manifest = make(library, use(tmp_path, ("f", tmp_path / "far.txt")))
    (far,) = manifest.files
    assert (far.path, far.stored) == (str(tmp_path / "far.txt"), False)
    (tmp_path / "far.txt").write_text("2")
    assert changed(library, manifest) == f"{tmp_path / 'far.txt'} changed"


def test_a_file_that_is_gone_has_changed(tmp_path, library, project):
    manifest = make(library, use(tmp_path, ("m", project / "model.py")))
    (project / "model.py").unlink()
    assert changed(library, manifest) == "model.py changed"


def test_a_file_that_was_gone_when_the_trial_ended_keeps_it_from_counting(tmp_path, library, project):
    manifest = make(library, use(tmp_path, ("m", project / "gone.py")))
    assert manifest.not_reusable == "gone.py was gone when the trial ended"


def test_a_file_that_changed_while_the_trial_ran_keeps_it_from_counting(tmp_path, library, project):
    path = project / "model.py"
    manifest = make(library, use(tmp_path, ("m", path), ("t", f"{trace.stamp(str(path))} {path}")))
    assert manifest.not_reusable is None
    manifest = make(library, use(tmp_path, ("m", path), ("t", f"1,2,3 {path}")))
    assert changed(library, manifest) == "model.py changed while the trial ran"


def test_packages_are_known_by_name_and_version(tmp_path, library, site):
    seen = use(tmp_path, *(("s", f"{site}\t{name}") for name in ("tool", "_tool", "debian_tool", "broken", "nobody")))
    manifest = make(library, seen)
    assert manifest.packages == {"py-tool": "1.0", "debian-tool": "2.0"}
    assert manifest.sites == (str(site),)
    assert changed(library, manifest) is None


def test_another_version_of_a_package_is_a_change(tmp_path, store, project, library, site):
    seen = use(tmp_path, ("s", f"{site}\ttool"), ("s", f"{site}\tdebian_tool"))
    manifest = make(library, seen)
    (site / "Py_Tool-1.0.dist-info").rename(site / "Py_Tool-1.1.dist-info")
    assert changed(Library(store, project, Redactor()), manifest) == "the package py-tool is 1.1 and was 1.0"
    (site / "Py_Tool-1.1.dist-info").rename(site / "Py_Tool-1.0.dist-info")
    (site / "Debian_Tool-2.0.egg-info" / "PKG-INFO").unlink()
    assert changed(Library(store, project, Redactor()), manifest) == "the package debian-tool is gone and was 2.0"


def test_another_package_that_nobody_imported_is_no_change(tmp_path, store, project, library, site):
    manifest = make(library, use(tmp_path, ("s", f"{site}\ttool")))
    (site / "new-9.dist-info").mkdir()
    assert changed(Library(store, project, Redactor()), manifest) is None


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([("s", "/site\tpolars")], "it uses polars, which read files unseen"),
        ([("x", "sqlite3"), ("x", "subprocess"), ("s", "/site\th5py")], "it uses h5py, sqlite3, subprocess,"),
    ],
)
def test_what_reads_unseen_is_named_unless_inputs_are_declared(tmp_path, library, project, entries, why):
    seen = use(tmp_path, *entries)
    assert why in (make(library, seen).unseen or "")
    declared = make(library, seen, inputs=[str(project / "data.bin")])
    assert declared.unseen is None
    assert paths(declared) == {"data.bin": "input"}
    (project / "data.bin").write_bytes(b"other")
    assert changed(library, declared) == "data.bin changed"


def test_a_process_without_a_trace_is_unseen(tmp_path, library):
    assert "no Python that could be watched" in (make(library, observed([tmp_path / "none"])).unseen or "")


def test_a_declared_folder_counts_with_its_files_and_their_names(tmp_path, library, project):
    (project / "set" / "deep").mkdir(parents=True)
    (project / "set" / "deep" / "a").write_text("1")
    manifest = make(library, use(tmp_path), inputs=[str(project / "set")])
    assert paths(manifest) == {"set": "folder", "set/deep/a": "input"}
    assert changed(library, manifest) is None
    (project / "set" / "deep" / "b").write_text("2")
    assert changed(library, manifest) == "set changed"
    (project / "set" / "deep" / "b").unlink()
    assert changed(library, manifest) is None


def test_a_snapshot_holds_no_secrets_and_says_that_it_does_not(tmp_path, library, store, project):
    (project / "model.py").write_text("key = 'sesame-open-sesame'\n")
    manifest = make(library, use(tmp_path, ("m", project / "model.py"), ("f", project / "data.bin")))
    data, model = manifest.files if manifest.files[0].kind == "file" else reversed(manifest.files)
    assert (model.stored, model.redacted) == (True, True)
    assert store.artifacts.read(model.digest) == b"key = '[redacted]'\n"
    assert (data.stored, data.redacted) == (True, False)
    assert store.artifacts.read(data.digest) == b"\x00\xff"
    assert changed(library, manifest) is None


def test_a_file_too_large_is_known_by_digest_alone(tmp_path, library, project):
    with (project / "big.bin").open("wb") as file:
        file.truncate(21 * 1024 * 1024)
    (big,) = make(library, use(tmp_path, ("f", project / "big.bin"))).files
    assert (big.stored, big.size_bytes) == (False, 21 * 1024 * 1024)


def test_a_trace_that_the_tracer_wrote_is_what_is_observed(tmp_path, project):
    path = tmp_path / "trace"
    trace.tell(str(path), "sh")
    seen = observed([path])
    assert (seen.opaque, seen.traced) == (frozenset({"sh"}), False)
