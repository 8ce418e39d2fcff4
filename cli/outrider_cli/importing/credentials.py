"""What Argo CD reads repositories with, and what of it this hub needs. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outrider.repository_secrets import host_of
from outrider_cli.importing.report import Judged, RepositoryNeed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from outrider_cli.importing.held import Held

ANY_USER = "git"
# A token alone is a password; most servers take any name with it.


@dataclass(frozen=True)
class Carried:
    """What goes to the hub for a repository: `secret` sealed, `public` for lists."""

    secret: Mapping[str, str]
    public: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Carried({dict(self.public)!r})"


def carried(held: Held, url: str) -> Carried | str:
    """Return what can be taken over for a repository, or why nothing can be."""
    known = held.credentials_of(url)
    authority = held.authority_of(url)
    secret = dict(known.secret) if known else {}
    if known and known.not_carried:
        return f"Argo CD reads it with {', '.join(known.not_carried)}, which is not supported here"
    if "ssh_private_key" in secret:
        hosts = hosts_of(held.known_hosts, host_of(url))
        if not hosts:
            return f"Argo CD knows no SSH key of {host_of(url)}: add the repository with --known-hosts"
        return Carried(
            {"ssh_private_key": secret["ssh_private_key"], "ssh_known_hosts": hosts}, {"kind": "ssh"}
        )
    extra = {"tls_ca": authority} if authority else {}
    if "password" in secret:
        username = secret.get("username") or ANY_USER
        return Carried(
            {"username": username, "password": secret["password"], **extra},
            {"kind": "password", "username": username},
        )
    return Carried(extra, {"kind": "none"})


def hosts_of(known_hosts: str, host: str) -> str:
    """Return the lines of OpenSSH's known_hosts that are about a host, and those that don't tell whom they are about."""
    kept = []
    for line in known_hosts.splitlines():
        names = line.split(" ", 1)[0]
        bare = [name.removeprefix("[").partition("]")[0].lower() for name in names.split(",")]
        if names.startswith("|") or host in bare:
            kept.append(line)
    return "\n".join(kept)


def repositories_needed(
    objects: Iterable[Judged],
    held: Held,
    registered: Mapping[str, Mapping[str, Any]],
    canonical: Callable[[str], str],
) -> list[RepositoryNeed]:
    """Return the repositories that the objects read. `registered`: the hub's, by canonical URL."""
    counted = Counter(url for one in objects for url in dict.fromkeys(one.needs))
    return [_need(url, count, held, registered.get(canonical(url))) for url, count in sorted(counted.items())]


def _need(url: str, count: int, held: Held, here: Mapping[str, Any] | None) -> RepositoryNeed:
    known = held.credentials_of(url)
    access = known.access if known else "none"
    could = carried(held, url)
    if here is not None:
        return RepositoryNeed(url, count, access, "registered")
    if isinstance(could, Carried) and not could.secret:
        problem = (
            "Argo CD does not check who the server is; here that is always checked: give its certificates with --ca"
            if known is not None and known.insecure
            else ""
        )
        return RepositoryNeed(url, count, access, "open", problem=problem)
    if isinstance(could, str):
        return RepositoryNeed(url, count, access, "lacking", problem=could)
    return RepositoryNeed(url, count, access, "lacking", carried=True)
