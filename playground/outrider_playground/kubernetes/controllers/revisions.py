"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..resources import Resource, builtin
from .owners import controlled, reference, short_hash

if TYPE_CHECKING:
    from ..values import Manifest
    from .actor import Actor

REVISIONS: Final = builtin("apps/v1", "ControllerRevision")
HASH_LABEL: Final = "controller-revision-hash"


def current_revision(actor: Actor, resource: Resource, owner: Manifest) -> Manifest:
    """Return the revision of the owner's template as it is, made if there is none yet; the newest number is always its."""
    template = owner["spec"]["template"]
    known = controlled(actor.state, REVISIONS.storage, owner)
    highest = max((each["revision"] for each in known), default=0)
    found = next((each for each in known if each["data"]["spec"]["template"] == template), None)
    if found is not None:
        return found if found["revision"] == highest else actor.update(REVISIONS, found, revision=highest + 1)
    digest = short_hash(template)
    made = {
        "metadata": {
            "name": f"{owner['metadata']['name']}-{digest}",
            "labels": {**(template.get("metadata", {}).get("labels") or {}), HASH_LABEL: digest},
            "ownerReferences": [reference(resource, owner)],
        },
        "data": {"spec": {"template": template}},
        "revision": highest + 1,
    }
    return actor.create(REVISIONS, owner["metadata"]["namespace"], made)


def template_of(actor: Actor, owner: Manifest, name: str) -> dict[str, Any]:
    """Return the template of a revision by name, or the owner's own if that is gone."""
    found = actor.state.store.get(REVISIONS.storage, (owner["metadata"]["namespace"], name))
    template: dict[str, Any] = (
        found["data"]["spec"]["template"] if found is not None else owner["spec"]["template"]
    )
    return template
