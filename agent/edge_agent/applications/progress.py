"""How far an application came: the part of its state that outlives the agent's process.

Written before a sync begins and after it ends, so that an agent killed at any instant finds on its return
what it was doing (a sync that was running goes on; what it applied already is in sync) and what it found out
(verdicts: no object is asked for twice). A value that can't be read is as good as none: everything in it is
found out again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edge_agent.applications.ledger import Ledger
from edge_agent.applications.model import Selector, Sync
from edge_agent.cluster import Key, Kind
from edge_agent.diff import LiveState, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.cluster import Object

VERSION = 1

Outcome = Literal["", "Running", "Succeeded", "Failed"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last sync of what is desired. `identity` says of what: bundle and the settings that bear on it."""

    identity: str = ""
    outcome: Outcome = ""
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody's word that deletions which wait for it may be done. It holds for the sync or removal under way,
    and for what that finds; its end takes the word back.
    """

    at: str
    """RFC 3339, UTC."""
    by: str = ""
    resources: tuple[Selector, ...] = ()
    """Empty: all that wait."""

    def covers(self, key: Key) -> bool:
        """Say whether an object may go by it."""
        return not self.resources or any(selector.selects(key) for selector in self.resources)


@dataclass(slots=True)
class Progress:
    """What is kept of one application."""

    attempt: Attempt = field(default_factory=Attempt)
    kinds: frozenset[Kind] = frozenset()
    """Kinds that may hold objects of the application: those desired, and those not yet pruned."""
    operation: dict[str, Any] | None = None
    """`operationState`, as the status document has it."""
    request: Sync | None = None
    """A sync that somebody asked for and that isn't done."""
    in_sync: dict[Key, Verdict] = field(default_factory=dict)
    """Objects found in sync."""
    approvals: tuple[Approval, ...] = ()
    """Given for the sync or removal under way."""
    hooks: Ledger = field(default_factory=Ledger)
    """The hooks of the last sync."""
    delete_hooks: list[Object] = field(default_factory=list)
    """Hooks of the application's end, ready to be created: the bundle may be gone by then."""

    def approved(self, key: Key) -> bool:
        """Say whether somebody confirmed that an object may be deleted."""
        return any(approval.covers(key) for approval in self.approvals)

    def value(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "v": VERSION,
            "attempt": [self.attempt.identity, self.attempt.outcome, self.attempt.failures],
            "kinds": sorted(list(kind) for kind in self.kinds),
            "operation": self.operation,
            "request": _request_value(self.request),
            "in_sync": [
                [*key, found.desired.hex(), found.state.owned.hex(), found.state.content.hex()]
                for key, found in sorted(self.in_sync.items())
            ],
            "approvals": [
                [approval.at, approval.by, _selector_values(approval.resources)]
                for approval in self.approvals
            ],
            "hooks": self.hooks.value(),
            "delete_hooks": self.delete_hooks,
        }


def read(value: Mapping[str, Any] | None) -> Progress | None:
    """Read what was kept; None where nothing was, or nothing that can be read."""
    if value is None or value.get("v") != VERSION:
        return None
    try:
        identity, outcome, failures = value["attempt"]
        return Progress(
            attempt=Attempt(str(identity), outcome, int(failures)),
            kinds=frozenset(Kind(*kind) for kind in value["kinds"]),
            operation=value["operation"],
            request=_request_of(value["request"]),
            in_sync=dict(map(_found_in_sync, value["in_sync"])),
            approvals=tuple(
                Approval(at, by, _selectors_of(resources)) for at, by, resources in value.get("approvals", ())
            ),
            hooks=Ledger.of(value.get("hooks")),
            delete_hooks=list(value.get("delete_hooks", ())),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def _found_in_sync(parts: Sequence[str]) -> tuple[Key, Verdict]:
    desired, owned, content = (bytes.fromhex(part) for part in parts[4:])
    return Key(*parts[:4]), Verdict(desired, LiveState(owned, content), in_sync=True)


def _request_value(request: Sync | None) -> dict[str, Any] | None:
    if request is None:
        return None
    return {
        "id": request.id,
        "prune": request.prune,
        "dry_run": request.dry_run,
        "resources": _selector_values(request.resources),
        "initiated_by": request.initiated_by,
        "revision": request.revision,
        "digest": request.digest.hex(),
        "options": None if request.options is None else list(request.options),
        "strategy": request.strategy,
        "retry_limit": request.retry_limit,
    }


def _request_of(value: Mapping[str, Any] | None) -> Sync | None:
    if value is None:
        return None
    return Sync(
        id=value["id"],
        prune=value["prune"],
        dry_run=value["dry_run"],
        resources=_selectors_of(value["resources"]),
        initiated_by=value["initiated_by"],
        revision=value.get("revision", ""),
        digest=bytes.fromhex(value.get("digest", "")),
        options=None if value.get("options") is None else tuple(value["options"]),
        strategy=value.get("strategy", ""),
        retry_limit=value.get("retry_limit"),
    )


def _selector_values(selectors: tuple[Selector, ...]) -> list[list[str]]:
    return [[one.group, one.kind, one.name, one.namespace] for one in selectors]


def _selectors_of(values: Sequence[Sequence[str]]) -> tuple[Selector, ...]:
    return tuple(Selector(*parts) for parts in values)
