"""The kinds of objects that a hub takes, and the order in which they depend on one another. Pure.

Applications are checked against projects, and settings bear on both, so those go first, whatever the order in the files.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from outrider_cli.documents import Found

ARGO = "argoproj.io/v1alpha1"
SETTINGS_NAME = "argocd-cm"


class Kind(NamedTuple):
    """A kind: what its objects are called in answers, and its place in the order."""

    word: str
    tier: int


PROJECT, SETTINGS = Kind("project", 0), Kind("settings", 1)
APPLICATION, SET = Kind("application", 2), Kind("set", 3)
_KINDS = {
    (ARGO, "AppProject"): PROJECT,
    (ARGO, "Application"): APPLICATION,
    (ARGO, "ApplicationSet"): SET,
}
TAKEN = f"Application, ApplicationSet and AppProject of {ARGO}, and the ConfigMap {SETTINGS_NAME}"

_ADDED_BY_A_CLUSTER = (
    "managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink",
    "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def kind_of(manifest: Mapping[str, Any]) -> Kind | None:
    """Return an object's kind; None if the hub takes none of it."""
    if (manifest["apiVersion"], manifest["kind"]) == ("v1", "ConfigMap"):
        return SETTINGS if manifest["metadata"]["name"] == SETTINGS_NAME else None
    return _KINDS.get((manifest["apiVersion"], manifest["kind"]))


def named(manifest: Mapping[str, Any]) -> str:
    """Return what an object is called in answers, as `application/web`."""
    kind = kind_of(manifest)
    word = kind.word if kind else str(manifest["kind"]).lower()
    return f"{word}/{manifest['metadata']['name']}"


def cleaned(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return an object without what a cluster added to it: its status alone may be larger than what the hub takes."""
    kept = {key: value for key, value in manifest.items() if key != "status"}
    metadata = {key: value for key, value in kept["metadata"].items() if key not in _ADDED_BY_A_CLUSTER}
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        metadata["annotations"] = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
    return {**kept, "metadata": metadata}


class Chosen(NamedTuple):
    """What is to be applied, in order; what can't be, with its error; and what was left out because it was asked to."""

    taken: list[Found]
    refused: list[Found]
    others: list[Found]
    files: list[str]
    # in the order in which they were read


def choose(found: Iterable[Found], *, ignore_others: bool) -> Chosen:
    """Sort objects by what becomes of them. Of one that is there twice, alike in all, the first is taken."""
    taken: list[Found] = []
    refused: list[Found] = []
    others: list[Found] = []
    files: dict[str, None] = {}
    for one in found:
        files.setdefault(one.place.file)
        if one.manifest is None:
            refused.append(one)
        elif kind_of(one.manifest) is not None:
            taken.append(replace(one, manifest=cleaned(one.manifest)))
        elif ignore_others:
            others.append(one)
        else:
            refused.append(replace(one, manifest=None, error=_other(one.manifest)))
    single, doubled = _single(taken)
    return Chosen(in_order(single), [*refused, *doubled], others, list(files))


def in_order(found: Sequence[Found]) -> list[Found]:
    """Return objects in the order in which they depend on one another; those of one kind as they stand in the files."""
    return sorted(found, key=lambda one: tier_of(one))


def tier_of(found: Found) -> int:
    """Return an object's place in the order."""
    kind = kind_of(found.manifest) if found.manifest else None
    return kind.tier if kind else len(_KINDS) + 1


def _other(manifest: dict[str, Any]) -> str:
    what = f"kind: {manifest['kind']} of {manifest['apiVersion']} ({manifest['metadata']['name']})"
    return f"{what} is nothing that the hub takes: {TAKEN} are; --ignore-others leaves it out"


def _single(found: Iterable[Found]) -> tuple[list[Found], list[Found]]:
    first: dict[str, Found] = {}
    doubled = []
    for one in found:
        name = named(one.manifest or {})
        before = first.setdefault(name, one)
        if before.manifest != one.manifest:
            said = f"is in {before.place} too, and differs: names are unique in the hub"
            doubled.append(replace(one, error=said))
    return list(first.values()), doubled
