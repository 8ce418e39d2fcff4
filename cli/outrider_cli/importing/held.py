"""What Argo CD holds, sorted by what it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from outrider_cli.importing import secrets
from outrider_cli.importing.secrets import IN_CLUSTER, IN_CLUSTER_SERVER, ArgoCluster, Repository
from outrider_cli.kinds import in_order, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from outrider_cli.documents import Found


@dataclass(frozen=True)
class Held:
    """Argo CD's objects. `objects` are in the order in which they depend on one another."""

    objects: list[Found]
    unread: list[Found] = field(default_factory=list)
    repositories: list[Repository] = field(default_factory=list)
    clusters: list[ArgoCluster] = field(default_factory=list)
    known_hosts: str = ""
    # as OpenSSH writes them
    authorities: Mapping[str, str] = field(default_factory=dict)
    # host -> PEM
    other_kinds: Mapping[str, int] = field(default_factory=dict)
    # kinds that say nothing here -> how many

    def credentials_of(self, url: str) -> Repository | None:
        """Return what Argo CD reads a repository with: what is said of it, or else the template with the longest URL."""
        own = [one for one in self.repositories if not one.is_template and _bare(one.url) == _bare(url)]
        if own and own[0].access != "none":
            return own[0]
        templates = [
            one for one in self.repositories if one.is_template and _bare(url).startswith(_bare(one.url))
        ]
        best = max(templates, key=lambda one: len(one.url), default=None)
        return best or (own[0] if own else None)

    def authority_of(self, url: str) -> str:
        """Return the certificates that Argo CD trusts for a repository's host; empty: the public ones."""
        return self.authorities.get(host_of(url), "")


def _bare(url: str) -> str:
    return url.strip().rstrip("/").removesuffix(".git").lower()


def host_of(url: str) -> str:
    """Return the host in a repository's URL, in whichever way it is written."""
    if "://" in url:
        return urlsplit(url).hostname or ""
    return url.rpartition("@")[2].partition(":")[0].partition("/")[0].lower()


def sort(found: Iterable[Found]) -> Held:
    """Return what Argo CD holds."""
    objects: list[Found] = []
    unread: list[Found] = []
    repositories: list[Repository] = []
    clusters = {IN_CLUSTER_SERVER: ArgoCluster(IN_CLUSTER, IN_CLUSTER_SERVER)}
    data: dict[str, dict[str, str]] = {}
    others: dict[str, int] = {}
    for one in found:
        manifest = one.manifest
        if manifest is None:
            unread.append(one)
        elif kind_of(manifest) is not None:
            objects.append(one)
        elif manifest["kind"] == "Secret" and secrets.type_of(manifest) == secrets.CLUSTER:
            if (cluster := secrets.cluster_of(manifest)) is not None:
                clusters[cluster.server] = cluster
        elif manifest["kind"] == "Secret" and secrets.type_of(manifest) in (
            secrets.REPOSITORY,
            secrets.TEMPLATE,
        ):
            if (repository := secrets.repository_of(manifest)) is not None:
                repositories.append(repository)
        elif manifest["kind"] == "ConfigMap":
            data[manifest["metadata"]["name"]] = secrets.texts_in(manifest, "data")
        else:
            others[manifest["kind"]] = others.get(manifest["kind"], 0) + 1
    return Held(
        objects=in_order(objects),
        unread=unread,
        repositories=repositories,
        clusters=list(clusters.values()),
        known_hosts=data.get("argocd-ssh-known-hosts-cm", {}).get("ssh_known_hosts", ""),
        authorities=data.get("argocd-tls-certs-cm", {}),
        other_kinds=others,
    )
