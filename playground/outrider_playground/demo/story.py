"""The demo's story, played by itself: what a person would try, each step checked and measured."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from outrider_playground.demo.edge import Edge
from outrider_playground.demo.fleet import Fleet, healthy
from outrider_playground.waiting import eventually

SHOP = "shop/deployment.yaml"


@dataclass
class Step:
    """What one step showed."""

    step: str
    ok: bool
    seconds: float
    wan_bytes: int
    error: str = ""


@dataclass
class Report:
    """What the whole story showed."""

    ok: bool = True
    seconds: float = 0
    steps: list[Step] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it for one JSON object."""
        return asdict(self)


async def play(fleet: Fleet, say: Callable[[str], None]) -> Report:
    """Play every step; one that fails ends the story, since the next ones build on it."""
    report, began = Report(), time.monotonic()
    for name, act in STEPS.items():
        say(name)
        started, bytes_before, error = time.monotonic(), fleet.wan_bytes(), ""
        try:
            await act(fleet)
        except Exception as failure:  # noqa: BLE001 - whatever a step fails with is its result
            error = f"{type(failure).__name__}: {failure}"
        seconds = round(time.monotonic() - started, 2)
        report.steps.append(Step(name, not error, seconds, fleet.wan_bytes() - bytes_before, error))
        if error:
            report.ok = False
            break
    report.seconds = round(time.monotonic() - began, 2)
    return report


def _all_healthy(known: dict[str, dict[str, Any]]) -> bool:
    return bool(known) and all(healthy(item) for item in known.values())


async def _deploy(fleet: Fleet) -> None:
    await fleet.until(_all_healthy, 40)
    for edge in fleet.edges:
        for app, deployment in (("shop", "shop"), ("till", "demo-till"), ("signage", f"signage-{edge.name}")):
            if not edge.image(app, deployment):
                raise AssertionError(f"{edge.name} does not run {deployment}")


async def _commit(fleet: Fleet) -> None:
    revision = await fleet.commit(SHOP, ":1.0", ":1.1", "Shop 1.1")
    await _runs(fleet, "1.1", [edge.name for edge in fleet.edges])
    await fleet.until(
        lambda known: (
            _all_healthy(known)
            and all(known[f"shop-{edge.name}"]["revision"] == revision for edge in fleet.edges)
        )
    )


async def _runs(fleet: Fleet, tag: str, names: list[str]) -> None:
    await eventually(lambda: all(fleet.edge(n).image("shop", "shop").endswith(f":{tag}") for n in names), 30)


async def _drift(fleet: Fleet) -> None:
    await _edited_and_healed(fleet.edges[0])


async def _edited_and_healed(edge: Edge) -> None:
    menu = edge.cluster.get("ConfigMap", "menu", "shop")
    if menu is None:
        raise AssertionError(f"{edge.name} has no ConfigMap to edit")
    edge.cluster.edit(menu, {"data": {"greeting": "Closed"}}, "kubectl-edit")
    await eventually(lambda: edge.cluster.read(menu)["data"]["greeting"] == "Welcome", 10)


async def _cut(fleet: Fleet) -> None:
    away = fleet.edges[1]
    shop = f"shop-{away.name}"
    await away.link.cut()
    await fleet.until(lambda known: known[shop]["presence"] == "offline")
    await fleet.commit(SHOP, ":1.1", ":1.2", "Shop 1.2")
    await _runs(fleet, "1.2", [edge.name for edge in fleet.edges if edge is not away])
    await _edited_and_healed(away)
    await fleet.until(lambda known: known[shop]["freshness"] == "offline" and not known[shop]["delivered"])
    await away.link.restore()
    await _runs(fleet, "1.2", [away.name])
    await fleet.until(_all_healthy)


async def _break(fleet: Fleet) -> None:
    await fleet.commit(SHOP, ":1.2", ":broken", "A broken image")
    await fleet.until(
        lambda known: all(known[f"shop-{edge.name}"]["health"] == "Degraded" for edge in fleet.edges), 30
    )
    await fleet.commit(SHOP, ":broken", ":1.3", "Shop 1.3")
    await fleet.until(_all_healthy)


async def _kill(fleet: Fleet) -> None:
    edge = fleet.edges[2]
    await edge.agent.kill()
    await fleet.commit(SHOP, ":1.3", ":1.4", "Shop 1.4")
    await edge.agent.start()
    await _runs(fleet, "1.4", [one.name for one in fleet.edges])
    await fleet.until(_all_healthy)


async def _refuse(fleet: Fleet) -> None:
    """A commit that can't be rendered: the error is shown, what runs goes on running."""
    await fleet.commit("till/kustomization.yaml", "deployment.yaml, ", "missing.yaml, ", "A mistake")
    name = f"till-{fleet.edges[0].name}"
    await fleet.until(lambda known: "missing.yaml" in known[name]["message"])
    if not fleet.edges[0].image("till", "demo-till"):
        raise AssertionError("a commit with a mistake took away what ran")
    await fleet.commit("till/kustomization.yaml", "missing.yaml, ", "deployment.yaml, ", "Undo")
    await fleet.until(_all_healthy)


async def _remove(fleet: Fleet) -> None:
    edge = fleet.edges[-1]
    await fleet.hub.outrider("app", "delete", f"signage-{edge.name}")
    await eventually(lambda: not edge.image("signage", f"signage-{edge.name}"), 15)
    await fleet.until(lambda known: f"signage-{edge.name}" not in known)


STEPS: dict[str, Callable[[Fleet], Awaitable[None]]] = {
    "three applications reach every edge": _deploy,
    "a commit reaches every edge": _commit,
    "an edit by hand is healed": _drift,
    "an edge that is cut off heals drift, and catches up when it returns": _cut,
    "a broken image is seen, and mended by the next commit": _break,
    "an agent that is killed goes on where it was": _kill,
    "a commit that can't be rendered is named and changes nothing": _refuse,
    "an application that is deleted goes with its objects": _remove,
}
