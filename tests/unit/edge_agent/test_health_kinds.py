"""Kinds that come with operators, and the rarer ones of Kubernetes' own: what their states mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge_agent.health import DEGRADED, HEALTHY, PROGRESSING, SUSPENDED, UNKNOWN, Health, check


def judged(kind: str, found: dict[str, Any]) -> Health | None:
    group, _, name = kind.rpartition("/")
    return check(group, name, found)


def on(kind: str, status: str = "True", **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": status, **more}


def said(*conditions: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 2}, "status": {"conditions": list(conditions), **status}}


def spec(found: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**found, "spec": fields}


def phase(name: str, message: str = "") -> dict[str, Any]:
    return {"status": {"phase": name, "message": message}}


def hpa_v1(*conditions: dict[str, Any]) -> dict[str, Any]:
    name = "autoscaling.alpha.kubernetes.io/conditions"
    return {
        "apiVersion": "autoscaling/v1",
        "metadata": {"annotations": {name: json.dumps(list(conditions))}},
    }


def at(generation: int, *conditions: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**condition, "observedGeneration": generation} for condition in conditions]


def parents(*found: list[dict[str, Any]]) -> dict[str, Any]:
    named = [{"parentRef": {"name": f"gw{n}"}, "conditions": one} for n, one in enumerate(found)]
    return {"metadata": {"generation": 2}, "status": {"parents": named}}


def rollout(
    strategy: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **status: Any
) -> dict[str, Any]:
    counts = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "currentPodHash": "b"}
    return {
        "metadata": {"generation": 2},
        "spec": {"replicas": 2, "strategy": strategy or {"canary": {}}, **(spec or {})},
        "status": {"observedGeneration": "2", "stableRS": "b", **counts, **status},
    }


CRON = {"lastScheduleTime": "2026-01-02T00:00:00Z", "lastSuccessfulTime": "2026-01-02T00:01:00Z"}
FAILED_CRON = {**CRON, "lastSuccessfulTime": "2026-01-01T00:00:00Z"}
HPA = "autoscaling/HorizontalPodAutoscaler"
GATEWAY = "gateway.networking.k8s.io/Gateway"
CLASS = "gateway.networking.k8s.io/GatewayClass"
ROUTE = "gateway.networking.k8s.io/HTTPRoute"
POLICY = "gateway.networking.k8s.io/BackendTLSPolicy"
FLUX = "kustomize.toolkit.fluxcd.io/Kustomization"
CERTIFICATE = "cert-manager.io/Certificate"
SECRET = "external-secrets.io/ExternalSecret"  # noqa: S105 a kind
CLUSTER_SECRET = "external-secrets.io/ClusterExternalSecret"  # noqa: S105 a kind
ROLLOUT = "argoproj.io/Rollout"
VM, VMI = "kubevirt.io/VirtualMachine", "kubevirt.io/VirtualMachineInstance"

CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("available", "apiregistration.k8s.io/APIService", said(on("Available")), HEALTHY),
    ("unavailable", "apiregistration.k8s.io/APIService", said(on("Available", "False")), PROGRESSING),
    ("not judged", "apiregistration.k8s.io/APIService", said(), PROGRESSING),
    ("begins", "argoproj.io/Workflow", {}, PROGRESSING),
    ("runs", "argoproj.io/Workflow", phase("Running"), PROGRESSING),
    ("is done", "argoproj.io/Workflow", phase("Succeeded"), HEALTHY),
    ("failed", "argoproj.io/Workflow", phase("Error"), DEGRADED),
    ("elsewhere", "argoproj.io/Workflow", phase("Odd"), UNKNOWN),
    ("scales", HPA, said(on("AbleToScale", reason="ReadyForNewScale")), HEALTHY),
    ("has no metrics", HPA, said(on("ScalingActive", "False", reason="FailedGetResourceMetric")), DEGRADED),
    ("waits", HPA, said(on("AbleToScale", "False", reason="BackoffBoth")), PROGRESSING),
    ("v1 scales", HPA, hpa_v1(on("ScalingLimited")), HEALTHY),
    ("v1 has no target", HPA, hpa_v1(on("AbleToScale", "False", reason="FailedGetScale")), DEGRADED),
    ("v1 waits", HPA, {"apiVersion": "autoscaling/v1", "metadata": {}}, PROGRESSING),
    ("is off", "batch/CronJob", spec({"status": FAILED_CRON}, suspend=True), HEALTHY),
    ("not seen", "batch/CronJob", spec({}), PROGRESSING),
    ("never ran", "batch/CronJob", spec({"status": {}}), HEALTHY),
    ("never succeeded", "batch/CronJob", {"status": {"lastScheduleTime": "2026-01-02T00:00:00Z"}}, HEALTHY),
    ("runs", "batch/CronJob", {"status": {**FAILED_CRON, "active": [{}]}}, HEALTHY),
    ("failed", "batch/CronJob", {"status": FAILED_CRON}, DEGRADED),
    ("succeeded", "batch/CronJob", {"status": CRON}, HEALTHY),
    ("allowed", "policy/PodDisruptionBudget", said(on("DisruptionAllowed", reason="Enough")), HEALTHY),
    (
        "too few on purpose",
        "policy/PodDisruptionBudget",
        said(on("DisruptionAllowed", "False", reason="InsufficientPods")),
        HEALTHY,
    ),
    (
        "not computed",
        "policy/PodDisruptionBudget",
        said(on("DisruptionAllowed", "False", reason="SyncFailed")),
        DEGRADED,
    ),
    ("not judged", "policy/PodDisruptionBudget", {}, PROGRESSING),
    ("issued", CERTIFICATE, said(on("Ready")), HEALTHY),
    ("being issued", CERTIFICATE, said(on("Ready", "False"), on("Issuing")), PROGRESSING),
    ("refused", CERTIFICATE, said(on("Ready", "False")), DEGRADED),
    ("fresh", CERTIFICATE, {}, PROGRESSING),
    ("ready", "cert-manager.io/ClusterIssuer", said(on("Ready")), HEALTHY),
    ("not ready", SECRET, said(on("Ready", "False")), DEGRADED),
    ("undecided", SECRET, said(on("Ready", "Unknown")), PROGRESSING),
    ("unsealed", "bitnami.com/SealedSecret", said(on("Synced")), HEALTHY),
    ("sealed for good", "bitnami.com/SealedSecret", said(on("Synced", "False")), DEGRADED),
    ("fixed", CLUSTER_SECRET, said(on("NotReady"), on("Ready")), HEALTHY),
    ("broke", CLUSTER_SECRET, said(on("Ready"), on("PartiallyReady")), DEGRADED),
    ("fresh", CLUSTER_SECRET, {}, PROGRESSING),
    ("applied", FLUX, said(on("Ready")), HEALTHY),
    ("failed", FLUX, said(on("Ready", "False")), DEGRADED),
    ("works", FLUX, said(on("Ready", "Unknown"), on("Reconciling")), PROGRESSING),
    ("fresh", FLUX, {}, PROGRESSING),
    ("is off", FLUX, spec(said(on("Ready")), suspend=True), SUSPENDED),
    (
        "of type oci",
        "source.toolkit.fluxcd.io/HelmRepository",
        {"kind": "HelmRepository", "spec": {"type": "oci"}},
        HEALTHY,
    ),
    ("programmed", GATEWAY, said(on("Accepted"), on("Programmed")), HEALTHY),
    ("refused", GATEWAY, said(on("Accepted", "False")), DEGRADED),
    ("being programmed", GATEWAY, said(on("Accepted"), on("Programmed", "Unknown")), PROGRESSING),
    (
        "with a bad listener",
        GATEWAY,
        said(on("Accepted"), listeners=[{"name": "https", "conditions": [on("ResolvedRefs", "False")]}]),
        DEGRADED,
    ),
    ("fresh", GATEWAY, {}, PROGRESSING),
    ("accepted", CLASS, said(*at(2, on("Accepted"))), HEALTHY),
    ("accepted once", CLASS, said(*at(1, on("Accepted"))), PROGRESSING),
    ("refused", CLASS, said(on("Accepted", "False")), DEGRADED),
    ("accepted", ROUTE, parents(at(2, on("Accepted"), on("ResolvedRefs"))), HEALTHY),
    ("accepted once", ROUTE, parents(at(1, on("Accepted"))), PROGRESSING),
    ("refused by one", ROUTE, parents(at(2, on("Accepted")), at(2, on("Accepted", "False"))), DEGRADED),
    ("refused before", ROUTE, parents(at(2, on("Accepted")), at(1, on("Accepted", "False"))), HEALTHY),
    (
        "accepted",
        POLICY,
        {"metadata": {"generation": 2}, "status": {"ancestors": [{"conditions": at(2, on("Accepted"))}]}},
        HEALTHY,
    ),
    (
        "refused",
        POLICY,
        {"status": {"ancestors": [{"conditions": [on("ResolvedRefs", "False")]}]}},
        DEGRADED,
    ),
    (
        "accepted once",
        POLICY,
        {"metadata": {"generation": 2}, "status": {"ancestors": [{"conditions": at(1, on("Accepted"))}]}},
        PROGRESSING,
    ),
    ("says so", ROLLOUT, rollout(phase="Healthy"), HEALTHY),
    ("says that it waits", ROLLOUT, rollout(phase="Paused"), SUSPENDED),
    ("says something else", ROLLOUT, rollout(phase="Odd"), UNKNOWN),
    ("behind", ROLLOUT, rollout(observedGeneration="1", phase="Healthy"), PROGRESSING),
    ("is done", ROLLOUT, rollout(), HEALTHY),
    ("updates", ROLLOUT, rollout(updatedReplicas=1), PROGRESSING),
    ("comes up", ROLLOUT, rollout(availableReplicas=1), PROGRESSING),
    ("cleans up", ROLLOUT, rollout(replicas=3), PROGRESSING),
    ("steps on", ROLLOUT, rollout(stableRS="a"), PROGRESSING),
    ("was aborted", ROLLOUT, rollout(conditions=[on("Progressing", reason="RolloutAborted")]), DEGRADED),
    ("makes no sense", ROLLOUT, rollout(conditions=[on("InvalidSpec")]), DEGRADED),
    ("waits", ROLLOUT, rollout(pauseConditions=[{}]), SUSPENDED),
    ("was paused", ROLLOUT, rollout(spec={"paused": True}), SUSPENDED),
    ("not switched", ROLLOUT, rollout({"blueGreen": {}}, blueGreen={"activeSelector": "a"}), PROGRESSING),
    ("switched", ROLLOUT, rollout({"blueGreen": {}}, blueGreen={"activeSelector": "b"}), HEALTHY),
    ("never seen", ROLLOUT, {"metadata": {"generation": 1}, "spec": {}}, PROGRESSING),
    ("succeeded", "argoproj.io/AnalysisRun", phase("Successful"), HEALTHY),
    ("failed", "argoproj.io/AnalysisRun", phase("Failed"), DEGRADED),
    ("can't tell", "argoproj.io/AnalysisRun", phase("Inconclusive"), UNKNOWN),
    ("runs", "argoproj.io/Experiment", phase("Running"), PROGRESSING),
    ("can be used", "snapshot.storage.k8s.io/VolumeSnapshot", {"status": {"readyToUse": True}}, HEALTHY),
    ("failed", "snapshot.storage.k8s.io/VolumeSnapshot", {"status": {"error": {"message": "x"}}}, DEGRADED),
    ("is taken", "snapshot.storage.k8s.io/VolumeSnapshot", {}, PROGRESSING),
    ("runs", VM, said(on("Ready")), HEALTHY),
    ("starts", VM, said(on("Ready", "False"), created=True), PROGRESSING),
    ("is off", VM, said(on("Ready", "False")), SUSPENDED),
    ("paused", VM, said(on("Ready"), on("Paused")), SUSPENDED),
    ("runs", VMI, said(on("Ready"), phase="Running"), HEALTHY),
    ("ended", VMI, said(phase="Succeeded"), SUSPENDED),
    ("failed", VMI, said(phase="Failed"), DEGRADED),
    ("hangs", VMI, said(on("Ready", "False"), phase="Running"), DEGRADED),
    ("runs", "monitoring.coreos.com/Prometheus", said(on("Available")), HEALTHY),
    (
        "starts",
        "monitoring.coreos.com/Prometheus",
        said(on("Available", "False", reason="SomePodsNotReady")),
        PROGRESSING,
    ),
    ("fails", "monitoring.coreos.com/Prometheus", said(on("Available", "False", reason="No")), DEGRADED),
    ("ready", "kafka.strimzi.io/KafkaTopic", said(on("Ready")), HEALTHY),
    ("begins", "kafka.strimzi.io/Kafka", said(on("NotReady", reason="Creating")), PROGRESSING),
    ("fails", "kafka.strimzi.io/Kafka", said(on("NotReady", reason="Error")), DEGRADED),
    ("scales", "keda.sh/ScaledObject", said(on("Ready")), HEALTHY),
    ("on its fallback", "keda.sh/ScaledObject", said(on("Ready"), on("Fallback")), DEGRADED),
    ("paused", "keda.sh/ScaledObject", said(on("Ready"), on("Paused")), SUSPENDED),
    (
        "undecided",
        "keda.sh/ScaledJob",
        {"kind": "ScaledJob", **said(on("Ready", "Unknown"))},
        DEGRADED,
    ),
]


@pytest.mark.parametrize(("state", "kind", "found", "expected"), CASES)
def test_an_object_is_judged_by_the_rules_of_its_kind(
    state: str, kind: str, found: dict[str, Any], expected: str
) -> None:
    health = judged(kind, found)
    assert health is not None
    assert health.status == expected, f"{kind} {state}"


@pytest.mark.parametrize("status", ["True", "False", "Unknown"])
@pytest.mark.parametrize("kind", [CERTIFICATE, SECRET, "bitnami.com/SealedSecret", GATEWAY, CLASS])
def test_what_a_condition_says_is_what_a_person_reads(kind: str, status: str) -> None:
    found = said(*(on(name, status, message="in its words") for name in ("Ready", "Synced", "Accepted")))
    health = judged(kind, found)
    assert health is not None
    if health.status == DEGRADED:
        assert "in its words" in health.message


RUNNING: dict[str, Any] = {"phase": "Running", "conditions": [on("Ready")]}
STUCK: dict[str, Any] = {
    "phase": "Running",
    "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "again"}}}],
}


@pytest.mark.parametrize(
    ("annotations", "status", "expected"),
    [
        ({}, RUNNING, PROGRESSING),
        ({"argocd.argoproj.io/ignore-restart-policy": "true"}, RUNNING, HEALTHY),
        ({"argocd.argoproj.io/ignore-restart-policy": "true"}, STUCK, DEGRADED),
        ({"argocd.argoproj.io/ignore-restart-policy": "yes"}, RUNNING, PROGRESSING),
        (
            {"argocd.argoproj.io/ignore-restart-policy": "true", "argocd.argoproj.io/hook": "PreSync"},
            RUNNING,
            PROGRESSING,
        ),
    ],
)
def test_a_pod_of_finite_life_can_ask_to_be_judged_as_one_that_runs_for_ever_but_a_hook_cannot(
    annotations: dict[str, str], status: dict[str, Any], expected: str
) -> None:
    found = {
        "metadata": {"annotations": annotations},
        "spec": {"restartPolicy": "Never"},
        "status": status,
    }
    health = check("", "Pod", found)
    assert health is not None
    assert health.status == expected
