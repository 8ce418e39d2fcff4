"""How controllers write: through the verbs that clients use, under a manager's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..decoding import decode
from ..errors import ApiError
from ..options import Call, Options
from ..verbs.changing import write, write_read
from ..verbs.creating import create
from ..verbs.deleting import Deletion, delete

if TYPE_CHECKING:
    from ..resources import Resource
    from ..state import State
    from ..values import Manifest

MANAGER: Final = "kube-controller-manager"


class Actor:
    """Writes as one field manager."""

    def __init__(self, state: State, manager: str = MANAGER) -> None:
        self.state = state
        self._options = Options(manager=manager, validation="Ignore")

    def create(self, resource: Resource, namespace: str, manifest: Manifest) -> Manifest:
        """Create an object; one that is there already is returned as it is."""
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        try:
            return create(self.state, Call(resource, namespace, options=self._options), {**head, **manifest})
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            found = self.state.store.get(resource.storage, (namespace, manifest["metadata"]["name"]))
            assert found is not None  # noqa: S101  # it just was there
            return found

    def update(self, resource: Resource, live: Manifest, **changed: Any) -> Manifest:
        """Replace top-level parts of an object."""
        return write(self.state, self._call(resource, live), live, {**live, **changed})

    def update_status(self, resource: Resource, live: Manifest, status: Any, **changed: Any) -> Manifest:
        """Replace the status of an object, if it is another one."""
        if live.get("status") == status and not changed:
            return live
        read = decode(resource.schema.child("status"), status, [])  # all else was decoded when it was kept
        return write_read(
            self.state, self._call(resource, live, "status"), live, {**live, **changed, "status": read}
        )

    def _call(self, resource: Resource, live: Manifest, subresource: str = "") -> Call:
        metadata = live["metadata"]
        return Call(resource, metadata.get("namespace", ""), metadata["name"], subresource, self._options)

    def delete(
        self, resource: Resource, live: Manifest, *, policy: str = "Background", grace_s: int | None = None
    ) -> None:
        """Delete an object; one that is gone is fine."""
        deletion = Deletion(policy=policy, uid=live["metadata"]["uid"], grace_s=grace_s)
        try:
            delete(self.state, self._call(resource, live), deletion)
        except ApiError as error:
            if error.reason not in {"NotFound", "Conflict"}:
                raise
