"""What becomes of a pod's containers, told by the tags of their images."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..settings import Settings
    from ..state import State
    from ..values import Manifest


class Fate(Enum):
    """How a pod will do."""

    RUNS = "runs"
    SUCCEEDS = "succeeds"
    FAILS = "fails"
    CRASHES = "crashes"
    BROKEN = "broken"
    WAITS = "waits"


def _tag(image: str) -> str:
    return image.rpartition("/")[2].partition("@")[0].partition(":")[2]


def fate_of(spec: dict[str, Any], settings: Settings) -> Fate:
    """Tell how a pod with this spec will do, once it has all it needs."""
    tags = [
        _tag(each.get("image", ""))
        for kind in ("initContainers", "containers")
        for each in spec.get(kind) or ()
    ]
    if any(settings.broken_tag in tag for tag in tags):
        return Fate.BROKEN
    fails = any(settings.failing_tag in tag for tag in tags)
    if spec.get("restartPolicy") in {"Never", "OnFailure"}:
        if fails:
            return Fate.FAILS if spec["restartPolicy"] == "Never" else Fate.CRASHES
        return Fate.SUCCEEDS
    return Fate.CRASHES if fails else Fate.RUNS


def container_statuses(
    pod: Manifest, settings: Settings, now: str, missing: str, *, ended: bool = False
) -> list[dict[str, Any]]:
    """Report on the containers of a pod. `missing` names what it waits for."""
    fate = fate_of(pod["spec"], settings)
    before = {each["name"]: each for each in pod["status"].get("containerStatuses") or ()}
    return [
        _status(container, before.get(container["name"]), fate, now, missing, ended=ended)
        for container in pod["spec"].get("containers") or ()
    ]


def _status(
    container: dict[str, Any],
    before: dict[str, Any] | None,
    fate: Fate,
    now: str,
    missing: str,
    *,
    ended: bool,
) -> dict[str, Any]:
    image = container.get("image", "")
    status = {
        "name": container["name"],
        "image": image,
        "imageID": "",
        "restartCount": 0,
        "ready": False,
        "started": False,
    }
    if missing:
        return {**status, "state": _waiting("CreateContainerConfigError", missing)}
    if fate is Fate.BROKEN:
        return {**status, "state": _waiting("ImagePullBackOff", f'Back-off pulling image "{image}"')}
    if fate is Fate.CRASHES:
        text = f"back-off restarting failed container={container['name']}"
        return {
            **status,
            "restartCount": 1,
            "imageID": f"simulated://{image}",
            "state": _waiting("CrashLoopBackOff", text),
        }
    started = ((before or {}).get("state", {}).get("running") or {}).get("startedAt", now)
    status |= {"imageID": f"simulated://{image}", "containerID": f"simulated://{container['name']}"}
    if ended:
        code, reason = (1, "Error") if fate is Fate.FAILS else (0, "Completed")
        over = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now}
        return {**status, "state": {"terminated": over}}
    return {**status, "ready": True, "started": True, "state": {"running": {"startedAt": started}}}


def _waiting(reason: str, message: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def missing_configuration(state: State, pod: Manifest) -> str:
    """Name the first ConfigMap or Secret that a pod needs and that is not there, or return ""."""
    namespace = pod["metadata"]["namespace"]
    for plural, name in _needed(pod["spec"]):
        if state.store.get(("", plural), (namespace, name)) is None:
            return f'{plural.removesuffix("s")} "{name}" not found'
    return ""


def _needed(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for volume in spec.get("volumes") or ():
        yield from _reference("configmaps", volume.get("configMap"))
        yield from _reference("secrets", volume.get("secret"), "secretName")
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        for source in container.get("envFrom") or ():
            yield from _reference("configmaps", source.get("configMapRef"))
            yield from _reference("secrets", source.get("secretRef"))
        for variable in container.get("env") or ():
            value = variable.get("valueFrom") or {}
            yield from _reference("configmaps", value.get("configMapKeyRef"))
            yield from _reference("secrets", value.get("secretKeyRef"))


def _reference(plural: str, found: dict[str, Any] | None, key: str = "name") -> Iterator[tuple[str, str]]:
    if found and found.get(key) and not found.get("optional"):
        yield plural, found[key]
