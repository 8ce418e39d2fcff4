"""Put the layers on, from the outermost to the innermost, and tell which of them hold.

The order matters. Landlock binds the thread that asks for it and those it starts later, so that it comes before Helm's library,
whose runtime starts threads as it is loaded.
"""

import ctypes
import mmap
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from outrider.rendering.layers import Layer, Protection
from outrider.rendering.worker import landlock, limits, seccomp, system


class ExecutablePath:
    """The path of the one program that may be started, at an address of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self._page.write(os.fsencode(path) + b"\0")
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._page))


def enter(
    bounds: limits.Limits, visible: Mapping[Path, landlock.Access], executable: ExecutablePath | None
) -> Protection:
    """Lock this process in: it sees the given paths and starts no program but `executable`."""
    present: set[Layer] = set()
    missing: dict[Layer, str] = {}

    def layer(name: Layer, put_on: Callable[[], None]) -> None:
        try:
            put_on()
        except (system.Unsupported, OSError, ValueError) as error:
            missing[name] = str(error)
        else:
            present.add(name)

    address = executable.address if executable else None
    written = bounds.written_file_bytes if executable else 0
    layer(Layer.LIMITS, lambda: limits.apply(bounds, written_file_bytes=written))
    layer(Layer.PRIVILEGES, _no_new_privileges)
    layer(Layer.FILES, lambda: _see_only(visible))
    layer(Layer.SYSTEM_CALLS, lambda: seccomp.deny_dangerous_calls(executable_address=address))
    return Protection(frozenset(present), missing)


def end_with_parent() -> None:
    """Have this process killed when the one that started it ends; it ends at once if that is too late."""
    if sys.platform == "linux":
        parent = os.getppid()
        system.die_with_parent(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


def _no_new_privileges() -> None:
    if sys.platform != "linux":
        raise system.Unsupported("no_new_privs is Linux's")
    system.no_new_privileges()


def _see_only(visible: Mapping[Path, landlock.Access]) -> None:
    if not system.is_supported():
        raise system.Unsupported("Landlock is Linux's")
    landlock.restrict(visible)
