"""Landlock: which files a process can see. Rules only ever add up to less, for the process itself and all that it starts.

Needs Linux 5.13 and no rights at all. From 6.7 on it denies TCP as well, from 6.12 on signals to other processes.
"""

import os
import struct
from collections.abc import Mapping
from enum import IntFlag
from pathlib import Path

from outrider.rendering.worker import system


class Access(IntFlag):
    """Landlock's rights to files (the kernel's include/uapi/linux/landlock.h)."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    MAKE_REG = 1 << 8
    TRUNCATE = 1 << 14


READ = Access.READ_FILE | Access.READ_DIR
WRITE = Access.WRITE_FILE | Access.MAKE_REG | Access.TRUNCATE
_FILE_RIGHTS = Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE
# The rights that a rule for a file, rather than for a folder, may hold.

_ALL_RIGHTS_BY_ABI = {
    1: (1 << 13) - 1,
    2: (1 << 14) - 1,
    3: (1 << 15) - 1,
    4: (1 << 15) - 1,
    5: (1 << 16) - 1,
}
_NETWORK_FROM_ABI, _ALL_NETWORK = 4, 0b11
_SCOPES_FROM_ABI, _ALL_SCOPES = 6, 0b11


def restrict(allowed: Mapping[Path, Access]) -> None:
    """Deny this thread, and what it starts from now on, every file but those below the given paths; Unsupported if it can't be.

    Threads that run already stay as they are: call this first.
    """
    import ctypes

    abi = system.landlock_abi()
    handled = _ALL_RIGHTS_BY_ABI[min(abi, max(_ALL_RIGHTS_BY_ABI))]
    attributes = [handled]
    if abi >= _NETWORK_FROM_ABI:
        attributes.append(_ALL_NETWORK)
    if abi >= _SCOPES_FROM_ABI:
        attributes.append(_ALL_SCOPES)
    ruleset = system.landlock_create((ctypes.c_uint64 * len(attributes))(*attributes))
    try:
        for path, access in allowed.items():
            _allow(ruleset, path, access & handled)
        system.landlock_restrict(ruleset)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, access: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not path.is_dir():
            access &= _FILE_RIGHTS
        system.landlock_allow(ruleset, struct.pack("=Qi", access, descriptor))
    finally:
        os.close(descriptor)
