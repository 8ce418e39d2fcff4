"""How far an application came: the part of its state that outlives the agent's process.

Written before a sync begins and after it ends, so that an agent killed at any instant finds on its return
what it was doing (a sync that was running goes on; what it applied already is in sync) and what it found out
(verdicts: no object is asked for twice). A value that can't be read is as good as none: everything in it is
found out again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edge_agent.applications.history import Deployed, History
from edge_agent.applications.ledger import Ledger
from edge_agent.applications.requests import Selector, Sync, selector_values, selectors_of
from edge_agent.cluster import Key, Kind
from edge_agent.diff import LiveState, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.cluster import Object

VERSION = 1

Outcome = Literal["", "Running", "Succeeded", "Failed", "Terminated"]


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
    tried: int = 0
    """How often that failed."""
    ending: str = ""
    """Why the sync under way, or the retries of one that failed, must end: somebody asked for it."""
    history: History = ()
    """What was deployed before, newest last."""
    in_sync: dict[Key, Verdict] = field(default_factory=dict)
    """Objects found in sync."""
    approvals: tuple[Approval, ...] = ()
    """Given for the sync or removal under way."""
    hooks: Ledger = field(default_factory=Ledger)
    """The hooks of the last sync."""
    delete_hooks: dict[str, Object] = field(default_factory=dict)
    """Hooks of the application's end by id, ready to be created: the bundle may be gone by then."""
    sync_options: dict[str, str] = field(default_factory=dict)
    """The application's sync options, for its end."""
    heals: bool = False
    """Whether what is under way is no sync of everything: cut off, it is no reason for one."""

    @property
    def bundles(self) -> list[str]:
        """The bundles that are needed beside the desired one, by short digest."""
        asked = [self.request.short_digest] if self.request and self.request.digest else []
        return sorted({*asked, *(entry.digest for entry in self.history)})

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
            "request": self.request.value() if self.request else None,
            "tried": self.tried,
            "ending": self.ending,
            "history": [entry.value() for entry in self.history],
            "in_sync": [
                [*key, found.desired.hex(), found.state.owned.hex(), found.state.content.hex()]
                for key, found in sorted(self.in_sync.items())
            ],
            "approvals": [
                [approval.at, approval.by, selector_values(approval.resources)] for approval in self.approvals
            ],
            "hooks": self.hooks.value(),
            "delete_hooks": self.delete_hooks,
            "sync_options": self.sync_options,
        }

    def core(self, whole: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part without which a restart would do something twice, or not at all, as JSON values.

        `whole` is its value. It stays the same while drift is healed again and again, and while a sync that fails is tried again and again.
        """
        outcome = self._lasting_outcome()
        runs = outcome == "Running"
        hooks = self.hooks if runs or self.hooks.lasts else Ledger()
        return {name: whole[name] for name in _CORE} | {
            "hooks": hooks.value(),
            "under_way": [self.attempt.identity, outcome],
            "began": (self.operation or {}).get("startedAt", "") if runs else "",
        }

    def _lasting_outcome(self) -> Outcome:
        if self.attempt.outcome != "Running" or self.hooks.runs:
            return self.attempt.outcome
        if self.heals:
            return "Succeeded"
        return "Failed" if self.attempt.failures else "Running"


_CORE = ("v", "kinds", "request", "ending", "history", "approvals", "delete_hooks", "sync_options")


def read(value: Mapping[str, Any] | None) -> Progress | None:
    """Read what was kept, or only the core of it; None where nothing was, or nothing that can be read."""
    if value is None or value.get("v") != VERSION:
        return None
    try:
        attempt = _attempt(value)
        return Progress(
            attempt=attempt,
            kinds=frozenset(Kind(*kind) for kind in value["kinds"]),
            operation=_operation(value, attempt),
            request=Sync.of(value["request"]) if value["request"] else None,
            tried=int(value.get("tried", 0)),
            ending=str(value.get("ending", "")),
            history=tuple(map(Deployed.of, value.get("history", ()))),
            in_sync=dict(map(_found_in_sync, value.get("in_sync", ()))),
            approvals=tuple(
                Approval(at, by, selectors_of(resources)) for at, by, resources in value.get("approvals", ())
            ),
            hooks=Ledger.of(value.get("hooks")),
            delete_hooks=dict(value.get("delete_hooks", {})),
            sync_options=dict(value.get("sync_options", {})),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def _attempt(value: Mapping[str, Any]) -> Attempt:
    identity: str
    outcome: Outcome
    identity, outcome, failures = value.get("attempt") or ("", "", 0)
    if "under_way" in value and value["under_way"] != [identity, outcome]:
        core, outcome = value["under_way"]
        identity, failures = core, failures if core == identity else 0
    return Attempt(str(identity), outcome, int(failures))


def _operation(value: Mapping[str, Any], attempt: Attempt) -> dict[str, Any] | None:
    """Return the operation, as far as it belongs to the attempt: either may be the older one."""
    found: dict[str, Any] | None = value.get("operation")
    began, is_running = value.get("began", ""), (found or {}).get("phase") == "Running"
    if attempt.outcome != "Running":
        return None if is_running and attempt.outcome == "Succeeded" else found
    if began and not (is_running and found and found.get("startedAt") == began):
        return {"phase": "Running", "message": "goes on after a restart", "startedAt": began}
    return found


def _found_in_sync(parts: Sequence[str]) -> tuple[Key, Verdict]:
    desired, owned, content = (bytes.fromhex(part) for part in parts[4:])
    return Key(*parts[:4]), Verdict(desired, LiveState(owned, content), in_sync=True)
