"""What a trial's record says of its surroundings: hardware, environment, git. Nothing here decides anything."""

import os
import platform
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from headway.core import Redactor
from headway.engine.slots import available_cores

__all__ = ["surroundings"]

_RELEVANT = re.compile(
    r"^(HEADWAY|PYTHON|CUDA|NVIDIA|TORCH|OMP|OPENBLAS|MKL|XLA|JAX|HF|TOKENIZERS|SLURM|NCCL|CONDA|VIRTUAL_ENV)"
)


def surroundings(root: Path, redactor: Redactor) -> dict[str, Any]:
    """Return the machine, the variables that bear on computing (secrets redacted) and the state of git, as JSON."""
    variables = {name: value for name, value in os.environ.items() if _RELEVANT.match(name)}
    return {
        "hardware": dict(_hardware()),
        "environment": redactor.variables(variables),
        "git": _git(str(root)),
    }


@cache
def _hardware() -> tuple[tuple[str, Any], ...]:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and (match := re.search(r"model name\s*:\s*(.+)", info.read_text())):
        model = match[1]
    memory = 0
    if hasattr(os, "sysconf") and sys.platform != "win32":
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (
        ("cpu", model),
        ("cores", available_cores()),
        ("memory_bytes", memory),
        ("system", platform.platform()),
        ("python", sys.version.split()[0]),
    )


def _git(root: str) -> dict[str, Any]:
    def ask(*words: str) -> str | None:
        try:
            answer = subprocess.run(
                ["git", "-C", root, *words], capture_output=True, text=True, check=False, timeout=20
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return answer.stdout.strip() if answer.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    if commit is None:
        return {}
    return {"commit": commit, "uncommitted": bool(ask("status", "--porcelain"))}
