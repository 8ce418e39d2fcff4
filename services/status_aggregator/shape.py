"""The shape of status documents. That of an application is Argo CD's `Application.status`, in two depths: each decodes only what it names.

What is not named is skipped, which costs next to nothing: most of a document is its lists of objects.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

Sync = Literal["Synced", "OutOfSync", "Unknown"]
Health = Literal["Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"]
Phase = Literal["Running", "Succeeded", "Failed", "Error", "Terminating"]


class SyncPart(Struct, gc=False):
    """`sync`."""

    status: Sync
    revision: str = ""
    generation: Any = None
    # of the Desired record that the edge works on, where it says so


class HealthPart(Struct, gc=False):
    """`health` of an application, or of one of its objects."""

    status: Health
    message: str = ""


class Condition(Struct, gc=False):
    """One of `conditions`."""

    type: str = ""
    message: str = ""


class Operation(Struct, gc=False, rename="camel"):
    """`operationState`; one operation is told from the next by when it began."""

    phase: Phase
    message: str = ""
    started_at: str = ""


class Listed(Struct, gc=False, rename="camel"):
    """What decides which events a change makes, and what lists show."""

    sync: SyncPart
    health: HealthPart
    operation_state: Operation | UnsetType = UNSET
    conditions: list[Condition] = []


class Named(Struct, gc=False):
    """An object of an application, in the result of a sync."""

    group: str = ""
    version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    status: str = ""
    message: str = ""


class Resource(Named, gc=False):
    """An object of an application, with its health."""

    health: HealthPart | UnsetType = UNSET


class SyncResult(Struct, gc=False, frozen=True):
    """What a sync did, object by object."""

    resources: list[Named] = []


class OperationWithResult(Operation, gc=False, rename="camel"):
    """`operationState`, with what the sync did."""

    finished_at: str = ""
    sync_result: SyncResult = SyncResult()


class Summary(Struct, gc=False, frozen=True):
    """`summary`."""

    images: list[str] = []


class Whole(Listed, gc=False, rename="camel"):
    """Every field that an answer hands out."""

    operation_state: OperationWithResult | UnsetType = UNSET
    resources: list[Resource] = []
    summary: Summary = Summary()


class OfCluster(Struct, gc=False):
    """A cluster's own document. Sections hold what the agent likes to tell."""

    agent: dict[str, Any] = {}
    replica: dict[str, Any] = {}
    link: dict[str, Any] = {}
    hold: dict[str, Any] = {}
    rendering: dict[str, Any] = {}
    conditions: list[Condition] = []
