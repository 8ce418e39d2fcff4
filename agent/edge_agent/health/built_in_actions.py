"""The agent's own actions, by kind: which an object has, in the state that it is in, and what each makes of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from edge_agent.health.model import conditions, section

Object = dict[str, Any]
Made = tuple[Literal["create", "patch"], Object]
Act = Callable[[Mapping[str, Any], Mapping[str, str], datetime], Made]

# As kubectl's rollout restart sets it, so that both are seen as the same thing.
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
RECONCILE_AT = "reconcile.fluxcd.io/requestedAt"


class CantAct(Exception):
    """What was asked makes no sense; the message says what would."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An action, as it is offered."""

    name: str
    disabled: bool = False
    display_name: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    """Name and default of each."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a kind. `usable` says whether it can be done to an object as it is; None: it isn't even
    offered.
    """

    act: Act
    usable: Callable[[Mapping[str, Any]], bool | None] = lambda live: True
    name: str = ""
    display_name: str = ""
    parameters: tuple[str, ...] = ()

    def offer(self, live: Mapping[str, Any]) -> Offer | None:
        """Return how it is offered for an object."""
        usable = self.usable(live)
        if usable is None:
            return None
        return Offer(
            self.name,
            disabled=not usable,
            display_name=self.display_name,
            parameters=tuple((name, "") for name in self.parameters),
        )


def built_in_actions(group: str, kind: str) -> dict[str, Action]:
    """Return a kind's actions by name."""
    return {action.name: action for action in _ACTIONS.get((group, kind), ())}


def _patching(
    name: str,
    change: Callable[[Object, Mapping[str, str], datetime], None],
    usable: Callable[[Mapping[str, Any]], bool | None] = lambda live: True,
    display_name: str = "",
    parameters: tuple[str, ...] = (),
) -> Action:
    def act(live: Mapping[str, Any], given: Mapping[str, str], now: datetime) -> Made:
        changed = copy.deepcopy(dict(live))
        change(changed, given, now)
        return "patch", changed

    return Action(act, usable, name, display_name, parameters)


def _part(found: Object, *steps: str) -> Object:
    """Return a part of an object, made where there is none."""
    for step in steps:
        if not isinstance(found.get(step), dict):
            found[step] = {}
        found = found[step]
    return found


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _restart(live: Object, _: Mapping[str, str], now: datetime) -> None:
    _part(live, "spec", "template", "metadata", "annotations")[RESTARTED_AT] = _stamp(now)


def _scale(live: Object, given: Mapping[str, str], _: datetime) -> None:
    wanted = str(given.get("replicas", ""))
    if not wanted.isascii() or not wanted.isdigit():
        raise CantAct(f"scale needs the parameter replicas, a whole number, not {wanted!r}")
    _part(live, "spec")["replicas"] = int(wanted)


def _setting(field: str, value: bool | None) -> Callable[[Object, Mapping[str, str], datetime], None]:
    def change(live: Object, _: Mapping[str, str], __: datetime) -> None:
        spec = _part(live, "spec")
        if value is None:
            spec.pop(field, None)
        else:
            spec[field] = value

    return change


def _annotating(name: str) -> Callable[[Object, Mapping[str, str], datetime], None]:
    def change(live: Object, _: Mapping[str, str], now: datetime) -> None:
        _part(live, "metadata", "annotations")[name] = _stamp(now)

    return change


def _is_set(field: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda live: section(live, "spec").get(field) is True


def _is_unset(field: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda live: section(live, "spec").get(field) is not True


def _only(usable: Callable[[Mapping[str, Any]], bool]) -> Callable[[Mapping[str, Any]], bool | None]:
    """Offer an action only where it can be done."""
    return lambda live: True if usable(live) else None


# Jobs

_OVER = ("Complete", "Failed", "FailureTarget", "SuccessCriteriaMet")


def _goes_on(live: Mapping[str, Any]) -> bool:
    found = conditions(live)
    return not any(found.get(kind, {}).get("status") == "True" for kind in _OVER)


def _terminate(live: Object, _: Mapping[str, str], now: datetime) -> None:
    status = _part(live, "status")
    status["conditions"] = [
        *(status.get("conditions") or ()),
        {
            "type": "FailureTarget",
            "status": "True",
            "reason": "ManuallyTerminated",
            "message": "ended by a person",
            "lastTransitionTime": _stamp(now),
        },
    ]


def _create_job(live: Mapping[str, Any], _: Mapping[str, str], now: datetime) -> Made:
    template, metadata = section(section(live, "spec"), "jobTemplate"), section(live, "metadata")
    about = copy.deepcopy(dict(section(template, "metadata")))
    about["name"] = f"{str(metadata.get('name'))[:52]}-{now.astimezone(UTC):%y%m%d%H%M}"
    about["namespace"] = metadata.get("namespace")
    about["annotations"] = {
        **(about.get("annotations") or {}),
        "cronjob.kubernetes.io/instantiate": "manual",
    }
    about["ownerReferences"] = [
        {
            "apiVersion": live.get("apiVersion"),
            "kind": live.get("kind"),
            "name": metadata.get("name"),
            "uid": metadata.get("uid"),
            "blockOwnerDeletion": True,
            "controller": True,
        }
    ]
    spec = copy.deepcopy(dict(section(template, "spec")))
    return "create", {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": spec}


# Rollouts


def _status(live: Mapping[str, Any]) -> Mapping[str, Any]:
    return section(live, "status")


def _is_promoted(live: Mapping[str, Any]) -> bool:
    return _status(live).get("currentPodHash") == _status(live).get("stableRS")


def _is_paused(live: Mapping[str, Any]) -> bool:
    if _status(live).get("pauseConditions") is not None:
        return bool(_status(live)["pauseConditions"])
    return section(live, "spec").get("paused") is True


def _is_aborted(live: Mapping[str, Any]) -> bool:
    return bool(_status(live).get("abort"))


def _steps(live: Mapping[str, Any]) -> int | None:
    steps = section(section(section(live, "spec"), "strategy"), "canary").get("steps")
    return len(steps) if isinstance(steps, list) else None


def _is_before_0_10(live: Mapping[str, Any]) -> bool:
    """Say whether the controller is of a time when it couldn't be told to promote in full."""
    observed = str(_status(live).get("observedGeneration") or "")
    generation = int(section(live, "metadata").get("generation") or 0)
    return not observed.isdigit() or int(observed) > generation


def _can_promote(live: Mapping[str, Any]) -> bool:
    if not _status(live) or _is_promoted(live):
        return False
    blue_green = section(section(live, "spec"), "strategy").get("blueGreen") is not None
    return not (_is_before_0_10(live) and blue_green)


def _resume_rollout(live: Object, _: Mapping[str, str], __: datetime) -> None:
    if _status(live).get("pauseConditions"):
        del live["status"]["pauseConditions"]
    if section(live, "spec").get("paused"):
        live["spec"]["paused"] = False


def _abort(live: Object, _: Mapping[str, str], __: datetime) -> None:
    _part(live, "status")["abort"] = True


def _retry(live: Object, _: Mapping[str, str], __: datetime) -> None:
    _part(live, "status").pop("abort", None)


def _promote(live: Object, _: Mapping[str, str], __: datetime) -> None:
    status = _part(live, "status")
    if not _is_before_0_10(live):
        status["promoteFull"] = True
        return
    status.pop("abort", None)
    steps = _steps(live)
    if steps is not None:
        status["currentStepIndex"] = steps


def _skip_step(live: Object, _: Mapping[str, str], __: datetime) -> None:
    status = _part(live, "status")
    status.pop("pauseConditions", None)
    status["currentStepIndex"] = int(status.get("currentStepIndex") or 0) + 1


def _restart_rollout(live: Object, _: Mapping[str, str], now: datetime) -> None:
    _part(live, "spec")["restartAt"] = _stamp(now)


_ROLLOUT = (
    _patching("restart", _restart_rollout, display_name="Restart Pods"),
    _patching("resume", _resume_rollout, _is_paused),
    _patching("abort", _abort, lambda live: not (_is_promoted(live) or _is_aborted(live))),
    _patching("retry", _retry, lambda live: not _is_promoted(live) and _is_aborted(live)),
    _patching(
        "pause",
        _setting("paused", True),
        lambda live: not (_is_promoted(live) or _is_aborted(live)) and _is_unset("paused")(live),
    ),
    _patching("promote-full", _promote, _can_promote),
    _patching(
        "skip-current-step",
        _skip_step,
        lambda live: _steps(live) is not None and _status(live).get("currentStepIndex") != _steps(live),
    ),
)

_SUSPEND = _patching("suspend", _setting("suspend", True), _is_unset("suspend"))
_RESUME = _patching("resume", _setting("suspend", False), _is_set("suspend"))
_FLUX = (_SUSPEND, _RESUME, _patching("reconcile", _annotating(RECONCILE_AT), _is_unset("suspend")))
_WORKLOAD = (_patching("restart", _restart), _patching("scale", _scale, parameters=("replicas",)))
_REFRESH = (_patching("refresh", _annotating("force-sync")),)

_ACTIONS: Mapping[tuple[str, str], tuple[Action, ...]] = {
    ("apps", "Deployment"): (
        *_WORKLOAD,
        _patching("pause", _setting("paused", True), _is_unset("paused")),
        _patching("resume", _setting("paused", None), _is_set("paused")),
    ),
    ("apps", "StatefulSet"): _WORKLOAD,
    ("apps", "DaemonSet"): (_patching("restart", _restart),),
    ("batch", "CronJob"): (
        Action(_create_job, name="create-job", display_name="Create Job"),
        _patching("suspend", _setting("suspend", True), _only(_is_unset("suspend"))),
        _patching("resume", _setting("suspend", False), _only(_is_set("suspend"))),
    ),
    ("batch", "Job"): (
        _patching(
            "suspend",
            _setting("suspend", True),
            _only(lambda live: _goes_on(live) and _is_unset("suspend")(live)),
        ),
        _patching(
            "resume",
            _setting("suspend", False),
            _only(lambda live: _goes_on(live) and _is_set("suspend")(live)),
        ),
        _patching(
            "terminate", _terminate, _only(lambda live: _goes_on(live) and live.get("status") is not None)
        ),
    ),
    ("argoproj.io", "Rollout"): _ROLLOUT,
    ("external-secrets.io", "ExternalSecret"): _REFRESH,
    ("helm.toolkit.fluxcd.io", "HelmRelease"): _FLUX,
    ("image.toolkit.fluxcd.io", "ImageRepository"): _FLUX,
    ("image.toolkit.fluxcd.io", "ImageUpdateAutomation"): _FLUX,
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): _FLUX,
    ("notification.toolkit.fluxcd.io", "Receiver"): _FLUX,
    ("source.toolkit.fluxcd.io", "Bucket"): _FLUX,
    ("source.toolkit.fluxcd.io", "GitRepository"): _FLUX,
    ("source.toolkit.fluxcd.io", "HelmChart"): _FLUX,
    ("source.toolkit.fluxcd.io", "HelmRepository"): _FLUX,
    ("source.toolkit.fluxcd.io", "OCIRepository"): _FLUX,
}
