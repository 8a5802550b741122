"""What this machine gives against code that nobody trusts: tried, not guessed."""

import contextlib
import json
import os
import secrets
import socket
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from headway.core import HeadwayError
from headway.sandbox import processes
from headway.sandbox.bubblewrap import Sandbox
from headway.sandbox.groups import ControlGroup
from headway.sandbox.limits import SandboxLimits
from headway.sandbox.view import interpreter_paths

__all__ = ["Protection", "protection"]

# Each answer is whether the attempt succeeded.
_PROBE = """
import json, os, socket, sys
tcp, udp, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
def works(attempt):
    try: return bool(attempt())
    except OSError: return False
def vsock():
    socket.socket(getattr(socket, "AF_VSOCK", 40), socket.SOCK_STREAM)
    return True
if os.fork() == 0:
    os.setsid()
    os.execv("/bin/sleep", ["sleep", "60"])
print(json.dumps({
    "network": works(lambda: socket.create_connection(("127.0.0.1", tcp), 1))
        or works(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 9))),
    "sent": works(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", udp))),
    "files": works(lambda: os.listdir(folder)) or works(lambda: open(folder + "/made", "w"))
        or works(lambda: open("/usr/made-by-headway", "w"))
        or works(lambda: open("/proc/sys/kernel/core_pattern", "r+")),
    "secret": len(set(os.environ) - {"PATH", "HOME", "TMPDIR", "LANG", "PWD", "LC_CTYPE", "HEADWAY_PROBE"}) > 0,
    "vsock": works(vsock),
    "parent": works(lambda: os.kill(int(sys.argv[4]), 0) is None),
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Tell what holds on this machine. `problem` says why nothing does, where no sandbox can be made.

    - `network`: no socket reaches the machine or the world. `files`: only what was given is seen and written.
    - `environment`: no variable of ours is seen. `processes_ended`: nothing outlives a command, nor reaches outside.
    - `system_calls`: a filter refuses what namespaces do not hold.
    - `memory`: limited for `all` processes together, or for `each`, while the sum is watched.
    - `process_count`: limited by the kernel, or `watched` and ended a moment too late.
    """

    problem: str = ""
    network: bool = False
    files: bool = False
    environment: bool = False
    processes_ended: bool = False
    system_calls: bool = False
    memory: Literal["all", "each"] = "each"
    process_count: Literal["limited", "watched"] = "watched"

    @property
    def sound(self) -> bool:
        """Tell whether untrusted code may run here: no network, files, secrets, nothing left behind, no flood.

        Who forks without end outruns a watch and takes the machine down, so the kernel must limit processes.
        """
        held = self.network and self.files and self.environment and self.processes_ended
        return held and self.process_count == "limited"

    def __str__(self) -> str:
        if self.problem:
            return f"none: {self.problem}"
        words = {
            "no network": self.network,
            "only its own files": self.files,
            "a clean environment": self.environment,
            "nothing left behind": self.processes_ended,
            "filtered system calls": self.system_calls,
        }
        missing = [word for word, holds in words.items() if not holds]
        if self.process_count == "watched":
            missing.append("a limit on processes (run as an ordinary user, or where a control group can be made)")
        memory = (
            "memory limited as a whole" if self.memory == "all" else "memory limited by process, watched as a whole"
        )
        count = f"processes {self.process_count}"
        found = ", ".join([word for word, holds in words.items() if holds] + [memory, count])
        return found + (f"; MISSING: {', '.join(missing)}" if missing else "")


@cache
def protection() -> Protection:
    """Return what this machine gives: an attacker's first tries, made in a sandbox (a tenth of a second, once)."""
    if sys.platform != "linux":
        return Protection(problem="sandboxes need Linux")
    try:
        return _tried()
    except (HeadwayError, OSError, ValueError) as error:
        return Protection(problem=str(error).splitlines()[0] if str(error) else repr(error))


def _tried() -> Protection:
    mark = secrets.token_hex(16)
    with (
        tempfile.TemporaryDirectory(prefix="headway-") as folder,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        root, private = Path(folder, "root"), Path(folder, "private")
        root.mkdir()
        private.mkdir()
        limits = SandboxLimits(wall_seconds=20)
        sandbox = Sandbox(
            root=root, readable=interpreter_paths(sys.executable), environment={"HEADWAY_PROBE": mark}, limits=limits
        )
        words = [str(tcp.getsockname()[1]), str(udp.getsockname()[1]), str(private), str(os.getpid())]
        ended = sandbox.run([sys.executable, "-I", "-S", "-c", _PROBE, *words])
        if not ended.ok:
            said = (ended.stderr or b"nothing").decode(errors="replace").strip().splitlines()
            return Protection(problem=f"a probe failed in the sandbox ({ended.reason}): {said[-1]}")
        reached = json.loads(ended.stdout)
        with contextlib.suppress(BlockingIOError):
            reached["network"] = bool(udp.recv(16)) or reached["network"]
    group = ControlGroup.make(limits)
    try:
        return Protection(
            network=not reached["network"],
            files=not reached["files"],
            environment=not reached["secret"],
            processes_ended=not processes.carrying(f"HEADWAY_PROBE={mark}") and not reached["parent"],
            system_calls=not reached["vsock"],
            memory="all" if group.holds("memory") else "each",
            process_count="limited" if group.holds("pids") or os.geteuid() != 0 else "watched",
        )
    finally:
        group.remove()
