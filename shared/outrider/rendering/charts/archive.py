"""Unpack a chart's or artifact's archive into an empty folder: files and folders alone, within bounds.

Links, devices, sparse files, names that leave the folder and names that come twice are refused by name. What a gzip bomb expands to
is counted as it comes.
"""

import gzip
import os
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from outrider.rendering.errors import RenderError
from outrider.rendering.git.bounds import MIB
from outrider.rendering.git.export import ExportLimits

STAGE = "charts"
_COPY_BYTES = 256 * 1024
_BROKEN = (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, UnicodeError, ValueError, RecursionError)


class _TooLarge(Exception):
    """More came out of the archive than may."""


class _Counted:
    """A stream that ends the reading once too much has come out of it."""

    def __init__(self, stream: BinaryIO, max_bytes: int) -> None:
        self._stream, self._left = stream, max_bytes

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise _TooLarge
        return data


def unpack(archive: Path, into: Path, name: str, limits: ExportLimits, *, without_top: bool) -> None:
    """Unpack a .tar.gz; `without_top` leaves out the one folder that a chart's files are in. RenderError names what is refused."""
    # Headers and padding count too, hence the addition for small files.
    max_bytes = limits.max_bytes + 2 * tarfile.BLOCKSIZE * limits.max_files
    try:
        with archive.open("rb") as file, gzip.GzipFile(fileobj=file) as unzipped:
            stream = _Counted(unzipped, max_bytes)  # type: ignore[arg-type] # it reads like one
            with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload] # so does this
                _unpack(tar, into, name, limits, without_top)
    except _TooLarge:
        raise RenderError(STAGE, f"unpacks to more than {limits.max_bytes // MIB} MiB", file=name) from None
    except _BROKEN as error:
        raise RenderError(
            STAGE, f"is no archive that can be read ({type(error).__name__})", file=name
        ) from None


def _unpack(tar: tarfile.TarFile, into: Path, name: str, limits: ExportLimits, without_top: bool) -> None:
    size_bytes = 0
    for files, member in enumerate(tar, start=1):
        size_bytes += member.size
        if files > limits.max_files:
            raise RenderError(STAGE, f"holds more than {limits.max_files} files", file=name)
        if size_bytes > limits.max_bytes:
            raise _TooLarge
        path = _checked(member, name, limits, without_top)
        if path is not None:
            _write(tar, member, into / path, f"{name}:{member.name[:200]}")


def _checked(
    member: tarfile.TarInfo, name: str, limits: ExportLimits, without_top: bool
) -> PurePosixPath | None:
    shown = f"{name}:{member.name[:200]!r}"
    if member.issym() or member.islnk():
        raise RenderError(STAGE, "is a link; an archive holds files and folders alone", file=shown)
    if not (member.isreg() or member.isdir()) or member.sparse is not None:
        raise RenderError(STAGE, "is no file and no folder", file=shown)
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\0" in member.name or "\\" in member.name:
        raise RenderError(STAGE, "has a name that leaves the archive", file=shown)
    if len(path.parts) > limits.max_depth:
        raise RenderError(STAGE, f"is nested deeper than {limits.max_depth} folders", file=shown)
    parts = path.parts[1:] if without_top else path.parts
    return PurePosixPath(*parts) if parts else None


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, shown: str) -> None:
    try:
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(
            target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644
        )
    except OSError as error:
        raise RenderError(STAGE, f"can't be written: {error.strerror}", file=shown) from None
    content = tar.extractfile(member)
    with os.fdopen(descriptor, "wb") as file:
        while content is not None and (data := content.read(_COPY_BYTES)):
            file.write(data)
