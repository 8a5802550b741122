"""`headway doctor`: what this machine has, what it lacks, and what to type."""

import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import click

from headway.core import HeadwayError
from headway.interfaces.cli.app import command
from headway.interfaces.cli.places import default_folder
from headway.interfaces.cli.words import bytes_text, echo, echo_json, styled

__all__ = ["doctor"]

_LITTLE_DISK = 2 * 1024**3
_EXTRAS = (
    ("optuna", "optuna", "the sampler tpe"),
    ("pyarrow", "parquet", "export to Parquet"),
    ("torch", "torch", "experiments in PyTorch, and 'make demo'"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Hold one finding. `needed` tells whether Headway cannot run without it; `hint` is what to type."""

    name: str
    ok: bool
    found: str
    hint: str = ""
    needed: bool = False


@command("Check this machine, and say what to type.", {9: "something is missing that Headway needs"})
def doctor(store: Path | None, as_json: bool) -> None:
    """Check this machine: what Headway needs, what it can use, and what to type where something is missing."""
    folder = (store or default_folder()).absolute()
    checks = [
        _python(),
        _record(folder),
        _disk(folder),
        _fork(),
        _cores(),
        _gpus(),
        *(_extra(*item) for item in _EXTRAS),
        _sandbox(),
    ]
    sound = all(check.ok for check in checks if check.needed)
    if as_json:
        echo_json({"ok": sound, "checks": [asdict(check) for check in checks]})
    else:
        echo([line for check in checks for line in _lines(check)])
        echo("\nHeadway can run here." if sound else "\nHeadway cannot run here before the lines with ✕ are mended.")
    if not sound:
        click.get_current_context().exit(9)


def _lines(check: Check) -> list[str]:
    if check.ok:
        state = styled("● ok     ", fg="green")
    else:
        state = styled("✕ missing", fg="red") if check.needed else styled("○ missing", fg="yellow")
    lines = [f"{state}  {check.name:<11}  {check.found}"]
    return [*lines, f"{'':24}{check.hint}"] if check.hint and not check.ok else lines


def _python() -> Check:
    ok = sys.version_info >= (3, 11)
    return Check(name="python", ok=ok, found=f"{platform.python_version()} ({sys.executable})", needed=True,
                 hint="Install Python 3.11 or newer, and Headway into it.")  # fmt: skip


def _record(folder: Path) -> Check:
    """Look whether a store can live in the folder, without leaving anything behind."""
    from headway.store import Store

    hint = "Give a folder on a local disk that you may write: --store FOLDER, or HEADWAY_STORE."
    there = (folder / "store.sqlite").exists()
    try:
        if there:
            with Store.open(folder, create=False) as store:
                store.database.run("UPDATE studies SET request = request WHERE id = -1")
                count = len(store.studies.all())
                sound = store.database.sound()
            found = f"{folder}, {count} {'study' if count == 1 else 'studies'}" if sound else f"{folder} is damaged"
            return Check(name="store", ok=sound, found=found, hint="Restore it from a copy.", needed=True)
        with tempfile.TemporaryDirectory(dir=_existing(folder)) as trial:
            Store.open(Path(trial) / "store").close()
    except (HeadwayError, OSError) as error:
        return Check(name="store", ok=False, found=str(error), hint=hint, needed=True)
    return Check(name="store", ok=True, found=f"{folder} (made by the first run)", needed=True)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(_existing(folder)).free
    return Check(name="disk", ok=free > _LITTLE_DISK, found=f"{bytes_text(free)} free",
                 hint="Free some space; 'headway gc' shows what can go.")  # fmt: skip


def _fork() -> Check:
    ok = hasattr(os, "fork") and sys.platform != "darwin"
    return Check(name="fork", ok=ok, found="warm workers" if ok else "a fresh interpreter a trial, which is slower",
                 hint="Use Linux where the start of a trial matters.")  # fmt: skip


def _cores() -> Check:
    from headway.engine.slots import available_cores

    return Check(name="cores", ok=True, found=f"{available_cores()} for this process, {os.cpu_count()} in the machine")


def _gpus() -> Check:
    if shutil.which("nvidia-smi") is None and not Path("/proc/driver/nvidia").exists():
        return Check(name="gpu", ok=True, found="none; trials run on cores")
    from headway.engine.slots import available_gpus

    count = available_gpus()
    if count:
        return Check(name="gpu", ok=True, found=f"{count} GPUs")
    return Check(name="gpu", ok=False, found="a driver, but no GPU that can be counted",
                 hint="pip install 'headway[gpu]' (nvidia-ml-py), and try nvidia-smi")  # fmt: skip


def _extra(package: str, extra: str, purpose: str) -> Check:
    try:
        found = f"{metadata.version(package)}: {purpose}"
    except metadata.PackageNotFoundError:
        return Check(name=package, ok=False, found=f"not installed: {purpose}", hint=f"pip install 'headway[{extra}]'")
    return Check(name=package, ok=True, found=found)


def _sandbox() -> Check:
    """Say what untrusted code would find here: its attacks are tried, which takes a tenth of a second."""
    from headway.sandbox import protection

    found = protection()
    path = shutil.which("bwrap")
    hint = "apt install bubblewrap   (or your system's way)" if path is None else (
        "The system must allow user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu"
    )  # fmt: skip
    text = "not installed: a sandbox for code of agents" if path is None else f"{path}: {found}"
    return Check(name="bubblewrap", ok=found.sound, found=text, hint=hint)
