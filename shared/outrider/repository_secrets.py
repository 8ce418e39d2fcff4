"""Argo CD's Secrets: repositories, templates of credentials, and clusters. Pure.

Field names: argo-cd `docs/operator-manual/declarative-setup.md`. Nothing secret is part of any text form of these values.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPE_LABEL = "argocd.argoproj.io/secret-type"
REPOSITORY, TEMPLATE, CLUSTER = "repository", "repo-creds", "cluster"
IN_CLUSTER, IN_CLUSTER_SERVER = "in-cluster", "https://kubernetes.default.svc"

_CARRIED = {"username": "username", "password": "password", "sshPrivateKey": "ssh_private_key"}
# Argo CD's name of a secret -> the renderers' name
_NOT_CARRIED = {
    "bearerToken": "a bearer token",
    "tlsClientCertData": "a TLS client certificate",
    "githubAppPrivateKey": "a GitHub App",
    "gcpServiceAccountKey": "a Google service account",
    "useAzureWorkloadIdentity": "an Azure workload identity",
    "proxy": "a proxy",
}
_TRUE = ("true", "1", "yes")


@dataclass(frozen=True)
class Repository:
    """What Argo CD knows of a repository, or of all whose URLs begin alike (a template)."""

    url: str
    is_template: bool = False
    kind: str = "git"
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    # what can be carried over, by the renderers' names
    not_carried: tuple[str, ...] = ()
    # what can't, in words
    insecure: bool = False
    # whether the server's identity was not checked

    @property
    def access(self) -> str:
        """Return by what it is read, in a word."""
        if "ssh_private_key" in self.secret:
            return "ssh"
        if "password" in self.secret:
            return "password"
        return "other" if self.not_carried else "none"


@dataclass(frozen=True)
class ArgoCluster:
    """A cluster as Argo CD knows it."""

    name: str
    server: str


def values_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return a Secret's texts; values that are none are left out."""
    found = {}
    for key, value in map_in(manifest, "data").items():
        try:
            found[str(key)] = base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, ValueError):
            continue
    return found | texts_in(manifest, "stringData")


def map_in(manifest: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return a map in an object; {} if there is none."""
    value = manifest.get(field)
    return value if isinstance(value, dict) else {}


def texts_in(manifest: Mapping[str, Any], field: str) -> dict[str, str]:
    """Return the texts of a map in an object."""
    return {str(key): value for key, value in map_in(manifest, field).items() if isinstance(value, str)}


def type_of(manifest: Mapping[str, Any]) -> str:
    """Return what a Secret is to Argo CD; empty if nothing."""
    return str(map_in(map_in(manifest, "metadata"), "labels").get(TYPE_LABEL) or "")


def repository_of(manifest: Mapping[str, Any]) -> Repository | None:
    """Return the repository that a Secret tells of; None if it names none."""
    values = values_of(manifest)
    if not values.get("url"):
        return None
    return Repository(
        url=values["url"].strip(),
        is_template=type_of(manifest) == TEMPLATE,
        kind="oci" if values.get("enableOCI", "").lower() in _TRUE else values.get("type") or "git",
        secret={ours: values[theirs] for theirs, ours in _CARRIED.items() if values.get(theirs)},
        not_carried=tuple(
            words for key, words in _NOT_CARRIED.items() if values.get(key, "").lower() not in ("", "false")
        ),
        insecure=any(values.get(key, "").lower() in _TRUE for key in ("insecure", "insecureIgnoreHostKey")),
    )


def cluster_of(manifest: Mapping[str, Any]) -> ArgoCluster | None:
    """Return the cluster that a Secret tells of; None if it names none."""
    values = values_of(manifest)
    if not values.get("server"):
        return None
    return ArgoCluster(values.get("name", "").strip(), values["server"].strip().rstrip("/"))
