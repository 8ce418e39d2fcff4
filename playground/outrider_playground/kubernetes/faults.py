"""Faults that a test injects into a simulated cluster: errors, refusals, latency, cut connections, dropped watches.

The first rule that fits a request decides. A rule says how often it applies; a rule that is used up is gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import ApiError, qualified

if TYPE_CHECKING:
    from .options import Call

USER = "system:serviceaccount:outrider:agent"
"""Whom refusals name."""

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(eq=False)
class Rule:
    """Which requests a fault is for, and what it does to them. Fields left open fit every request."""

    verb: str = "*"
    resource: str = "*"
    """The plural name, with its group where it has one: `deployments.apps`."""
    namespace: str = "*"
    name: str = "*"
    times: int | None = None
    """How many requests it applies to; None for all."""
    status: int = 0
    """The HTTP status to answer with; 0 leaves the request alone."""
    retry_after_s: int | None = None
    message: str = ""
    latency_s: float = 0.0
    cut: bool = False
    """Whether to cut the connection without an answer."""
    after: bool = False
    """Whether to carry the request out first and only spoil the answer."""
    hits: int = 0

    def fits(self, verb: str, call: Call | None) -> bool:
        """Tell whether the rule is for this request. Requests for no resource, such as discovery, have the verb `discover`."""
        if self.verb not in {"*", verb} or self.times == 0:
            return False
        if call is None:
            return self.resource == "*"
        names = {"*", call.resource.plural, qualified(call.resource)}
        return (
            self.resource in names
            and self.namespace in {"*", call.namespace}
            and self.name in {"*", call.name}
        )

    def use(self) -> None:
        """Count one request."""
        self.hits += 1
        if self.times is not None:
            self.times -= 1

    def error(self, verb: str, call: Call | None) -> ApiError:
        """Return the answer."""
        if self.status == 403 and call is not None and not self.message:
            return access_denied(verb, call)
        reason = _REASONS.get(self.status, "Unknown")
        details: dict[str, Any] | None = None
        if self.retry_after_s is not None:
            details = {"retryAfterSeconds": self.retry_after_s}
        return ApiError(
            self.status,
            reason,
            self.message or f"injected fault: {reason}",
            details,
            retry_after_s=self.retry_after_s,
        )


def access_denied(verb: str, call: Call) -> ApiError:
    """Return the refusal of a request that RBAC does not allow."""
    resource = call.resource
    scope = f'in the namespace "{call.namespace}"' if call.namespace else "at the cluster scope"
    name = f' "{call.name}"' if call.name else ""
    part = f"/{call.subresource}" if call.subresource else ""
    text = (
        f'{qualified(resource)}{name} is forbidden: User "{USER}" cannot {verb} resource "{resource.plural}{part}" '
        f'in API group "{resource.group}" {scope}'
    )
    details: dict[str, Any] = {"name": call.name} if call.name else {}
    if resource.group:
        details["group"] = resource.group
    return ApiError(403, "Forbidden", text, {**details, "kind": resource.plural})


@dataclass
class Faults:
    """The faults of one cluster. Change it at any time; it holds for requests that come in from then on."""

    latency_s: float = 0.0
    """How long every request waits before it is served."""
    cut: bool = False
    """Whether every connection is cut as soon as a request comes in."""
    rules: list[Rule] = field(default_factory=list)

    def add(self, rule: Rule) -> Rule:
        """Add a rule; remove it again with `remove`."""
        self.rules.append(rule)
        return rule

    def answer(self, status: int, verb: str = "*", resource: str = "*", **more: Any) -> Rule:
        """Answer matching requests with an error. `more` are further fields of Rule, such as times or retry_after_s."""
        return self.add(Rule(verb, resource, status=status, **more))

    def forbid(self, verb: str = "*", resource: str = "*", **more: Any) -> Rule:
        """Refuse matching requests as RBAC does."""
        return self.add(Rule(verb, resource, status=403, **more))

    def delay(self, latency_s: float, verb: str = "*", resource: str = "*", **more: Any) -> Rule:
        """Make matching requests wait before they are served."""
        return self.add(Rule(verb, resource, latency_s=latency_s, **more))

    def remove(self, rule: Rule) -> None:
        """Take back a rule."""
        if rule in self.rules:
            self.rules.remove(rule)

    def clear(self) -> None:
        """Take back all faults."""
        self.rules.clear()
        self.latency_s = 0.0
        self.cut = False

    def matching(self, verb: str, call: Call | None) -> Rule | None:
        """Find the rule for a request, and count it."""
        if not self.rules:
            return None
        rule = next((each for each in self.rules if each.fits(verb, call)), None)
        if rule is not None:
            rule.use()
            if rule.times == 0:
                self.rules.remove(rule)
        return rule

    def forbids(self, verb: str, call: Call) -> bool:
        """Tell whether a request would be refused as RBAC does, without counting it: what access reviews ask."""
        return any(rule.status == 403 and rule.fits(verb, call) for rule in self.rules)
