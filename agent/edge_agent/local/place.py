"""Where an agent's socket and its folder's lock are: found, taken, and given back.

A folder has one agent at a time: a lock says which, the kernel lets go of it however the agent ends. The socket is made beside its
place and moved there once only its owner may use it. A path that is too long for a socket (108 bytes) is reached through the folder's
descriptor.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SOCKET = "agent.sock"
LOCK = "agent.lock"
REPLICA = "replica.sqlite"
IN_POD = Path("/var/lib/outrider")
ON_A_MACHINE = Path("~/.local/share/outrider-agent")
PATH_MAX_BYTES = 107
# `sun_path` of Linux, less the NUL at its end.
BACKLOG = 8


class FolderInUse(Exception):
    """Another agent works with this folder, or its socket is something else's."""


class NoSocket(Exception):
    """The socket can't be made or reached; the message says why and what to do."""


@contextlib.contextmanager
def locked(state: Path) -> Iterator[None]:
    """Make the agent's folder and hold it; FolderInUse while another agent does. One that can't be written to is not held."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        # The agent runs what it holds, and says that it can't write: so does any other here.
        _not_locked(state, error)
        yield
        return
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUse(_in_use(state, file.read(20).strip())) from error
        except OSError as error:
            # Some network file systems have no locks; the socket tells a living agent as well.
            _not_locked(state, error)
        with contextlib.suppress(OSError):
            # A full disk has no room for a number.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield


def _not_locked(state: Path, error: OSError) -> None:
    import structlog  # only here: commands on the site do without

    structlog.get_logger().warning("folder not locked", folder=str(state), reason=str(error))


def _in_use(state: Path, pid: str) -> str:
    by = f" (process {pid})" if pid.isdecimal() else ""
    return (
        f"{state} is in use by an agent that is running{by}: two agents on one replica would undo each other's work; "
        "stop that one, or give this one a folder of its own (--state, OUTRIDER_STATE)"
    )


@contextlib.contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Listen at a path, whose owner alone may connect; what a former agent left there is replaced.

    FolderInUse where a living agent listens there. NoSocket where it can't be made.
    """
    with _errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _errors(path), _reachable(path) as reach:
        _make_room(path, reach)
        listener = _bound(reach)
    try:
        yield listener
    finally:
        listener.close()
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    """Connect to the agent at a path. NoSocket."""
    with _errors(path), _reachable(path) as reach, socket.socket(socket.AF_UNIX) as made:
        made.connect(reach)
        yield made


def _bound(reach: str) -> socket.socket:
    beside = reach + ".new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(beside)
        # Nobody can connect yet: it doesn't listen.
        os.chmod(beside, 0o600)
        listener.listen(BACKLOG)
        os.rename(beside, reach)
    except BaseException:
        listener.close()
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    return listener


def _make_room(path: Path, reach: str) -> None:
    try:
        mode = os.lstat(reach).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise NoSocket(
            f"{path} is there and is no socket: remove it, or choose another place with OUTRIDER_SOCKET"
        )
    with socket.socket(socket.AF_UNIX) as tried:
        tried.settimeout(1.0)
        try:
            tried.connect(reach)
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except OSError as error:
            raise FolderInUse(
                f"something listens at {path} and does not answer ({error}): stop it"
            ) from error
    raise FolderInUse(
        f"an agent that is running listens at {path}: stop that one, or give this one a folder of its own "
        "(--state, OUTRIDER_STATE)"
    )


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """Give a form of the path that a socket takes. The folder must be there."""
    beside = os.fsencode(str(path)) + b".new"
    if len(beside) <= PATH_MAX_BYTES:
        yield str(path)
        return
    if len(os.fsencode(path.name)) > PATH_MAX_BYTES // 2 or not Path("/proc/self/fd").is_dir():
        raise NoSocket(
            f"{path} is too long for a socket ({PATH_MAX_BYTES} bytes): choose a shorter one with OUTRIDER_SOCKET"
        )
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoSocket(f"no agent listens at {path}") from error
    except PermissionError as error:
        raise NoSocket(
            f"{path} is not for this user: it belongs to who runs the agent (try as that user, or as root)"
        ) from error
    except OSError as error:
        raise NoSocket(f"{path} can't be used: {error.strerror or error}") from error
