"""Health by the cluster's settings, of objects that are live already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.applications import ClusterSettings

from .site import CONFIG_MAP, Agent, Site, config_map, resources

if TYPE_CHECKING:
    from collections.abc import Callable

BY_DATA = """
local data = obj.data or {}
return {status = data.state or "Healthy", message = data.says}
"""


def scripted(source: str, kind: str = "ConfigMap") -> ClusterSettings:
    return ClusterSettings(health={kind: {"lua": source}})


def healthy_as(status: str, message: str = "") -> Callable[[dict[str, Any]], bool]:
    expected = {"status": status, **({"message": message} if message else {})}
    return lambda document: document["health"] == expected


async def test_settings_that_come_judge_anew_what_is_live_already(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a", {"state": "Degraded", "says": "too hot"})])
    document = await agent.until_synced(app)
    assert "health" not in resources(document)["a"]
    agent.applications.configure(scripted(BY_DATA))
    document = await agent.until(app, healthy_as("Degraded", "too hot"))
    assert resources(document)["a"]["health"] == {"status": "Degraded", "message": "too hot"}
    agent.applications.configure(ClusterSettings())
    document = await agent.until(app, healthy_as("Healthy"))
    assert "health" not in resources(document)["a"]


async def test_a_script_judges_each_change_as_it_happens(agent: Agent, site: Site, app: str) -> None:
    agent.applications.configure(scripted(BY_DATA, "*/*"))
    agent.desire(app, [config_map("a")], sync={})
    agent.ask(app)
    await agent.until(app, healthy_as("Healthy"))
    await agent.until_watching(CONFIG_MAP)
    await site.edit(CONFIG_MAP, "a", {"data": {"state": "Suspended", "says": "by hand"}})
    await agent.until(app, healthy_as("Suspended", "by hand"))


async def test_a_script_that_fails_is_told_once_and_stops_nothing(agent: Agent, site: Site, app: str) -> None:
    agent.applications.configure(scripted("error('no idea', 0)"))
    agent.desire(app, [config_map("a")])
    document = await agent.until(app, lambda document: document["health"]["status"] == "Unknown")
    assert document["health"]["message"] == "health script of ConfigMap: no idea"
    agent.desire(app, [config_map("a", {"state": "other"})])
    document = await agent.until_synced(app)
    await agent.settle(app)
    said = len(agent.said)
    agent.refresh(app, hard=True)
    await agent.settle(app)
    assert len(agent.said) == said
    assert document["health"]["status"] == "Unknown"


async def test_settings_that_change_nothing_for_a_kind_leave_it_alone(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    await agent.until_watching(CONFIG_MAP)
    watched = agent.applications._around.watches.get(("", "ConfigMap"))
    assert watched is not None
    before = watched.task
    agent.applications.configure(scripted(BY_DATA, "example.com/Widget"))
    assert watched.task is before
    agent.applications.configure(scripted(BY_DATA))
    assert watched.task is not before
