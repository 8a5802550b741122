"""A filter of system calls, as the classic BPF program that bubblewrap loads (seccomp(2)).

It refuses what namespaces do not hold: sockets of families that know no network namespace (AF_VSOCK reaches the
hypervisor), io_uring, which makes sockets past any filter, looking into other processes, and further namespaces. Where
candidates follow each other in one sandbox, also what a process leaves in its IPC namespace when it has ended.
"""

import os
import platform
import struct
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["filter_program", "open_program"]

_LOAD, _EQUAL, _ABOVE, _MASK, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06  # ld abs, jeq, jgt, jset, ret
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little endian
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: each network namespace has its own
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW*; that of time shares its bit with the signal here
_X32 = 0x40000000


@dataclass(frozen=True, slots=True)
class _Machine:
    """Hold the numbers of one architecture: <asm/unistd_64.h> of x86-64, <asm-generic/unistd.h> of ARM."""

    audit: int
    socket: int
    socketpair: int
    clone: int
    refused: tuple[int, ...]
    outliving: tuple[int, ...]


_NEW_CALLS = (425, 426, 427, 438)  # io_uring_setup, _enter and _register, pidfd_getfd: the same everywhere
_CLONE3 = 435

_MACHINES = {
    # ptrace, syslog, add_key, request_key, keyctl, unshare, perf_event_open, open_by_handle_at, setns,
    # process_vm_readv, process_vm_writev, bpf, userfaultfd, and mount, umount2, pivot_root.
    # Then shmget, semget, msgget and mq_open: without these there is nothing that the others could reach.
    "x86_64": _Machine(
        0xC000003E,
        41,
        53,
        56,
        (101, 103, 248, 249, 250, 272, 298, 304, 308, 310, 311, 321, 323, 165, 166, 155),
        (29, 64, 68, 240),
    ),
    "aarch64": _Machine(
        0xC00000B7,
        198,
        199,
        220,
        (117, 116, 217, 218, 219, 97, 241, 265, 268, 270, 271, 280, 282, 40, 39, 41),
        (194, 190, 186, 180),
    ),
}


def filter_program(machine: str | None = None, *, lasting: bool = False) -> bytes | None:
    """Return the filter for a machine (default: this one), or None where its system calls are not known here.

    In a `lasting` sandbox the IPC objects that outlive their makers do not exist either.
    """
    known = _MACHINES.get(machine or platform.machine())
    return None if known is None else b"".join(_instructions(known, lasting=lasting))


def open_program(program: bytes) -> int:
    """Return a descriptor from which bubblewrap reads the program. It fits into a pipe."""
    reading, writing = os.pipe()
    os.write(writing, program)
    os.close(writing)
    return reading


def _instructions(machine: _Machine, *, lasting: bool) -> Sequence[bytes]:
    """Another architecture's calls (32 bits, x32) have other numbers, so they are refused altogether."""
    return [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, machine.audit, 1, 0),
        _error(_ENOSYS),
        _step(_LOAD, _NUMBER),
        _step(_ABOVE, _X32 - 1, 0, 1),
        _error(_ENOSYS),
        _step(_EQUAL, _CLONE3, 0, 1),  # its flags lie in memory, where no filter looks; libraries fall back to clone
        _error(_ENOSYS),
        *(step for number in (*machine.refused, *_NEW_CALLS) for step in (_step(_EQUAL, number, 0, 1), _error(_EPERM))),
        *(step for number in machine.outliving if lasting for step in (_step(_EQUAL, number, 0, 1), _error(_ENOSYS))),
        _step(_EQUAL, machine.clone, 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_MASK, _NEW_NAMESPACES, 0, 1),
        _error(_EPERM),
        _step(_RETURN, _ALLOW),
        _step(_EQUAL, machine.socket, 1, 0),
        _step(_EQUAL, machine.socketpair, 0, len(_FAMILIES) + 2),
        _step(_LOAD, _FIRST_ARGUMENT),
        *(_step(_EQUAL, family, len(_FAMILIES) - place, 0) for place, family in enumerate(_FAMILIES)),
        _error(_EAFNOSUPPORT),
        _step(_RETURN, _ALLOW),
    ]


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, value)


def _error(number: int) -> bytes:
    return _step(_RETURN, _ERRNO | number)
