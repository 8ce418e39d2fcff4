"""Kinds that a bundle brings with it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from edge_agent.cluster import Kind

from .site import DEFINITION, Agent, Site, config_map, failed, resources, results, synced


def definition(group: str, scope: str = "Namespaced") -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1}}}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


def widget(group: str, name: str = "w", size: int = 1) -> dict[str, Any]:
    return {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"size": size}}


@pytest.fixture
def group() -> str:
    return f"x{uuid.uuid4().hex[:8]}.example.com"


async def test_a_definition_and_its_objects_come_in_one_sync(
    agent: Agent, site: Site, app: str, group: str
) -> None:
    agent.desire(app, [widget(group), config_map("a"), definition(group)])
    try:
        document = await agent.until_synced(app)
        assert results(document)["w"] == ("Synced", "created")
        assert resources(document)[f"widgets.{group}"]["health"] == {"status": "Healthy"}
        assert "health" not in resources(document)["w"]
        kind = Kind(group, "v1", "Widget")
        assert await site.get(kind, "w")
        await site.edit(kind, "w", {"spec": {"size": 9}})
        assert await site.until(kind, "w", lambda live: live and live["spec"]["size"] == 1)
    finally:
        await site.delete(DEFINITION, f"widgets.{group}", "")


async def test_a_cluster_scoped_kind_of_the_bundle_gets_no_namespace(
    agent: Agent, site: Site, app: str, group: str
) -> None:
    agent.desire(app, [widget(group), definition(group, "Cluster")])
    try:
        document = await agent.until_synced(app)
        assert resources(document)["w"]["namespace"] == ""
        assert await site.get(Kind(group, "v1", "Widget"), "w", "")
    finally:
        await site.delete(DEFINITION, f"widgets.{group}", "")


async def test_an_invalid_custom_resource_fails_the_sync_by_its_field(
    agent: Agent, site: Site, app: str, group: str
) -> None:
    agent.desire(app, [widget(group, size=0), definition(group)])
    try:
        document = await agent.until(app, failed)
        assert "spec.size" in results(document)["w"][1]
    finally:
        await site.delete(DEFINITION, f"widgets.{group}", "")


async def test_a_definition_that_comes_from_elsewhere_lets_a_failed_sync_succeed(
    agent: Agent, site: Site, app: str, group: str
) -> None:
    sync = {"automated": {}, "retry": {"limit": -1, "backoff": {"duration": "50ms", "maxDuration": "200ms"}}}
    agent.desire(app, [widget(group)], sync=sync)
    document = await agent.until(app, failed)
    assert "CustomResourceDefinition" in results(document)["w"][1]
    await site.create(definition(group), "")
    try:
        await agent.until_synced(app)
    finally:
        await site.delete(DEFINITION, f"widgets.{group}", "")


async def test_a_definition_that_was_deleted_comes_back_with_its_objects(
    agent: Agent, site: Site, app: str, group: str
) -> None:
    agent.desire(app, [widget(group), definition(group)])
    try:
        await agent.until_synced(app)
        before = await site.get(DEFINITION, f"widgets.{group}", "")
        assert before
        await site.delete(DEFINITION, f"widgets.{group}", "")
        await site.until(
            DEFINITION,
            f"widgets.{group}",
            lambda live: live and live["metadata"]["uid"] != before["metadata"]["uid"],
            "",
        )
        await agent.until(
            app, lambda document: synced(document) and "health" in resources(document)[f"widgets.{group}"]
        )
        assert await site.until(Kind(group, "v1", "Widget"), "w", lambda live: live is not None)
    finally:
        await site.delete(DEFINITION, f"widgets.{group}", "")


async def test_applications_may_speak_different_versions_of_a_kind(
    agent: Agent, site: Site, app: str, group: str
) -> None:
    both = definition(group)
    (first,) = both["spec"]["versions"]
    both["spec"]["versions"] = [first, {**first, "name": "v2", "storage": False}]
    newer = widget(group, "newer") | {"apiVersion": f"{group}/v2"}
    old, new = f"{app}-old", f"{app}-new"
    agent.desire(old, [both, widget(group, "older")])
    try:
        await agent.until(old, synced)
        agent.desire(new, [newer])
        document = await agent.until(new, synced)
        assert resources(document)["newer"]["version"] == "v2"
        kind = Kind(group, "v1", "Widget")
        for name in ("older", "newer"):
            await site.edit(kind, name, {"spec": {"size": 9}})
            assert await site.until(kind, name, lambda live: live and live["spec"]["size"] == 1)
        for name in (old, new):
            await agent.until(name, synced)
            await agent.settle(name)
        asked = agent.cluster.requests
        # The older version is left behind: its watch gives way to one in the newer.
        agent.desire(old, [both, widget(group, "older") | {"apiVersion": f"{group}/v2"}])
        await agent.until_synced(old)
        await agent.until_watching(Kind(group, "v2", "Widget"))
        await agent.settle(new)
        assert agent.cluster.requests - asked < 30
        for name in ("older", "newer"):
            await site.edit(kind, name, {"spec": {"size": 9}})
            assert await site.until(kind, name, lambda live: live and live["spec"]["size"] == 1)
    finally:
        await site.delete(DEFINITION, f"widgets.{group}", "")
