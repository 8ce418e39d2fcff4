"""What happened beside the recorded requests, as the notes of the scenarios tell: before a step, or while it ran."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .targets import NAMESPACE, Target

Happening = Callable[[Target], Awaitable[None]]

_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
_MERGE = "application/merge-patch+json"


def _map(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        "data": {"a": "1"},
    }


async def _five_labelled(target: Target) -> None:
    for number, app in enumerate("aaabb"):
        target.tell_time(2 if app == "b" else 1)
        await target.must("POST", _MAPS, _map(f"sel-{number}", labels={"app": app, "n": str(number)}))


async def _life_of_w1(target: Target) -> None:
    await target.must("POST", _MAPS, _map("w1", labels={"w": "1"}))
    await target.must("PATCH", f"{_MAPS}/w1", {"data": {"a": "2"}}, _MERGE)
    await target.must("PATCH", f"{_MAPS}/w1", {"metadata": {"labels": {"w": None}}}, _MERGE)
    await target.must("PATCH", f"{_MAPS}/w1", {"metadata": {"labels": {"w": "1"}}}, _MERGE)
    await target.must("DELETE", f"{_MAPS}/w1")


async def _w2(target: Target) -> None:
    target.tell_time(2)
    await target.must("POST", _MAPS, _map("w2", labels={"w": "2"}))


async def _w2_patched(target: Target) -> None:
    await target.must("PATCH", f"{_MAPS}/w2", {"data": {"a": "9"}}, _MERGE)


def _family(number: int) -> Happening:
    async def make(target: Target) -> None:
        owner = await target.must("POST", _MAPS, _map(f"owner{number}"))
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": f"owner{number}",
            "uid": owner["metadata"]["uid"],
        }
        await target.must("POST", _MAPS, _map(f"child{number}", ownerReferences=[reference]))

    return make


async def _held_inside(target: Target) -> None:
    await target.must(
        "POST", "/api/v1/namespaces/golden-ns/configmaps", _map("held", finalizers=["example.com/hold"])
    )


async def _let_go_inside(target: Target) -> None:
    path = "/api/v1/namespaces/golden-ns/configmaps/held"
    await target.must("PATCH", path, {"metadata": {"finalizers": None}}, _MERGE)


async def _pods_ready(target: Target) -> None:
    target.tell_time(2)
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    listed = await target.must("GET", f"{pods}?labelSelector=app%3Dwl")
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:02Z"}
    status = {"status": {"phase": "Running", "conditions": [ready]}}
    for pod in listed["items"]:
        await target.must("PATCH", f"{pods}/{pod['metadata']['name']}/status", status, _MERGE)


BEFORE: dict[tuple[str, int], Happening] = {
    ("06-list-and-select", 0): _five_labelled,
    ("07-watch", 2): _w2,
    ("08-deletion", 12): _family(2),
    ("08-deletion", 14): _family(3),
    ("09-namespaces", 1): _held_inside,
    ("09-namespaces", 3): _let_go_inside,
    ("11-workloads", 4): _pods_ready,
}

MEANWHILE: dict[tuple[str, int], Happening] = {
    ("07-watch", 1): _life_of_w1,
    ("07-watch", 3): _w2_patched,
}
