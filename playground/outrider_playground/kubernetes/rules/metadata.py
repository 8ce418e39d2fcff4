"""What the server refuses about names, labels and other metadata."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from ..errors import Cause, forbidden_value, invalid_value, required_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resources import Resource
    from ..values import Manifest

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SERVICE: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE: Final = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_ANNOTATIONS_BYTES: Final = 256 * 1024

_LABEL_RULE: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SERVICE_RULE: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an "
    "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_RULE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)

_LABEL_NAMED: Final = {("", "namespaces")}
_SERVICE_NAMED: Final = {("", "services")}
_PATH_NAMED: Final = "rbac.authorization.k8s.io"


def name_causes(resource: Resource, name: str, field: str = "metadata.name") -> Iterator[Cause]:
    """Find what is wrong with an object's name."""
    if resource.group == _PATH_NAMED:
        if name in {".", ".."} or "/" in name or "%" in name:
            yield invalid_value(field, json.dumps(name), "may not be '.' or '..' or contain '/' or '%'")
        return
    form, longest, rule = _SUBDOMAIN, 253, _SUBDOMAIN_RULE
    if resource.storage in _LABEL_NAMED:
        form, longest, rule = _LABEL, 63, _LABEL_RULE
    elif resource.storage in _SERVICE_NAMED:
        form, longest, rule = _SERVICE, 63, _SERVICE_RULE
    if len(name) > longest:
        yield invalid_value(field, json.dumps(name), f"must be no more than {longest} bytes")
    if not form.fullmatch(name):
        yield invalid_value(field, json.dumps(name), rule)


def metadata_causes(resource: Resource, manifest: Manifest) -> Iterator[Cause]:
    """Find what is wrong with an object's metadata."""
    metadata = manifest["metadata"]
    name = metadata.get("name", "")
    if not name:
        yield required_value("metadata.name", "name or generateName is required")
    else:
        yield from name_causes(resource, name)
    yield from label_causes(metadata.get("labels"), "metadata.labels")
    yield from annotation_causes(metadata.get("annotations"))
    for place, owner in enumerate(metadata.get("ownerReferences") or ()):
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                shown = "version" if key == "apiVersion" else key
                yield invalid_value(
                    f"metadata.ownerReferences[{place}].{key}", '""', f"{shown} must not be empty"
                )
    for finalizer in metadata.get("finalizers") or ():
        if "/" not in finalizer and finalizer not in {"orphan", "foregroundDeletion", "kubernetes"}:
            yield invalid_value(
                "metadata.finalizers",
                json.dumps(finalizer),
                "name is neither a standard finalizer name nor is it fully qualified",
            )


def label_causes(labels: Any, field: str) -> Iterator[Cause]:
    """Find what is wrong with labels."""
    for key, value in (labels or {}).items():
        yield from _key_causes(key, field)
        if len(value) > 63 or not _LABEL_VALUE.fullmatch(value):
            rule = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
            yield invalid_value(field, json.dumps(value), rule)


def annotation_causes(annotations: Any) -> Iterator[Cause]:
    """Find what is wrong with annotations."""
    size = 0
    for key, value in (annotations or {}).items():
        size += len(key) + len(value)
        yield from _key_causes(key.lower(), "metadata.annotations")
    if size > _ANNOTATIONS_BYTES:
        yield Cause(
            "FieldValueTooLong",
            f"Too long: may not be more than {_ANNOTATIONS_BYTES} bytes",
            "metadata.annotations",
        )


def _key_causes(key: str, field: str) -> Iterator[Cause]:
    prefix, found, name = key.rpartition("/")
    if (found and not _SUBDOMAIN.fullmatch(prefix)) or len(name) > 63 or not _QUALIFIED.fullmatch(name):
        rule = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
        yield invalid_value(field, json.dumps(key), rule)


def metadata_update_causes(old: Manifest, new: Manifest) -> Iterator[Cause]:
    """Find what is wrong with a change of metadata. A finalizer can't be added to an object that is being deleted."""
    if not old["metadata"].get("deletionTimestamp"):
        return
    before = set(old["metadata"].get("finalizers") or ())
    added = [each for each in new["metadata"].get("finalizers") or () if each not in before]
    if added:
        listed = ", ".join(json.dumps(each) for each in added)
        problem = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
        # twice, as the server does: once for all objects, once for those of the kind
        yield forbidden_value("metadata.finalizers", problem)
        yield forbidden_value("metadata.finalizers", problem)
