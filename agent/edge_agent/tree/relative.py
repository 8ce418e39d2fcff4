"""What is looked at of an object to place it in a tree: its metadata, and none of its content. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.cluster.names import Key, Kind, key_of, kind_of
from outrider.manifests.tracking import claimed_by

if TYPE_CHECKING:
    from collections.abc import Mapping

_REVISION = "deployment.kubernetes.io/revision"
_ACCOUNT_NAME = "kubernetes.io/service-account.name"
_ACCOUNT_UID = "kubernetes.io/service-account.uid"
# `<template>-<stateful set>-<ordinal>`, the name of a claim that a StatefulSet makes.
_CLAIM = re.compile(r"(.+)-\d+")


@dataclass(frozen=True, slots=True)
class Relative:
    """One object and its owners, by uid; by key where nothing says their uid."""

    key: Key
    kind: Kind
    uid: str
    created_at: str
    owners: tuple[str, ...]
    inferred: tuple[Key, ...]
    """Owners that no reference names; such an object has none by reference."""
    claimed: str
    """The application that it names."""
    revision: str
    deleting: bool

    @property
    def is_owned(self) -> bool:
        """Whether it says that it belongs to something."""
        return bool(self.owners)


def relative_of(found: Mapping[str, Any]) -> Relative:
    """Read it from an object, or from its metadata alone."""
    key, metadata = key_of(found), found.get("metadata") or {}
    owners = tuple(str(owner["uid"]) for owner in metadata.get("ownerReferences") or () if owner.get("uid"))
    annotations = metadata.get("annotations") or {}
    if (key.group, key.kind) == ("", "Secret") and annotations.get(_ACCOUNT_UID):
        owners = (*owners, str(annotations[_ACCOUNT_UID]))
    return Relative(
        key=key,
        kind=kind_of(found),
        uid=str(metadata.get("uid") or ""),
        created_at=str(metadata.get("creationTimestamp") or ""),
        owners=owners,
        inferred=() if owners else _inferred(key),
        claimed=claimed_by(found) or "",
        revision=str(annotations.get(_REVISION) or ""),
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def _inferred(key: Key) -> tuple[Key, ...]:
    """Name what owns an object that doesn't say so: an Endpoints' Service, by name."""
    if (key.group, key.kind) == ("", "Endpoints"):
        return (Key("", "Service", key.namespace, key.name),)
    return ()


def may_be_claim_of(claim: Key, stateful_set: Key) -> bool:
    """Say whether a PersistentVolumeClaim has the name of one that a StatefulSet makes."""
    named = _CLAIM.fullmatch(claim.name)
    return bool(
        named and claim.namespace == stateful_set.namespace and named[1].endswith(f"-{stateful_set.name}")
    )


def is_claim_of(claim: Key, stateful_set: Mapping[str, Any]) -> bool:
    """Say whether a StatefulSet makes a claim of that name."""
    templates = (stateful_set.get("spec") or {}).get("volumeClaimTemplates") or ()
    name = key_of(stateful_set).name
    return any(
        re.fullmatch(
            rf"{re.escape(str((one.get('metadata') or {}).get('name')))}-{re.escape(name)}-\d+", claim.name
        )
        for one in templates
    )
