"""What Argo CD holds, sorted by what it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outrider.repository_secrets import (
    REPOSITORY,
    TEMPLATE,
    Repository,
    credentials_of,
    host_of,
    repository_of,
    texts_in,
    type_of,
)
from outrider_cli.importing.secrets import CLUSTER, IN_CLUSTER, IN_CLUSTER_SERVER, ArgoCluster, cluster_of
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
        return credentials_of(url, self.repositories)

    def authority_of(self, url: str) -> str:
        """Return the certificates that Argo CD trusts for a repository's host; empty: the public ones."""
        return self.authorities.get(host_of(url), "")


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
        elif manifest["kind"] == "Secret" and type_of(manifest) == CLUSTER:
            if (cluster := cluster_of(manifest)) is not None:
                clusters[cluster.server] = cluster
        elif manifest["kind"] == "Secret" and type_of(manifest) in (REPOSITORY, TEMPLATE):
            if (repository := repository_of(manifest)) is not None:
                repositories.append(repository)
        elif manifest["kind"] == "ConfigMap":
            data[manifest["metadata"]["name"]] = texts_in(manifest, "data")
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
