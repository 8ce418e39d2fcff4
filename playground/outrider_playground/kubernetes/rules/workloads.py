"""What the server refuses about what runs pods, and what it sets on a new one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ..errors import Cause, forbidden_value, invalid_value, required_value
from ..selectors import SelectorError, from_label_selector, matches
from .pods import template_causes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..state import State
    from ..values import Manifest

_ALWAYS: Final = ("Always",)
_STATEFUL_MUTABLE: Final = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def controller_causes(manifest: Manifest) -> Iterator[Cause]:
    """Find what is wrong with a Deployment, ReplicaSet, StatefulSet or DaemonSet."""
    spec = manifest["spec"]
    if spec.get("replicas", 0) < 0:
        yield invalid_value("spec.replicas", str(spec["replicas"]), "must be greater than or equal to 0")
    selector, template = spec.get("selector"), spec.get("template") or {}
    if not selector:
        yield required_value("spec.selector")
    else:
        yield from _selector_causes(selector, template)
    yield from template_causes(template, "spec.template", _ALWAYS)


def _selector_causes(selector: dict[str, Any], template: dict[str, Any]) -> Iterator[Cause]:
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid_value("spec.selector", json.dumps(selector), "empty selector is invalid for deployment")
        return
    labels = (template.get("metadata") or {}).get("labels") or {}
    try:
        fits = matches(from_label_selector(selector), labels)
    except SelectorError as error:
        yield invalid_value("spec.selector", json.dumps(selector), str(error))
        return
    if not fits:
        shown = json.dumps(labels, separators=(",", ":"))
        yield invalid_value(
            "spec.template.metadata.labels", shown, "`selector` does not match template `labels`"
        )


def selector_change(old: Manifest, new: Manifest) -> Iterator[Cause]:
    """Find a change of the selector, which can't be changed."""
    yield from unchanged(old, new, "selector")


def unchanged(old: Manifest, new: Manifest, *fields: str) -> Iterator[Cause]:
    """Find changes of fields of the spec that can't be changed."""
    for field in fields:
        value = new["spec"].get(field)
        if old["spec"].get(field) != value:
            yield invalid_value(
                f"spec.{field}", json.dumps(value, separators=(",", ":")), "field is immutable"
            )


def stateful_set_change(old: Manifest, new: Manifest) -> Iterator[Cause]:
    """Find changes of a StatefulSet beyond the fields that may change."""
    before, after = (
        {key: value for key, value in each["spec"].items() if key not in _STATEFUL_MUTABLE}
        for each in (old, new)
    )
    if before != after:
        listed = ", ".join(f"'{field}'" for field in _STATEFUL_MUTABLE)
        yield forbidden_value(
            "spec", f"updates to statefulset spec for fields other than {listed} are forbidden"
        )


def job_causes(manifest: Manifest) -> Iterator[Cause]:
    """Find what is wrong with a Job."""
    yield from template_causes(manifest["spec"]["template"], "spec.template", ("OnFailure", "Never"))


def job_change(old: Manifest, new: Manifest) -> Iterator[Cause]:
    """Find changes of a Job's selector, template and the like, which can't be changed."""
    yield from unchanged(
        old,
        new,
        "completions",
        "selector",
        "template",
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
    )


def cron_job_causes(manifest: Manifest) -> Iterator[Cause]:
    """Find what is wrong with a CronJob."""
    spec = manifest["spec"]
    if not spec.get("schedule"):
        yield required_value("spec.schedule")
    elif len(spec["schedule"].split()) != 5 and not spec["schedule"].startswith("@"):
        yield invalid_value("spec.schedule", json.dumps(spec["schedule"]), "Expected exactly 5 fields")
    yield from template_causes(
        spec["jobTemplate"]["spec"]["template"], "spec.jobTemplate.spec.template", ("OnFailure", "Never")
    )


def label_job(_state: State, job: Manifest) -> None:
    """Give a new Job the selector and labels by which it knows its pods, unless it brings its own."""
    spec, metadata = job["spec"], job["metadata"]
    template = spec["template"].setdefault("metadata", {})
    if not spec.get("manualSelector"):
        name, uid = metadata["name"], metadata["uid"]
        added = {
            "batch.kubernetes.io/controller-uid": uid,
            "batch.kubernetes.io/job-name": name,
            "controller-uid": uid,
            "job-name": name,
        }
        template["labels"] = {**template.get("labels", {}), **added}
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    if not metadata.get("labels") and template.get("labels"):
        metadata["labels"] = template["labels"]
