"""What happens to what somebody changes by hand."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from edge_agent.cluster import Kind

from .site import (
    CONFIG_MAP,
    DEPLOYMENT,
    PATIENCE_S,
    SERVICE,
    Agent,
    Site,
    config_map,
    deployment,
    resources,
    results,
)

ROLE = Kind("rbac.authorization.k8s.io", "v1", "Role")
TRACKING = "argocd.argoproj.io/tracking-id"
NO_HEALING = {"automated": {"prune": True}}


async def test_an_edited_field_is_healed_at_once(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a", {"x": "1"}), config_map("b")])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"x": "edited"}})
    live = await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["x"] == "1")
    assert live
    document = await agent.until_synced(app)
    # Healed alone: the sync was about nothing else.
    assert results(document) == {"a": ("Synced", "configured")}


async def test_a_deleted_object_comes_back(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    before = await site.get(CONFIG_MAP, "a")
    assert before
    await site.delete(CONFIG_MAP, "a")
    live = await site.until(
        CONFIG_MAP, "a", lambda live: live and live["metadata"]["uid"] != before["metadata"]["uid"]
    )
    assert live


async def test_an_object_that_lost_its_label_is_labelled_again(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"metadata": {"labels": {"app.outrider.dev/name": None}}})
    live = await site.until(
        CONFIG_MAP,
        "a",
        lambda live: live and live["metadata"].get("labels", {}).get("app.outrider.dev/name") == app,
    )
    assert live


async def test_what_others_add_is_left_alone(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    said = len(agent.said)
    edited = await site.edit(
        CONFIG_MAP, "a", {"data": {"theirs": "1"}, "metadata": {"annotations": {"note": "x"}}}
    )
    # What comes after is seen after: once this is healed, the addition was looked at.
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    live = await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    assert live
    assert live["data"]["theirs"] == "1"
    assert live["metadata"]["annotations"]["note"] == "x"
    assert edited
    await agent.until_synced(app)
    assert len(agent.said) > said


async def test_drift_without_self_heal_is_reported_and_left(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")], sync=NO_HEALING)
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    document = await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    assert resources(document)["a"]["status"] == "OutOfSync"
    await agent.settle(app)
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"a": "edited"}


async def test_drift_that_is_put_right_by_hand_is_in_sync_again(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")], sync=NO_HEALING)
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "1"}})
    await agent.until_synced(app)


async def test_a_deletion_without_self_heal_is_reported_as_missing(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a"), config_map("b")], sync=NO_HEALING)
    await agent.until_synced(app)
    await site.delete(CONFIG_MAP, "a")
    document = await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    assert resources(document)["a"]["health"] == {"status": "Missing"}
    assert document["health"] == {"status": "Healthy"}


async def test_a_new_revision_is_synced_without_self_heal_too(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a")], sync=NO_HEALING)
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await agent.until(app, lambda document: document["sync"]["status"] == "OutOfSync")
    agent.desire(app, [config_map("a", {"a": "2"})], sync=NO_HEALING)
    await agent.until_synced(app)
    live = await site.get(CONFIG_MAP, "a")
    assert live
    assert live["data"] == {"a": "2"}


async def test_an_item_whose_key_was_changed_is_changed_back(agent: Agent, site: Site, app: str) -> None:
    """Server-side apply would add the desired port beside the edited one, which the server refuses."""
    ports = [{"name": "http", "port": 80}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": ports}}
    agent.desire(app, [service])
    await agent.until_synced(app)
    await site.edit(SERVICE, "s", {"spec": {"ports": [{"name": "http", "port": 8080}]}})
    live = await site.until(SERVICE, "s", lambda live: live and live["spec"]["ports"][0]["port"] == 80)
    assert live
    assert len(live["spec"]["ports"]) == 1
    document = await agent.until_synced(app)
    assert document["operationState"]["phase"] == "Succeeded"


async def test_a_workload_scaled_by_hand_is_scaled_back(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [deployment("web", replicas=2)])
    await agent.until_synced(app)
    await site.edit(DEPLOYMENT, "web", {"spec": {"replicas": 5}})
    assert await site.until(DEPLOYMENT, "web", lambda live: live and live["spec"]["replicas"] == 2)


async def test_a_workload_whose_replicas_are_not_desired_may_be_scaled(
    agent: Agent, site: Site, app: str
) -> None:
    free = deployment("web")
    del free["spec"]["replicas"]
    agent.desire(app, [free, config_map("a")])
    await agent.until_synced(app)
    await site.edit(DEPLOYMENT, "web", {"spec": {"replicas": 3}})
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    await agent.settle(app)
    live = await site.get(DEPLOYMENT, "web")
    assert live
    assert live["spec"]["replicas"] == 3


async def test_a_burst_of_edits_ends_as_desired(agent: Agent, site: Site, app: str) -> None:
    names = [f"c{number}" for number in range(10)]
    agent.desire(app, [config_map(name) for name in names])
    await agent.until_synced(app)
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        for name in names:
            for value in ("x", "y", "z"):
                tasks.create_task(site.edit(CONFIG_MAP, name, {"data": {"a": value}}))
    for name in names:
        assert await site.until(CONFIG_MAP, name, lambda live: live and live["data"] == {"a": "1"})


async def test_what_kubectl_applies_is_healed(agent: Agent, site: Site, app: str, tmp_path: Path) -> None:
    """Applied on the client's side, as most people do: kubectl notes it in an annotation and takes the fields."""
    agent.desire(app, [deployment("web", replicas=2)])
    await agent.until_synced(app)
    theirs = deployment("web", "somebody/else:9", replicas=7)
    theirs["metadata"]["labels"] = {"theirs": "1"}
    await apply_with_kubectl(site, theirs, tmp_path)
    assert await site.until(DEPLOYMENT, "web", lambda live: live and runs_as_desired(live))
    await agent.until_synced(app)
    live = await site.get(DEPLOYMENT, "web")
    assert live
    # What is theirs alone stays theirs.
    assert live["metadata"]["labels"]["theirs"] == "1"
    assert "kubectl.kubernetes.io/last-applied-configuration" in live["metadata"]["annotations"]


async def test_what_another_manager_applies_by_force_is_healed(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [deployment("web", replicas=2)])
    await agent.until_synced(app)
    theirs = deployment("web", "somebody/else:9", replicas=7)
    await site.cluster.apply(DEPLOYMENT, site.key(DEPLOYMENT, "web"), theirs, manager="another")
    assert await site.until(DEPLOYMENT, "web", lambda live: live and runs_as_desired(live))


async def test_a_field_that_another_manager_holds_too_is_healed_when_it_changes(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [deployment("web", replicas=2)])
    await agent.until_synced(app)
    same = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 2},
    }
    await site.cluster.apply(DEPLOYMENT, site.key(DEPLOYMENT, "web"), same, manager="another")
    same["spec"] = {"replicas": 9}
    await site.cluster.apply(DEPLOYMENT, site.key(DEPLOYMENT, "web"), same, manager="another")
    assert await site.until(DEPLOYMENT, "web", lambda live: live and live["spec"]["replicas"] == 2)


async def test_a_deleted_field_comes_back(agent: Agent, site: Site, app: str) -> None:
    wanted = config_map("a", {"a": "1", "b": "2"})
    wanted["metadata"]["annotations"] = {"note": "x"}
    agent.desire(app, [wanted])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"b": None}, "metadata": {"annotations": {"note": None}}})
    assert await site.until(
        CONFIG_MAP,
        "a",
        lambda live: (
            live
            and live["data"] == {"a": "1", "b": "2"}
            and live["metadata"]["annotations"].get("note") == "x"
        ),
    )


async def test_everything_taken_out_by_hand_comes_back(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [config_map("a", {"a": "1", "b": "2"})])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"data": None})
    assert await site.until(CONFIG_MAP, "a", lambda live: live and live.get("data") == {"a": "1", "b": "2"})


async def test_an_item_added_to_a_list_that_counts_as_a_whole_is_taken_out(
    agent: Agent, site: Site, app: str
) -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    role: dict[str, Any] = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader"},
        "rules": [rule],
    }
    agent.desire(app, [role])
    await agent.until_synced(app)
    more = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}
    await site.edit(ROLE, "reader", {"rules": [rule, more]})
    assert await site.until(ROLE, "reader", lambda live: live and live["rules"] == [rule])
    await site.edit(ROLE, "reader", {"rules": [{**rule, "verbs": ["get", "delete"]}]})
    assert await site.until(ROLE, "reader", lambda live: live and live["rules"] == [rule])


async def test_an_item_added_beside_the_desired_ones_of_a_keyed_list_is_left_alone(
    agent: Agent, site: Site, app: str
) -> None:
    """A sidecar injector's container looks the same as a person's: as in Argo CD, what has a key of its own is
    somebody else's.
    """
    agent.desire(app, [deployment("web"), config_map("a")])
    await agent.until_synced(app)
    containers = [{"name": "web", "image": "shop/till:1"}, {"name": "debug", "image": "busybox"}]
    await site.edit(DEPLOYMENT, "web", {"spec": {"template": {"spec": {"containers": containers}}}})
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    await agent.until_synced(app)
    live = await site.get(DEPLOYMENT, "web")
    assert live
    assert [one["name"] for one in live["spec"]["template"]["spec"]["containers"]] == ["web", "debug"]


async def test_an_item_taken_out_of_a_keyed_list_comes_back(agent: Agent, site: Site, app: str) -> None:
    wanted = deployment("web")
    containers = wanted["spec"]["template"]["spec"]["containers"]
    containers[0]["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    agent.desire(app, [wanted])
    await agent.until_synced(app)
    edited = [{**containers[0], "env": [{"name": "B", "value": "3"}]}]
    await site.edit(DEPLOYMENT, "web", {"spec": {"template": {"spec": {"containers": edited}}}})

    def whole(live: dict[str, Any] | None) -> bool:
        env = live["spec"]["template"]["spec"]["containers"][0].get("env") if live else None
        return sorted(one["value"] for one in env or ()) == ["1", "2"]

    assert await site.until(DEPLOYMENT, "web", whole)


async def test_an_object_that_lost_its_tracking_annotation_is_marked_again(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"metadata": {"annotations": {TRACKING: None}}})
    assert await site.until(
        CONFIG_MAP, "a", lambda live: live and TRACKING in (live["metadata"].get("annotations") or {})
    )


async def test_an_object_that_lost_all_its_marks_at_once_is_marked_again(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"metadata": {"annotations": None, "labels": None}, "data": {"a": "0"}})
    live = await site.until(
        CONFIG_MAP, "a", lambda live: live and TRACKING in (live["metadata"].get("annotations") or {})
    )
    assert live
    assert live["data"] == {"a": "1"}
    assert live["metadata"]["labels"]["app.outrider.dev/name"] == app


async def test_an_object_whose_managed_fields_were_wiped_is_still_healed(
    agent: Agent, site: Site, app: str
) -> None:
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    await site.edit(CONFIG_MAP, "a", {"metadata": {"managedFields": [{}]}})
    await agent.settle(app)
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    assert await site.until(CONFIG_MAP, "a", lambda live: live and live["data"]["a"] == "1")
    await agent.until_synced(app)


def runs_as_desired(live: dict[str, Any]) -> bool:
    container = live["spec"]["template"]["spec"]["containers"][0]
    return bool(live["spec"]["replicas"] == 2 and container["image"] == "shop/till:1")


async def apply_with_kubectl(site: Site, manifest: dict[str, Any], folder: Path) -> None:
    kubectl = shutil.which("kubectl", path=str(Path(sys.executable).parent))
    assert kubectl
    file = folder / "manifest.json"
    file.write_text(json.dumps(manifest))
    process = await asyncio.create_subprocess_exec(
        kubectl,
        f"--kubeconfig={site.access.kubeconfig}",
        f"--namespace={site.namespace}",
        f"--cache-dir={folder}",
        "apply",
        f"--filename={file}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (out, err)
