"""What fails between a repository's URL and its files. No message holds a credential or the content of a file."""


class GitError(Exception):
    """The base of them; `transient` tells whether trying again later, with nothing changed, may help."""

    transient = False


class AddressRefused(GitError):
    """A repository URL that may not be used."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = _shown(url), reason
        super().__init__(f"repository URL {self.url!r} is refused: {reason}")


class CredentialsRefused(GitError):
    """The server refused the credentials, or wants some."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = _shown(url), reason
        super().__init__(f"{self.url}: {reason}")


class AccessNotGiven(GitError):
    """Nobody here may say how to reach a repository, or what says it can't be read; the message is the reason."""


class HostNotTrusted(GitError):
    """The server could not prove that it is who the URL names: TLS certificate or SSH host key."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = _shown(url), reason
        super().__init__(f"{self.url}: {reason}")


class RepositoryUnavailable(GitError):
    """The server can't be reached, answers no Git, or broke off."""

    transient = True

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = _shown(url), reason
        super().__init__(f"{self.url}: {reason}")


class RepositoryTooLarge(GitError):
    """The repository, or one object in it, exceeds a limit."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = _shown(url), reason
        super().__init__(f"{self.url}: {reason}")


class CloneDamaged(GitError):
    """The local copy can't be read; it has been set aside, the next fetch makes another."""

    transient = True

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = _shown(url), reason
        super().__init__(f"the local copy of {self.url} is damaged ({reason}); it is fetched again")


class RevisionNotFound(GitError):
    """A revision that the repository does not have; `near` are names that may have been meant."""

    def __init__(self, revision: str, near: tuple[str, ...] = (), reason: str = "") -> None:
        self.revision, self.near = revision, near
        text = f"revision {revision!r} does not exist in the repository"
        if reason:
            text = f"revision {revision!r}: {reason}"
        if near:
            text += f"; did you mean {', '.join(near)}?"
        super().__init__(text)


class PathNotFound(GitError):
    """A source's path that the commit does not have, or that is no directory."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"path {path!r} {reason}")


def _shown(url: str) -> str:
    """Return a URL as it may be shown: without a password that someone wrote into it, and of bounded length."""
    head, separator, rest = url.partition("://")
    if separator:
        authority, slash, path = rest.partition("/")
        user, at, host = authority.rpartition("@")
        if at and ":" in user:
            url = f"{head}://{user.partition(':')[0]}@{host}{slash}{path}"
    return url[:200]
