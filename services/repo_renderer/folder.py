"""A renderer's folder, held for as long as it runs: two in one folder would take each other's files away."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from repo_renderer.settings import InvalidSetting


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder and hold it for the block; InvalidSetting if that can't be, or another renderer holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidSetting(f"OUTRIDER_STATE: can't use the folder {folder}: {error.strerror}") from error
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidSetting(
                f"OUTRIDER_STATE: the folder {folder} is in use by another renderer: give each a folder of its own"
            ) from error
        yield
