"""System calls that Python has no functions for, by number. Both architectures that the hub runs on, 64 bits each."""

import ctypes
import os
import platform
import sys
from typing import NoReturn


class Unsupported(Exception):
    """The kernel, or this platform, does not have what a layer needs."""


_NUMBERS = {
    "x86_64": {"seccomp": 317, "execve": 59},
    "aarch64": {"seccomp": 277, "execve": 221},
}
# These have one number on every architecture.
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38

ARCHITECTURE = platform.machine()


def is_supported() -> bool:
    """Tell whether this is Linux on a known architecture."""
    return sys.platform == "linux" and ARCHITECTURE in _NUMBERS and sys.maxsize > 2**32


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise Unsupported(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def no_new_privileges() -> None:
    """Let no program that this process starts gain rights; seccomp and Landlock ask for it."""
    _checked(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send a signal to this process when the one that started it ends."""
    _checked(_libc().prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "parent death signal")


def seccomp(operation: int, flags: int, program: ctypes.Structure) -> None:
    """Put a filter on this process."""
    _checked(
        _libc().syscall(_NUMBERS[ARCHITECTURE]["seccomp"], operation, flags, ctypes.byref(program)), "seccomp"
    )


def landlock_abi() -> int:
    """Return the version of Landlock that the kernel has."""
    return _checked(_libc().syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1), "Landlock")


def landlock_create(attributes: ctypes.Array[ctypes.c_uint64]) -> int:
    """Return the descriptor of a ruleset."""
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    return _checked(_libc().syscall(_LANDLOCK_CREATE, ctypes.byref(attributes), size, 0), "Landlock")


def landlock_allow(ruleset: int, rule: bytes) -> None:
    """Add a rule for a path to a ruleset."""
    _checked(_libc().syscall(_LANDLOCK_ADD, ruleset, 1, ctypes.c_char_p(rule), 0), "Landlock")


def landlock_restrict(ruleset: int) -> None:
    """Put a ruleset on this thread and all that it starts."""
    _checked(_libc().syscall(_LANDLOCK_RESTRICT, ruleset, 0), "Landlock")


def execve(path_address: int, argv: list[bytes], environment: list[bytes]) -> NoReturn:
    """Become another program, whose path stands at a given address; the process ends if it can't."""
    arguments = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)
    variables = (ctypes.c_char_p * (len(environment) + 1))(*environment, None)
    _libc().syscall(_NUMBERS[ARCHITECTURE]["execve"], ctypes.c_void_p(path_address), arguments, variables)
    os._exit(126)
