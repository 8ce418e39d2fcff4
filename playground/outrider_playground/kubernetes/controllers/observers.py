"""Kinds that only report: autoscalers, disruption budgets, API services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..resources import builtin
from ..selectors import from_label_selector, matches
from .actor import Actor
from .conditions import with_condition
from .loop import Controller
from .pod_state import is_ready
from .replica_set import PODS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..state import State
    from ..store import Change, Key
    from ..values import Manifest

AUTOSCALERS: Final = builtin("autoscaling/v2", "HorizontalPodAutoscaler")
BUDGETS: Final = builtin("policy/v1", "PodDisruptionBudget")
API_SERVICES: Final = builtin("apiregistration.k8s.io/v1", "APIService")


class ObserverController(Controller):
    """Writes the status of kinds that nothing else depends on. Autoscalers never scale: they report that all is as it should be."""

    watches = (AUTOSCALERS.storage, BUDGETS.storage, API_SERVICES.storage)

    def __init__(self, state: State) -> None:
        self._state = state
        self._actor = Actor(state)

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the object with its resource in place of the namespace: three kinds share this controller."""
        return [("/".join((*change.storage, change.key[0])), change.key[1])]

    def reconcile(self, key: Key) -> float | None:
        """Report on one object."""
        group, plural, namespace = key[0].split("/")
        resource = next(
            each for each in (AUTOSCALERS, BUDGETS, API_SERVICES) if each.storage == (group, plural)
        )
        live = self._state.store.get(resource.storage, (namespace, key[1]))
        if live is not None:
            report = {AUTOSCALERS: self._autoscaler, BUDGETS: self._budget, API_SERVICES: self._service}[
                resource
            ]
            self._actor.update_status(resource, live, report(live))
        return None

    def _autoscaler(self, live: Manifest) -> dict[str, Any]:
        target = live["spec"]["scaleTargetRef"]
        found = self._state.catalog.of_kind(target.get("apiVersion", "apps/v1"), target.get("kind", ""))
        key = (live["metadata"]["namespace"], target.get("name", ""))
        scaled = self._state.store.get(found.storage, key) if found is not None else None
        if scaled is None:
            made = _made(
                "AbleToScale",
                False,
                "FailedGetScale",
                "the HPA controller was unable to get the target's current scale",
            )
            return {**live["status"], "conditions": self._with(live, made)}
        replicas = scaled["spec"].get("replicas", 1)
        conditions = live["status"].get("conditions")
        for made in (
            _made("AbleToScale", True, "ReadyForNewScale", "recommended size matches current size"),
            _made(
                "ScalingActive",
                True,
                "ValidMetricFound",
                "the HPA was able to successfully calculate a replica count",
            ),
            _made(
                "ScalingLimited",
                False,
                "DesiredWithinRange",
                "the desired count is within the acceptable range",
            ),
        ):
            conditions = with_condition(conditions, made, self._state.now())
        return {"currentReplicas": replicas, "desiredReplicas": replicas, "conditions": conditions}

    def _budget(self, live: Manifest) -> dict[str, Any]:
        selector = from_label_selector(live["spec"].get("selector"))
        pods = [
            pod
            for pod in self._state.store.listed(PODS.storage, live["metadata"]["namespace"])
            if matches(selector, pod["metadata"].get("labels"))
        ]
        healthy = sum(1 for pod in pods if is_ready(pod))
        made = _made(
            "DisruptionAllowed", healthy > 0, "SufficientPods" if healthy else "InsufficientPods", ""
        )
        return {
            "observedGeneration": live["metadata"]["generation"],
            "expectedPods": len(pods),
            "currentHealthy": healthy,
            "desiredHealthy": max(len(pods) - 1, 0),
            "disruptionsAllowed": min(healthy, 1),
            "conditions": self._with(live, made),
        }

    def _service(self, live: Manifest) -> dict[str, Any]:
        return {
            "conditions": self._with(
                live, _made("Available", True, "Local", "Local APIServices are always available")
            )
        }

    def _with(self, live: Manifest, made: dict[str, Any]) -> Any:
        return with_condition(live["status"].get("conditions"), made, self._state.now())


def _made(kind: str, status: bool, reason: str, message: str) -> dict[str, Any]:
    return {"type": kind, "status": "True" if status else "False", "reason": reason, "message": message}
