"""A repository and what it takes to read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RepositoryAccess:
    """The URL of a repository, with credentials. They are never shown, and never sent to another host.

    `ssh_known_hosts` is text in the form of OpenSSH's known_hosts; without an entry for the host, ssh is refused. `tls_ca` is PEM
    text: certificates to trust instead of the system's. A token goes into `password`. `vouched`: whoever keeps this place
    has named the repository's host, so that it may be used wherever it is.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    ssh_private_key: str = field(default="", repr=False)
    ssh_known_hosts: str = field(default="", repr=False)
    tls_ca: str = field(default="", repr=False)
    vouched: bool = False

    @classmethod
    def of(cls, url: str, secret: Mapping[str, object], *, vouched: bool = False) -> "RepositoryAccess":
        """Return the access that a secret gives, by the names that it was sealed with; what else is in it doesn't count."""
        names = ("username", "password", "ssh_private_key", "ssh_known_hosts", "tls_ca")
        username, password, key, hosts, authorities = (str(secret.get(name) or "") for name in names)
        return cls(url, username, password, key, hosts, authorities, vouched)
