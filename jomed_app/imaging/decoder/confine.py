"""What a worker may not do, set by itself before it reads its first file.

Everywhere: no socket, no program and no file for writing through Python (an audit hook, which code
that took the process over by a decoder's fault could go around), and an end of its own when a
decode outlives its limit. On Linux also, and there they bind native code too: a limit on memory
(RLIMIT_AS), no core dump, no file for writing (RLIMIT_FSIZE), no new privileges, an end when its
parent ends, and, where the system lets an ordinary user make one, a network namespace without any
interface. macOS has the limits on files but does not keep RLIMIT_AS; Windows has neither.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
_FORBIDDEN = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn")
_FORBIDDEN_CALLS = frozenset({"os.system", "os.startfile", "os.startfile/2", "pty.spawn"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


def leave_network() -> list[str]:
    """Tie the process's life to its parent's and take its network; call while it has one thread.

    Returns:
        What is in force.
    """
    if not sys.platform.startswith("linux"):
        return []
    system = ctypes.CDLL(None, use_errno=True)
    in_force = []
    if system.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0 or system.unshare(_CLONE_NEWNET) == 0:
        in_force.append("network namespace")
    # After the namespace, since new credentials clear it.
    if system.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0:
        in_force.append("ends with its parent")
    if system.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        in_force.append("no new privileges")
    return in_force


def limit_resources(memory_bytes: int) -> list[str]:
    """Bound memory and files; call when all modules are there.

    Args:
        memory_bytes: beyond what the process has mapped already.

    Returns:
        What is in force.
    """
    try:
        import resource
    except ImportError:  # Windows
        return []
    in_force = []
    for name, number in (("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 0)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (number, number))
            in_force.append(name)
    if sys.platform.startswith("linux"):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + memory_bytes
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
            in_force.append("RLIMIT_AS")
    return in_force


def refuse_calls() -> list[str]:
    """Refuse sockets, programs and files for writing from now on; cannot be taken back."""
    sys.addaudithook(_refuse)
    return ["audit hook"]


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_FORBIDDEN) or event in _FORBIDDEN_CALLS:
        raise PermissionError(f"a decoder must not call {event}")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
        raise PermissionError("a decoder must not open a file for writing")
