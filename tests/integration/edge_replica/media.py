"""Media that have no room, or can't be written to: mounted where the user may, else by what the kernel lets a process limit."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest


class Medium(Protocol):
    """A folder whose room a test decides."""

    folder: Path

    def fill(self) -> None:
        """Take all the room there is."""

    def free(self) -> None:
        """Give it back."""


class SmallDisk:
    """A file system of its own in memory."""

    BALLAST = "ballast"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """To the last byte."""
        handle = os.open(self.folder / self.BALLAST, os.O_WRONLY | os.O_CREAT)
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while os.write(handle, b"x" * size) == size:
                    pass
        os.close(handle)

    def free(self) -> None:
        (self.folder / self.BALLAST).unlink(missing_ok=True)


class LimitedFiles:
    """No file of this process may grow beyond what the replica's files have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, self._before[1]))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[SmallDisk]:
    """Mount a disk of this size; the test is skipped where the user may not."""
    folder.mkdir()
    with mounted(["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], folder):
        yield SmallDisk(folder)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write to a folder."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    with mounted(["--bind", str(folder), str(folder)], folder):
        _mount(["-o", "remount,bind,ro", str(folder)])
        yield


@contextlib.contextmanager
def mounted(arguments: list[str], folder: Path) -> Iterator[None]:
    try:
        _mount(arguments)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"can't mount here: {error}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607, S603


def _mount(arguments: list[str]) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)  # noqa: S607, S603
