"""Argo CD's `SyncPolicy`: every field and every sync option of it.

Types: argo-cd `pkg/apis/application/v1alpha1/types.go`; sync options: argo-cd `docs/user-guide/sync-options.md`.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from outrider.spec.labels import AnnotationKey, LabelKey, LabelValue
from outrider.spec.model import Model
from outrider.spec.problems import did_you_mean

_SWITCH = ("true", "false")
_OR_CONFIRM = ("true", "false", "confirm")
SYNC_OPTIONS: dict[str, tuple[str, ...]] = {
    "CreateNamespace": _SWITCH,
    "Validate": _SWITCH,
    "SkipDryRunOnMissingResource": _SWITCH,
    "FailOnSharedResource": _SWITCH,
    "RespectIgnoreDifferences": _SWITCH,
    "PrunePropagationPolicy": ("foreground", "background", "orphan"),
    "Prune": _OR_CONFIRM,
    "Delete": _OR_CONFIRM,
    "ApplyOutOfSyncOnly": _SWITCH,
    "PruneLast": _SWITCH,
    "ServerSideApply": _SWITCH,
    "ClientSideApplyMigration": _SWITCH,
    "Replace": _SWITCH,
    "Force": _SWITCH,
}
"""Option -> its values."""

_DURATION = re.compile(r"\d+|(\d+(\.\d+)?(ms|s|m|h|d))+")


def sync_option(text: str) -> str:
    """Return a sync option as `Name=value`; ValueError names what is wrong with it."""
    name, equals, value = text.strip().partition("=")
    if name not in SYNC_OPTIONS:
        raise ValueError(f"{name!r} is no sync option{did_you_mean(name, list(SYNC_OPTIONS))}")
    if not equals:
        raise ValueError(f"{text!r} has no value: write {name}={SYNC_OPTIONS[name][0]}")
    if value not in SYNC_OPTIONS[name]:
        raise ValueError(f"{name} is {' or '.join(SYNC_OPTIONS[name])}, not {value!r}")
    return f"{name}={value}"


def duration(text: str) -> str:
    """Return a duration as Argo CD writes them; ValueError otherwise."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no duration: write 90, 30s, 1m30s or 500ms")
    return text


SyncOption = Annotated[str, AfterValidator(sync_option)]
Duration = Annotated[str, AfterValidator(duration)]


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
    refresh: bool = False
    # An attempt always uses the newest revision, whatever this says.


class NamespaceMetadata(Model):
    """Labels and annotations of the namespace that `CreateNamespace=true` makes."""

    labels: dict[LabelKey, LabelValue] = Field(default={}, max_length=256)
    annotations: dict[AnnotationKey, str] = Field(default={}, max_length=256)


class SyncPolicy(Model):
    """How an application is synced."""

    automated: Automated | None = None
    sync_options: list[SyncOption] = Field(default=[], max_length=64)
    retry: Retry | None = None
    managed_namespace_metadata: NamespaceMetadata | None = None
