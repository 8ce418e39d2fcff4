"""Turn what dulwich, paramiko and sockets raise into errors with a name, without the credentials that a server may have echoed."""

import contextlib
from collections.abc import Iterator

from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from paramiko import SSHException

from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.errors import GitError, RepositoryUnavailable
from outrider.rendering.git.trees import DAMAGE

_SERVER_TEXT_MAX_CHARS = 200
_RAISED = (GitProtocolError, SSHException, *DAMAGE)


class NotShallow(Exception):
    """The server can't leave out history."""


class NotGivenOut(Exception):
    """The server does not give out a commit that was asked for by its id."""


@contextlib.contextmanager
def named(access: RepositoryAccess) -> Iterator[None]:
    """Let only GitError, NotShallow and NotGivenOut out of a conversation with a server."""
    try:
        yield
    except _RAISED as error:
        raise _name(access, error) from None


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
        case SSHException() | OSError() | EOFError():
            return _unavailable(access, f"the connection failed: {type(error).__name__}")
        case _:
            return _unavailable(access, f"the server sent what can't be read ({type(error).__name__})")


def _unavailable(access: RepositoryAccess, reason: str) -> RepositoryUnavailable:
    if any(secret and secret in reason for secret in (access.password, access.ssh_private_key)):
        reason = "the server gave an answer that is not shown"
    text = "".join(char if char.isprintable() else " " for char in reason)
    return RepositoryUnavailable(access.url, text[:_SERVER_TEXT_MAX_CHARS])
