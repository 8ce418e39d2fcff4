"""A repository and what it takes to read it."""

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
