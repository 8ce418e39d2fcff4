"""Argo CD's `Operation`: a sync that is asked for by writing it at the top of an Application.

It is a request and no state: it is carried out once, when the manifest is applied, and not stored with it.
"""

from typing import Annotated, Any

from pydantic import Field, model_validator

from outrider.spec.model import Model, refused
from outrider.spec.sync_policy import Retry, SyncOption

_OVERRIDE = "is not taken: what an application is made of stands in spec.source; change it there"


class OperationResource(Model):
    """One object to sync."""

    group: str = ""
    kind: str = Field(min_length=1)
    name: str = Field(min_length=1)
    namespace: str = ""


class SyncForce(Model):
    """How objects are applied."""

    force: bool = False


class SyncStrategy(Model):
    """Whether hooks run: `hook` (the default) or `apply`."""

    apply: SyncForce | None = None
    hook: SyncForce | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "SyncStrategy":
        if self.apply is not None and self.hook is not None:
            raise ValueError("is either apply or hook")
        return self


class SyncOperation(Model):
    """The sync that is asked for."""

    revision: str = Field(default="", max_length=255)
    prune: bool = False
    dry_run: bool = False
    resources: list[OperationResource] = Field(default=[], max_length=1000)
    sync_strategy: SyncStrategy | None = None
    sync_options: list[SyncOption] = Field(default=[], max_length=64)
    revisions: list[str] = Field(default=[], max_length=64)
    manifests: Annotated[None, refused("is not taken: only what comes from Git is ever synced")] = None
    source: Annotated[None, refused(_OVERRIDE)] = None
    sources: Annotated[None, refused(_OVERRIDE)] = None
    self_heal_attempts_count: int = 0
    # Argo CD's own count; a pasted manifest may hold it.
    auto_heal_attempts_count: int = 0


class Initiator(Model):
    """Who asked. Kept out of the request: who that is, the hub knows by itself."""

    username: str = ""
    automated: bool = False


class Operation(Model):
    """What is asked for."""

    sync: SyncOperation
    retry: Retry | None = None
    initiated_by: Initiator | None = None
    info: list[dict[str, str]] = Field(default=[], max_length=256)

    def arguments(self) -> dict[str, Any]:
        """Return the sync as the arguments of a request for it, set ones only."""
        sync = self.sync
        strategy = sync.sync_strategy or SyncStrategy()
        options = list(sync.sync_options)
        if any(chosen.force for chosen in (strategy.apply, strategy.hook) if chosen is not None):
            options.append("Force=true")
        asked: dict[str, Any] = {
            "revision": sync.revision or ",".join(sync.revisions),
            "prune": sync.prune,
            "dry_run": sync.dry_run,
            "resources": [resource.model_dump() for resource in sync.resources],
            "options": options,
            "strategy": "apply" if strategy.apply is not None else "",
            "retry_limit": self.retry.limit if self.retry else None,
        }
        return {name: value for name, value in asked.items() if value not in ("", False, None, [])}
