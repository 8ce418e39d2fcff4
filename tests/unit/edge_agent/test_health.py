"""Health of objects and of applications."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.health import (
    DEGRADED,
    HEALTHY,
    MISSING,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    Health,
    application_health,
    check,
    worst,
)

STATUSES = [HEALTHY, SUSPENDED, PROGRESSING, MISSING, DEGRADED, UNKNOWN]


def live(
    spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **metadata: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": "x", "generation": 2, **metadata},
        "spec": spec or {},
        "status": status or {},
    }


def rollout(**status: int) -> dict[str, Any]:
    return {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, **status}


def condition(kind: str, status: str = "True", **more: str) -> dict[str, Any]:
    return {"type": kind, "status": status, **more}


CASES: list[tuple[str, str, str, dict[str, Any], str | None]] = [
    ("all updated and available", "apps", "Deployment", live({"replicas": 2}, rollout()), HEALTHY),
    ("scaled to zero", "apps", "Deployment", live({"replicas": 0}, {"observedGeneration": 2}), HEALTHY),
    ("paused", "apps", "Deployment", live({"paused": True}, rollout()), SUSPENDED),
    (
        "spec not seen",
        "apps",
        "Deployment",
        live({"replicas": 2}, rollout(observedGeneration=1)),
        PROGRESSING,
    ),
    ("no status yet", "apps", "Deployment", live({"replicas": 2}), PROGRESSING),
    ("not all updated", "apps", "Deployment", live({"replicas": 2}, rollout(updatedReplicas=1)), PROGRESSING),
    ("old ones left", "apps", "Deployment", live({"replicas": 2}, rollout(replicas=3)), PROGRESSING),
    (
        "not all available",
        "apps",
        "Deployment",
        live({"replicas": 2}, rollout(availableReplicas=1)),
        PROGRESSING,
    ),
    (
        "past its deadline",
        "apps",
        "Deployment",
        live(
            {"replicas": 2},
            rollout(availableReplicas=0)
            | {
                "conditions": [
                    condition("Progressing", "False", reason="ProgressDeadlineExceeded", message="too slow")
                ]
            },
        ),
        DEGRADED,
    ),
    (
        "all ready",
        "apps",
        "StatefulSet",
        live(
            {"replicas": 1},
            {"observedGeneration": 2, "readyReplicas": 1, "updateRevision": "a", "currentRevision": "a"},
        ),
        HEALTHY,
    ),
    ("never observed", "apps", "StatefulSet", live({"replicas": 1}, {"readyReplicas": 1}), PROGRESSING),
    (
        "not ready",
        "apps",
        "StatefulSet",
        live({"replicas": 2}, {"observedGeneration": 2, "readyReplicas": 1}),
        PROGRESSING,
    ),
    (
        "at two revisions",
        "apps",
        "StatefulSet",
        live(
            {"replicas": 1},
            {"observedGeneration": 2, "readyReplicas": 1, "updateRevision": "b", "currentRevision": "a"},
        ),
        PROGRESSING,
    ),
    (
        "updated down to its partition",
        "apps",
        "StatefulSet",
        live(
            {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}},
            {"observedGeneration": 2, "readyReplicas": 3, "updatedReplicas": 1, "updateRevision": "b"},
        ),
        HEALTHY,
    ),
    (
        "not yet updated down to its partition",
        "apps",
        "StatefulSet",
        live(
            {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}},
            {"observedGeneration": 2, "readyReplicas": 3, "updatedReplicas": 1},
        ),
        PROGRESSING,
    ),
    (
        "updated on delete only",
        "apps",
        "StatefulSet",
        live(
            {"replicas": 1, "updateStrategy": {"type": "OnDelete"}},
            {"observedGeneration": 2, "readyReplicas": 1, "updateRevision": "b", "currentRevision": "a"},
        ),
        HEALTHY,
    ),
    (
        "on every node",
        "apps",
        "DaemonSet",
        live(
            status={
                "observedGeneration": 2,
                "desiredNumberScheduled": 2,
                "updatedNumberScheduled": 2,
                "numberAvailable": 2,
            }
        ),
        HEALTHY,
    ),
    ("no node to run on", "apps", "DaemonSet", live(status={"observedGeneration": 2}), HEALTHY),
    (
        "not updated everywhere",
        "apps",
        "DaemonSet",
        live(status={"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 1}),
        PROGRESSING,
    ),
    (
        "not available everywhere",
        "apps",
        "DaemonSet",
        live(
            status={
                "observedGeneration": 2,
                "desiredNumberScheduled": 2,
                "updatedNumberScheduled": 2,
                "numberAvailable": 1,
            }
        ),
        PROGRESSING,
    ),
    (
        "available",
        "apps",
        "ReplicaSet",
        live({"replicas": 1}, {"observedGeneration": 2, "availableReplicas": 1}),
        HEALTHY,
    ),
    ("waiting", "apps", "ReplicaSet", live({"replicas": 1}, {"observedGeneration": 2}), PROGRESSING),
    (
        "failing",
        "apps",
        "ReplicaSet",
        live(
            {"replicas": 1},
            {"observedGeneration": 2, "conditions": [condition("ReplicaFailure", message="quota")]},
        ),
        DEGRADED,
    ),
    ("pending", "", "Pod", live(status={"phase": "Pending"}), PROGRESSING),
    ("done", "", "Pod", live(status={"phase": "Succeeded"}), HEALTHY),
    ("failed", "", "Pod", live(status={"phase": "Failed"}), DEGRADED),
    ("of no phase", "", "Pod", live(), UNKNOWN),
    ("ready", "", "Pod", live(status={"phase": "Running", "conditions": [condition("Ready")]}), HEALTHY),
    ("starting", "", "Pod", live(status={"phase": "Running"}), PROGRESSING),
    (
        "restarting",
        "",
        "Pod",
        live(
            status={"phase": "Running", "containerStatuses": [{"lastState": {"terminated": {"exitCode": 1}}}]}
        ),
        DEGRADED,
    ),
    (
        "without its image",
        "",
        "Pod",
        live(
            {"restartPolicy": "Always"},
            {
                "phase": "Pending",
                "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}],
            },
        ),
        DEGRADED,
    ),
    (
        "of finite life, without its image",
        "",
        "Pod",
        live(
            {"restartPolicy": "Never"},
            {
                "phase": "Pending",
                "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}],
            },
        ),
        PROGRESSING,
    ),
    (
        "of finite life, running",
        "",
        "Pod",
        live({"restartPolicy": "OnFailure"}, {"phase": "Running"}),
        PROGRESSING,
    ),
    ("running", "batch", "Job", live(status={"active": 1}), PROGRESSING),
    ("complete", "batch", "Job", live(status={"conditions": [condition("Complete")]}), HEALTHY),
    (
        "failed",
        "batch",
        "Job",
        live(status={"conditions": [condition("Failed", message="deadline")]}),
        DEGRADED,
    ),
    ("suspended", "batch", "Job", live(status={"conditions": [condition("Suspended")]}), SUSPENDED),
    ("resumed", "batch", "Job", live(status={"conditions": [condition("Suspended", "False")]}), PROGRESSING),
    ("inside the cluster", "", "Service", live({"type": "ClusterIP"}), HEALTHY),
    ("without an address", "", "Service", live({"type": "LoadBalancer"}), PROGRESSING),
    (
        "with an address",
        "",
        "Service",
        live({"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}),
        HEALTHY,
    ),
    ("bound", "", "PersistentVolumeClaim", live(status={"phase": "Bound"}), HEALTHY),
    ("unbound", "", "PersistentVolumeClaim", live(status={"phase": "Pending"}), PROGRESSING),
    ("lost", "", "PersistentVolumeClaim", live(status={"phase": "Lost"}), DEGRADED),
    ("without an address", "networking.k8s.io", "Ingress", live(), PROGRESSING),
    (
        "with an address",
        "networking.k8s.io",
        "Ingress",
        live(status={"loadBalancer": {"ingress": [{"hostname": "x"}]}}),
        HEALTHY,
    ),
    ("not judged", "apiextensions.k8s.io", "CustomResourceDefinition", live(), PROGRESSING),
    (
        "established",
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        live(status={"conditions": [condition("NamesAccepted"), condition("Established")]}),
        HEALTHY,
    ),
    (
        "being installed",
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        live(status={"conditions": [condition("Established", "False", reason="Installing")]}),
        PROGRESSING,
    ),
    (
        "with names taken",
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        live(status={"conditions": [condition("NamesAccepted", "False", message="in use")]}),
        DEGRADED,
    ),
    (
        "of no structure",
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        live(
            status={"conditions": [condition("Established"), condition("NonStructuralSchema", message="x")]}
        ),
        DEGRADED,
    ),
    ("of no check", "", "ConfigMap", live(), None),
    ("of no check", "", "Namespace", live(status={"phase": "Active"}), None),
    ("of no check", "example.com", "Widget", live(), None),
    ("being deleted", "", "ConfigMap", live(deletionTimestamp="2026-01-01T00:00:00Z"), PROGRESSING),
]


@pytest.mark.parametrize(("state", "group", "kind", "found", "expected"), CASES)
def test_an_object_is_judged_by_the_rules_of_its_kind(
    state: str, group: str, kind: str, found: dict[str, Any], expected: str | None
) -> None:
    health = check(group, kind, found)
    assert (health.status if health else None) == expected, f"{kind} {state}"


def test_a_pod_that_cannot_pull_its_image_says_why() -> None:
    waiting = {"reason": "ErrImagePull", "message": "no such image shop/till:9"}
    found = live(status={"phase": "Pending", "containerStatuses": [{"state": {"waiting": waiting}}]})
    assert check("", "Pod", found) == Health(DEGRADED, "no such image shop/till:9")


def test_a_failed_pod_names_the_container_that_ended_it() -> None:
    ended = {"name": "migrate", "state": {"terminated": {"exitCode": 3}}}
    found = live(status={"phase": "Failed", "containerStatuses": [ended]})
    health = check("", "Pod", found)
    assert health
    assert "migrate" in health.message
    assert "3" in health.message


def test_a_status_of_another_shape_is_unknown_and_breaks_nothing() -> None:
    assert check("apps", "Deployment", live({"replicas": "many"}, rollout())) == Health(
        UNKNOWN, "has a status that can't be read"
    )


def judged(*statuses: str) -> list[tuple[bool, Health | None]]:
    return [(True, Health(status)) for status in statuses]  # type: ignore[arg-type]


@given(st.lists(st.sampled_from(STATUSES), min_size=1))
def test_an_application_is_as_healthy_as_its_worst_object(statuses: list[str]) -> None:
    expected = max(statuses, key=STATUSES.index)
    assert application_health(judged(*statuses)).status == expected
    assert worst(statuses) == expected  # type: ignore[arg-type]


def test_an_application_takes_the_message_of_its_worst_object() -> None:
    objects: list[tuple[bool, Health | None]] = [
        (True, Health(PROGRESSING, "slow")),
        (True, Health(DEGRADED, "first")),
        (True, Health(DEGRADED, "second")),
        (True, Health(HEALTHY)),
    ]
    assert application_health(objects) == Health(DEGRADED, "first")


def test_kinds_without_a_check_count_for_nothing() -> None:
    assert application_health([(True, None), (True, Health(HEALTHY))]).status == HEALTHY


def test_a_missing_object_alone_does_not_make_an_application_unhealthy() -> None:
    assert application_health([(False, Health(MISSING)), (True, Health(HEALTHY))]).status == HEALTHY


def test_an_application_none_of_whose_objects_is_there_is_missing() -> None:
    assert application_health([(False, Health(MISSING)), (False, None)]).status == MISSING


def test_an_application_without_objects_is_healthy() -> None:
    assert application_health([]).status == HEALTHY


def test_a_suspended_job_suspends_its_application_but_no_sync_waits_for_it() -> None:
    job = check("batch", "Job", live(status={"conditions": [condition("Suspended")]}))
    assert job
    assert job.status == SUSPENDED
    assert job.counts_as == HEALTHY
    assert application_health([(True, job)]).status == SUSPENDED
