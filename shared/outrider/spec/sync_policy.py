"""Argo CD's `SyncPolicy`: what is honoured by the agent, and what is refused by name.

Types: argo-cd `pkg/apis/application/v1alpha1/types.go`; sync options: argo-cd `docs/user-guide/sync-options.md`.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from outrider.spec.model import Model, refused
from outrider.spec.problems import did_you_mean

_SWITCH = ("true", "false")
SYNC_OPTIONS: dict[str, tuple[str, ...]] = {
    "CreateNamespace": _SWITCH,
    "Validate": _SWITCH,
    "SkipDryRunOnMissingResource": _SWITCH,
    "FailOnSharedResource": _SWITCH,
    "RespectIgnoreDifferences": _SWITCH,
    "PrunePropagationPolicy": ("foreground", "background", "orphan"),
    "Prune": _SWITCH,
    "Delete": _SWITCH,
    # What differs is all that is ever applied, and pruning always comes last: both values give the same objects.
    "ApplyOutOfSyncOnly": _SWITCH,
    "PruneLast": _SWITCH,
    # Objects are always applied by the server, and `kubectl apply`'s fields are left to kubectl.
    "ServerSideApply": ("true",),
    "ClientSideApplyMigration": ("false",),
    "Replace": ("false",),
    "Force": ("false",),
}
"""Option -> the values that are honoured."""

_WHY_NOT = {
    "ServerSideApply=false": "objects are always applied by the server; remove it",
    "ClientSideApplyMigration=true": "fields that kubectl's own apply owns are left to it; remove it",
    "Replace=true": "replacing objects is not supported yet; remove it",
    "Force=true": "deleting and making objects again is not supported yet; remove it",
    "Prune=confirm": "confirming is not supported yet; Prune=false keeps what left the bundle",
    "Delete=confirm": "confirming is not supported yet; Delete=false keeps the objects",
}
_DURATION = re.compile(r"\d+|(\d+(\.\d+)?(ms|s|m|h|d))+")


def _sync_option(text: str) -> str:
    name, equals, value = text.strip().partition("=")
    if name not in SYNC_OPTIONS:
        raise ValueError(f"{name!r} is no sync option{did_you_mean(name, list(SYNC_OPTIONS))}")
    if not equals:
        raise ValueError(f"{text!r} has no value: write {name}={SYNC_OPTIONS[name][0]}")
    if f"{name}={value}" in _WHY_NOT:
        raise ValueError(f"{name}={value} is not supported: {_WHY_NOT[f'{name}={value}']}")
    if value not in SYNC_OPTIONS[name]:
        raise ValueError(f"{name} is {' or '.join(SYNC_OPTIONS[name])}, not {value!r}")
    return f"{name}={value}"


def _duration(text: str) -> str:
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no duration: write 90, 30s, 1m30s or 500ms")
    return text


SyncOption = Annotated[str, AfterValidator(_sync_option)]
Duration = Annotated[str, AfterValidator(_duration)]


class Automated(Model):
    """Its presence turns automated sync on; `enabled: false` turns it off again."""

    enabled: bool | None = None
    prune: bool = False
    self_heal: bool = False
    allow_empty: bool = False


class Backoff(Model):
    """How the pauses between attempts of a sync grow."""

    duration: Duration | None = None
    factor: int | None = Field(default=None, ge=1, le=100)
    max_duration: Duration | None = None


class Retry(Model):
    """When to give up on a sync that fails; limit below 0: never."""

    limit: int | None = Field(default=None, ge=-1, le=1 << 31)
    backoff: Backoff | None = None
    refresh: Annotated[
        None, refused("is not supported: an attempt always uses the newest revision; remove it")
    ] = None


class SyncPolicy(Model):
    """How an application is synced."""

    automated: Automated | None = None
    sync_options: list[SyncOption] = Field(default=[], max_length=64)
    retry: Retry | None = None
    managed_namespace_metadata: Annotated[
        None,
        refused("is not supported yet: put a Namespace with its labels and annotations into the source"),
    ] = None
