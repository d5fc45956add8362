"""Closes the worker in, from inside, once all that it needs is loaded.

Limits on memory, time and files hold wherever there are resource limits. On Linux the kernel then
lets it do little more than read, write, compute and end (seccomp), and shows it a network without
interfaces where it may make one. What a worker needs later must be loaded before.
Source: seccomp(2), setrlimit(2), unshare(2).
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys

_NEW_USER = 0x10000000
_NEW_NET = 0x40000000
_NO_NEW_PRIVILEGES = 38
_SET_SECCOMP = 22
_MODE_FILTER = 2

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050001  # with EPERM

_CALLS = {
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "fcntl": (72, 25),
    "poll": (7, None),
    "ppoll": (271, 73),
    "epoll_wait": (232, None),
    "epoll_pwait": (281, 22),
    "epoll_pwait2": (441, 441),
    "epoll_ctl": (233, 21),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "membarrier": (324, 283),
    "rseq": (334, 293),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "nanosleep": (35, 101),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getrusage": (98, 165),
    "getrandom": (318, 278),
    "restart_syscall": (219, 128),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
"""What the kernel is still asked for: the numbers on x86_64 and on aarch64."""

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jump_true", ctypes.c_ubyte),
        ("jump_false", ctypes.c_ubyte),
        ("k", ctypes.c_uint32),
    )


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


def confine(cpu_s: int, memory_bytes: int) -> list[str]:
    """Close this process in; return what was closed: `limits`, `network`, `kernel`."""
    closed = []
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if libc is not None and libc.unshare(_NEW_USER | _NEW_NET) == 0:
        closed.append("network")
    if _limit(cpu_s, memory_bytes):
        closed.append("limits")
    if libc is not None and _filter_calls(libc):
        closed.append("kernel")
    return closed


def _limit(cpu_s: int, memory_bytes: int) -> bool:
    try:
        import resource
    except ImportError:  # there is none on Windows
        return False
    wanted = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        # No further file, pipe or socket; those that are open stay so.
        (resource.RLIMIT_NOFILE, 0),
    ]
    for limit, value in wanted:
        _, most = resource.getrlimit(limit)
        value = value if most < 0 else min(value, most)
        # A second more before the end that gives no reason.
        hard = value + 1 if limit == resource.RLIMIT_CPU and most < 0 else value
        resource.setrlimit(limit, (value, hard))
    return True


def _filter_calls(libc: ctypes.CDLL) -> bool:
    system = _ARCHITECTURES.get(platform.machine())
    if system is None:
        return False
    architecture, column = system
    allowed = [number for numbers in _CALLS.values() if (number := numbers[column]) is not None]
    last = len(allowed)
    program = [
        _Instruction(_LOAD, 0, 0, 4),  # the architecture of the call
        _Instruction(_EQUAL, 1, 0, architecture),
        _Instruction(_RETURN, 0, 0, _REFUSE),
        _Instruction(_LOAD, 0, 0, 0),  # its number
        *(_Instruction(_EQUAL, last - index, 0, number) for index, number in enumerate(allowed)),
        _Instruction(_RETURN, 0, 0, _REFUSE),
        _Instruction(_RETURN, 0, 0, _ALLOW),
    ]
    array = (_Instruction * len(program))(*program)
    filter_ = _Filter(len(program), array)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_), 0, 0) == 0)


def environment() -> dict[str, str]:
    """Return the environment of a worker: what an interpreter needs to start, and no secret."""
    kept = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ}
