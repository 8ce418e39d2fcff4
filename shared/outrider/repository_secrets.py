"""Kubernetes Secrets that say how repositories are reached, in Argo CD's format. Pure.

Field names: argo-cd `docs/operator-manual/declarative-setup.md`; `sshKnownHosts` and `tlsCaCert`, which Argo CD keeps in ConfigMaps,
are this project's. Nothing secret is part of any text form of these values.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

ARGO_CD_LABEL, OUTRIDER_LABEL = "argocd.argoproj.io/secret-type", "outrider.dev/secret-type"
REPOSITORY, TEMPLATE = "repository", "repo-creds"

_CARRIED = {
    "username": "username",
    "password": "password",
    "sshPrivateKey": "ssh_private_key",
    "sshKnownHosts": "ssh_known_hosts",
    "tlsCaCert": "tls_ca",
}
# A Secret's name of something -> the renderers' name (`outrider.rendering.git.access`)
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
    """What is known of a repository, or of all whose URLs begin alike (a template)."""

    url: str
    is_template: bool = False
    kind: str = "git"
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    # what can be carried over, by the renderers' names
    not_carried: tuple[str, ...] = ()
    # what can't, in words
    insecure: bool = False
    # whether the server's identity is not to be checked
    project: str = ""
    # the one whose applications it is for; empty: any

    @property
    def access(self) -> str:
        """Return by what it is read, in a word."""
        if "ssh_private_key" in self.secret:
            return "ssh"
        if "password" in self.secret:
            return "password"
        return "other" if self.not_carried else "none"


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


def type_of(manifest: Mapping[str, Any], *labels: str) -> str:
    """Return what a Secret is, by the first of these labels that it has; empty: nothing."""
    given = map_in(map_in(manifest, "metadata"), "labels")
    return next((str(given[label]) for label in labels or (ARGO_CD_LABEL,) if given.get(label)), "")


def repository_of(manifest: Mapping[str, Any], *labels: str) -> Repository | None:
    """Return the repository that a Secret tells of; None if it names none."""
    values = values_of(manifest)
    if not values.get("url"):
        return None
    return Repository(
        url=values["url"].strip(),
        is_template=type_of(manifest, *labels) == TEMPLATE,
        kind="oci" if values.get("enableOCI", "").lower() in _TRUE else values.get("type") or "git",
        secret={ours: values[theirs] for theirs, ours in _CARRIED.items() if values.get(theirs)},
        not_carried=tuple(
            words for key, words in _NOT_CARRIED.items() if values.get(key, "").lower() not in ("", "false")
        ),
        insecure=any(values.get(key, "").lower() in _TRUE for key in ("insecure", "insecureIgnoreHostKey")),
        project=values.get("project", "").strip(),
    )


def credentials_of(
    url: str, known: Iterable[Repository], projects: Collection[str] | None = None
) -> Repository | None:
    """Return what a repository is read with: what is said of it, or else the template with the longest URL.

    `projects`: those of the applications that read it, where that counts; what is for one of them is not for others.
    """
    usable = [one for one in known if projects is None or not one.project or set(projects) <= {one.project}]
    own = [one for one in usable if not one.is_template and bare(one.url) == bare(url)]
    if own and own[0].access != "none":
        return own[0]
    templates = [one for one in usable if one.is_template and _is_below(bare(url), bare(one.url))]
    best = max(templates, key=lambda one: len(one.url), default=None)
    return best or (own[0] if own else None)


def _is_below(url: str, template: str) -> bool:
    """Tell whether a URL begins as a template does. Unlike Argo CD's, it never is another host's, whose name only begins alike."""
    return url.startswith(template) and url.split("/")[:3] == template.split("/")[:3]


def bare(url: str) -> str:
    """Return what all spellings of a repository's URL have in common, as Argo CD compares them."""
    text = url.strip().rstrip("/").removesuffix(".git").lower()
    if "://" not in text and "@" in text:
        host, _, path = text.partition(":")
        return f"ssh://{host}/{path.lstrip('/')}"
    return text


def host_of(url: str) -> str:
    """Return the host in a repository's URL, in whichever way it is written."""
    if "://" in url:
        return (urlsplit(url).hostname or "").removesuffix(".")
    return url.rpartition("@")[2].partition(":")[0].partition("/")[0].lower()
