"""The file that a new identity goes into: looked at before the hub is asked, since a key that can't be written down is lost."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from outrider_cli.failure import Failed

if TYPE_CHECKING:
    from pathlib import Path

    from outrider.identity.credentials import Credentials


def check_writable(out: Path | None) -> None:
    """Fail if a file can't be written."""
    if out is not None and not os.access(out if out.exists() else out.parent, os.W_OK):
        raise Failed(f"can't write {out}: its folder does not exist or is read-only")


def held(out: Path | None, name: str, *, is_pool: bool) -> Credentials | None:
    """Return what a file holds that is to be written again; Failed if that is not the identity of `name`."""
    from outrider.identity import credentials

    if out is None or not out.exists():
        return None
    try:
        found = credentials.load(out)
    except credentials.InvalidCredentials as error:
        raise Failed(f"{out} exists and is no credentials file: choose another --out") from error
    if (found.user.name, found.user.is_pool) != (name, is_pool):
        kind = "pool" if found.user.is_pool else "cluster"
        raise Failed(f"{out} holds the credentials of {kind} {found.user.name!r}: choose another --out")
    return found


def write(out: Path, text: str) -> None:
    """Write it with mode 0600, whole or not at all."""
    from outrider.identity.credentials import write_secret

    try:
        write_secret(out, text)
    except OSError as error:
        raise Failed(
            f"can't write {out}: {error.strerror}; run the command again with --replace and another --out"
        ) from error
