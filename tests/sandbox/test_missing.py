"""Where there is no bubblewrap, or one that is too old, nothing untrusted runs, and the message says what to type."""

import pytest

from headway.core import UsageError
from headway.sandbox import Sandbox
from headway.sandbox.bubblewrap import bubblewrap
from headway.sandbox.trying import protection


@pytest.fixture
def without(monkeypatch, tmp_path):
    """Leave nothing on the path but what the test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    bubblewrap.cache_clear()
    protection.cache_clear()
    yield tmp_path
    bubblewrap.cache_clear()
    protection.cache_clear()


def program(folder, text):
    (folder / "bwrap").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "bwrap").chmod(0o755)


def test_a_missing_bubblewrap_is_told(without):
    with pytest.raises(UsageError, match="apt install bubblewrap"):
        Sandbox(root=without).run(["true"])
    assert not protection().sound
    assert "not installed" in str(protection())


def test_an_old_bubblewrap_is_told(without):
    program(without, "echo bubblewrap 0.6.1")
    with pytest.raises(UsageError, match=r"0\.8\.0 or newer"):
        Sandbox(root=without).run(["true"])


def test_a_machine_that_allows_no_namespaces_is_told(without):
    program(without, 'case $1 in --version) echo bubblewrap 0.8.0;; *) echo "No permissions" >&2; exit 1;; esac')
    found = protection()
    assert not found.sound
    assert "No permissions" in found.problem
