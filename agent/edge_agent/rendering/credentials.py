"""How a repository is reached from this site: by what the Secrets in the agent's namespace say. Pure.

A Secret also vouches for its repository's host: that one may be inside the site's network. No other may, since whoever writes an
Application chooses the URL.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from outrider.repository_secrets import (
    ARGO_CD_LABEL,
    OUTRIDER_LABEL,
    REPOSITORY,
    TEMPLATE,
    Repository,
    credentials_of,
    host_of,
    repository_of,
)

LABELS = (OUTRIDER_LABEL, ARGO_CD_LABEL)
TYPES = (REPOSITORY, TEMPLATE)


def repositories_in(secrets: Sequence[Mapping[str, Any]]) -> list[Repository]:
    """Return what Secrets say of repositories; one that names none is left out."""
    found = (repository_of(secret, *LABELS) for secret in secrets)
    return [_with_scheme(one) for one in found if one is not None]


def _with_scheme(one: Repository) -> Repository:
    is_registry = one.kind == "oci" and "://" not in one.url
    return replace(one, url=f"oci://{one.url}") if is_registry else one


def access_to(url: str, known: Sequence[Repository], projects: Collection[str]) -> dict[str, Any]:
    """Return what the process that renders is told: {url, vouched, and what there is of credentials}, or {refused: why}.

    `projects`: those of the applications that read it.
    """
    vouched = any(host_of(one.url) == host_of(url) for one in known)
    found = credentials_of(url, known, projects)
    if found is None:
        return {"url": url, "vouched": vouched}
    if refusal := _refusal(found):
        return {"refused": f"the Secret for {found.url} {refusal}"}
    return {"url": url, "vouched": vouched, **found.secret}


def _refusal(found: Repository) -> str:
    if found.not_carried:
        return f"gives {', '.join(found.not_carried)}, which is not supported: give a password, a token or an SSH key"
    if found.insecure:
        return "says not to check who the server is, which always is: give its certificates in tlsCaCert, or its keys in sshKnownHosts"
    return ""
