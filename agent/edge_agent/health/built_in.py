"""Which kind is judged by which of the agent's own checks.

What every cluster has is imported with this module; what comes with an operator when the first object of its
kind is judged.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

from edge_agent.health.cron_job import cron_job
from edge_agent.health.custom_resource_definition import custom_resource_definition
from edge_agent.health.daemon_set import daemon_set
from edge_agent.health.deployment import deployment
from edge_agent.health.ingress import ingress
from edge_agent.health.job import job
from edge_agent.health.model import Health
from edge_agent.health.persistent_volume_claim import persistent_volume_claim
from edge_agent.health.pod import pod
from edge_agent.health.pod_disruption_budget import pod_disruption_budget
from edge_agent.health.replica_set import replica_set
from edge_agent.health.service import service
from edge_agent.health.stateful_set import stateful_set

Check = Callable[[Mapping[str, Any]], Health]

_COMMON: Mapping[tuple[str, str], Check] = {
    ("", "PersistentVolumeClaim"): persistent_volume_claim,
    ("", "Pod"): pod,
    ("", "Service"): service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): custom_resource_definition,
    ("apps", "DaemonSet"): daemon_set,
    ("apps", "Deployment"): deployment,
    ("apps", "ReplicaSet"): replica_set,
    ("apps", "StatefulSet"): stateful_set,
    ("batch", "CronJob"): cron_job,
    ("batch", "Job"): job,
    ("extensions", "Ingress"): ingress,
    ("networking.k8s.io", "Ingress"): ingress,
    ("policy", "PodDisruptionBudget"): pod_disruption_budget,
}

_RARE: Mapping[str, tuple[str, ...]] = {
    # Module, whose function is called as it is: the kinds that it judges.
    "analysis_run": ("argoproj.io/AnalysisRun", "argoproj.io/Experiment"),
    "api_service": ("apiregistration.k8s.io/APIService",),
    "backend_tls_policy": ("gateway.networking.k8s.io/BackendTLSPolicy",),
    "certificate": ("cert-manager.io/Certificate", "certmanager.k8s.io/Certificate"),
    "cluster_external_secret": ("external-secrets.io/ClusterExternalSecret",),
    "flux": (
        "helm.toolkit.fluxcd.io/HelmRelease",
        "image.toolkit.fluxcd.io/ImagePolicy",
        "image.toolkit.fluxcd.io/ImageRepository",
        "image.toolkit.fluxcd.io/ImageUpdateAutomation",
        "kustomize.toolkit.fluxcd.io/Kustomization",
        "notification.toolkit.fluxcd.io/Receiver",
        "source.toolkit.fluxcd.io/Bucket",
        "source.toolkit.fluxcd.io/GitRepository",
        "source.toolkit.fluxcd.io/HelmChart",
        "source.toolkit.fluxcd.io/HelmRepository",
        "source.toolkit.fluxcd.io/OCIRepository",
    ),
    "gateway": ("gateway.networking.k8s.io/Gateway",),
    "gateway_class": ("gateway.networking.k8s.io/GatewayClass",),
    "horizontal_pod_autoscaler": ("autoscaling/HorizontalPodAutoscaler",),
    "prometheus": ("monitoring.coreos.com/Prometheus", "monitoring.coreos.com/Alertmanager"),
    "ready": (
        "cert-manager.io/ClusterIssuer",
        "cert-manager.io/Issuer",
        "certmanager.k8s.io/ClusterIssuer",
        "certmanager.k8s.io/Issuer",
        "external-secrets.io/ClusterSecretStore",
        "external-secrets.io/ExternalSecret",
        "external-secrets.io/PushSecret",
        "external-secrets.io/SecretStore",
        "kyverno.io/ClusterPolicy",
        "kyverno.io/Policy",
        "onepassword.com/OnePasswordItem",
    ),
    "rollout": ("argoproj.io/Rollout",),
    "route": (
        "gateway.networking.k8s.io/GRPCRoute",
        "gateway.networking.k8s.io/HTTPRoute",
        "gateway.networking.k8s.io/TCPRoute",
        "gateway.networking.k8s.io/TLSRoute",
        "gateway.networking.k8s.io/UDPRoute",
    ),
    "scaled_object": ("keda.sh/ScaledJob", "keda.sh/ScaledObject"),
    "sealed_secret": ("bitnami.com/SealedSecret",),
    "strimzi": (
        "kafka.strimzi.io/Kafka",
        "kafka.strimzi.io/KafkaBridge",
        "kafka.strimzi.io/KafkaConnect",
        "kafka.strimzi.io/KafkaConnector",
        "kafka.strimzi.io/KafkaTopic",
        "kafka.strimzi.io/KafkaUser",
    ),
    "virtual_machine": ("kubevirt.io/VirtualMachine",),
    "virtual_machine_instance": ("kubevirt.io/VirtualMachineInstance",),
    "volume_snapshot": (
        "snapshot.storage.k8s.io/VolumeSnapshot",
        "snapshot.storage.k8s.io/VolumeSnapshotContent",
    ),
    "workflow": ("argoproj.io/Workflow",),
}

_MODULE_OF = {kind: module for module, kinds in _RARE.items() for kind in kinds}


def built_in(group: str, kind: str) -> Check | None:
    """Return the agent's own check of a kind."""
    found = _COMMON.get((group, kind))
    if found is None and (module := _MODULE_OF.get(f"{group}/{kind}")) is not None:
        return _load(module)
    return found


def kinds() -> list[str]:
    """Return every kind with a check of the agent's own, as `<group>/<Kind>`."""
    return sorted([*(f"{group}/{kind}".lstrip("/") for group, kind in _COMMON), *_MODULE_OF])


@cache
def _load(module: str) -> Check:
    return cast("Check", getattr(importlib.import_module(f"edge_agent.health.{module}"), module))
