"""Turn what dulwich, paramiko and sockets raise into errors with a name, without the credentials that a server may have echoed."""

import contextlib
import errno
import sys
from collections.abc import Iterator

from dulwich.errors import GitProtocolError, HangupException, NotGitRepository

from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.errors import GitError, RepositoryUnavailable
from outrider.rendering.git.trees import DAMAGE

_SERVER_TEXT_MAX_CHARS = 200
_RAISED: tuple[type[BaseException], ...] = (GitProtocolError, *DAMAGE)


class NotShallow(Exception):
    """The server can't leave out history."""


class NotGivenOut(Exception):
    """The server does not give out a commit that was asked for by its id."""


@contextlib.contextmanager
def named(access: RepositoryAccess) -> Iterator[None]:
    """Let only GitError, NotShallow and NotGivenOut out of a conversation with a server."""
    try:
        yield
    except _raised() as error:
        raise _name(access, error) from None


def _raised() -> tuple[type[BaseException], ...]:
    return (*_RAISED, *_of_ssh())


def _of_ssh() -> tuple[type[Exception], ...]:
    # 17 MiB that a process which never meets an ssh:// URL does without.
    paramiko = sys.modules.get("paramiko")
    return (paramiko.SSHException,) if paramiko is not None else ()


def _name(access: RepositoryAccess, error: BaseException) -> Exception:
    text = str(error)
    match error:
        case GitError():
            return error
        case HangupException():
            return _unavailable(access, f"the server hung up: {text}")
        case GitProtocolError() if "shallow" in text and "support" in text:
            return NotShallow()
        case GitProtocolError() if (
            "not our ref" in text or "invalid object" in text or "unadvertised" in text
        ):
            return NotGivenOut()
        case GitProtocolError():
            return _unavailable(access, f"the server says: {text}")
        case NotGitRepository():
            return _unavailable(access, "there is no Git repository at this address")
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _unavailable(access, "there is no room left on the disk")
        case _ if isinstance(error, (OSError, EOFError, *_of_ssh())):
            return _unavailable(access, f"the connection failed: {type(error).__name__}")
        case _:
            return _unavailable(access, f"the server sent what can't be read ({type(error).__name__})")


def _unavailable(access: RepositoryAccess, reason: str) -> RepositoryUnavailable:
    if any(secret and secret in reason for secret in (access.password, access.ssh_private_key)):
        reason = "the server gave an answer that is not shown"
    text = "".join(char if char.isprintable() else " " for char in reason)
    return RepositoryUnavailable(access.url, text[:_SERVER_TEXT_MAX_CHARS])
