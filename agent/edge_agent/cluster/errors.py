"""What the Kubernetes API can answer instead of a result. The class is the schedule.

`Transient` (and below): nothing was decided, ask again after `retry_after_s` or by the caller's backoff; it
is no failed attempt. Everything else is the server's decision about this very request: asking again unchanged
brings the same answer until somebody changes the object, the rights or the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldCause:
    """One field that the server refused, and why."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class ClusterError(Exception):
    """Any refusal or failure of the Kubernetes API; `what` names the object or the request."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what = what
        self.reason = reason

    @property
    def why(self) -> str:
        """The reason alone, for where the object is named already."""
        return self.reason

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


class Transient(ClusterError):
    """Nothing was decided: ask again, after `retry_after_s` where the server said so."""

    def __init__(self, what: str, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(what, reason)
        self.retry_after_s = retry_after_s


class Unavailable(Transient):
    """The API server can't be reached, took too long, or failed by itself."""


class Throttled(Transient):
    """The API server asks for fewer requests (429)."""


class Unauthorized(Transient):
    """The agent's credentials are refused, after they were read anew; they may become valid without the
    agent's doing.
    """


class Conflict(Transient):
    """The object changed, or is another one by now: read it again and decide again."""


class AlreadyExists(ClusterError):
    """An object of that name is there already."""


class NotFound(ClusterError):
    """There is no such object, or no namespace to hold it."""


class UnknownKind(ClusterError):
    """The cluster serves no such kind; its CustomResourceDefinition may come."""


class Forbidden(ClusterError):
    """The agent lacks a right on this cluster; `verb` and `resource` name it where they are known."""

    def __init__(self, what: str, reason: str, verb: str = "", resource: str = "") -> None:
        super().__init__(what, reason)
        self.verb = verb
        self.resource = resource


class InvalidObject(ClusterError):
    """The object itself is refused; `causes` names the fields."""

    def __init__(self, what: str, reason: str, causes: tuple[FieldCause, ...] = ()) -> None:
        super().__init__(what, reason)
        self.causes = causes

    @property
    def why(self) -> str:
        """The fields and what is wrong with them."""
        return "; ".join(map(str, self.causes)) or self.reason


class Expired(ClusterError):
    """The version to watch or to continue from is too old (410): list again."""


class Refused(ClusterError):
    """Any other answer of 400 to 499; `status` is the HTTP status."""

    def __init__(self, what: str, reason: str, status: int) -> None:
        super().__init__(what, reason)
        self.status = status
