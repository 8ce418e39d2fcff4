"""A cluster whose link is cut, as a person sees it: a real hub, two real agents, stand-ins for their clusters."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.cli.conftest import Ended, Outrider
from tests.integration.cli.hub_process import WITHIN_S, up
from tests.integration.rendering.repositories import Repository

from outrider import codec, delta
from outrider.bus import connected
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.identity import credentials
from outrider.records import LookRecord
from outrider.topology import LOOKS
from outrider_playground.demo.edge import Edge, running_edge
from outrider_playground.demo.hub import Listener
from outrider_playground.waiting import eventually

CANARY = "c4nary-0f-a-s3cret"
DEPLOYMENT = "apps:Deployment:shop/web"
OBJECTS = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "web:1"}}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: menu}}
data: {{soup: tomato}}
---
apiVersion: v1
kind: Secret
metadata: {{name: door}}
stringData: {{code: {CANARY}}}
"""


def application(url: str, name: str, cluster: str) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "path": "web", "targetRevision": "main"},
            "destination": {"name": cluster, "namespace": "shop"},
            "syncPolicy": {"automated": {"prune": True}, "syncOptions": ["CreateNamespace=true"]},
        },
    }


@dataclass
class Fleet:
    """A hub, and application `web` on shop1, `till` on shop2."""

    outrider: Outrider
    state: Path
    edges: list[Edge]
    repository: Repository
    said: str = ""
    # by all commands so far

    async def ended(self, *arguments: object, status: int = 0) -> Ended:
        found = await self.outrider(*arguments, "--state", self.state)
        assert found.status == status, (arguments, found.stdout, found.stderr)
        self.said += found.stdout + found.stderr
        return found

    async def json(self, *arguments: object) -> Any:
        return json.loads((await self.ended(*arguments, "-o", "json")).stdout)

    async def until(self, name: str, **wanted: Any) -> None:
        async def shown() -> bool:
            status = (await self.json("app", "get", name))["status"]
            return bool(wanted.items() <= status.items())

        await eventually(shown, WITHIN_S)


@pytest.fixture
async def fleet(outrider: Outrider, tmp_path: Path) -> AsyncIterator[Fleet]:
    repository, state = Repository(tmp_path / "shops.git"), tmp_path / "hub"
    repository.commit({"web/objects.yaml": OBJECTS})
    with up(state, "--local-repositories", "--poll-interval", 3600) as hub:
        async with AsyncExitStack() as stack:
            fleet = Fleet(outrider, state, [], repository)
            for app, shop in (("web", "shop1"), ("till", "shop2")):
                creds = tmp_path / f"{shop}.creds"
                await fleet.ended("cluster", "add", shop, "--credentials-only", "--out", creds)
                listeners = [Listener("127.0.0.1", int(hub.port))]
                edge = running_edge(shop, tmp_path / shop, listeners, creds)
                fleet.edges.append(await stack.enter_async_context(edge))
                manifest = json.dumps(application(repository.url, app, shop)).encode()
                applied = await outrider("app", "apply", "-f", "-", "--state", state, stdin=manifest)
                assert applied.status == 0, applied.stderr
            for app in ("web", "till"):
                await fleet.ended("app", "wait", app, "--timeout", 40)
            fleet.said = ""
            yield fleet


async def drift(fleet: Fleet) -> None:
    """Edit an object of `web` by hand; nobody heals it."""
    menu = fleet.edges[0].cluster.get("ConfigMap", "menu", "shop")
    assert menu is not None
    fleet.edges[0].cluster.edit(menu, {"data": {"soup": "onion"}}, "kubectl-edit")
    await fleet.until("web", sync="OutOfSync")


async def cut(fleet: Fleet) -> None:
    await fleet.edges[0].link.cut()
    await fleet.until("web", freshness="offline", presence="offline")


async def all_that_is_kept(fleet: Fleet) -> dict[str, Any]:
    """Return what the hub has kept of what agents answered."""
    servers = tuple(json.loads((fleet.state / "hub.json").read_text())["servers"])
    bus = credentials.bus_settings(fleet.state / "credentials" / "registry.creds", servers)
    async with connected(bus, alone=True) as connection:
        watching = KeyValue(JetStream(connection), LOOKS).watch()
        changes = (await anext(watching)).changes
        await watching.aclose()  # type: ignore[attr-defined]
    records = {change.key: LookRecord.unpack(change.value) for change in changes if change.value is not None}
    return {key: codec.unpack(delta.decompress(one.frame, max_bytes=1 << 24)) for key, one in records.items()}


def lines_about(shown: str, name: str) -> list[str]:
    return [line for line in shown.splitlines() if line.split()[:1] == [name]]


async def test_nothing_is_told_as_if_it_were_so_of_a_cluster_that_is_away(fleet: Fleet) -> None:
    await cut(fleet)
    screen = (await fleet.ended("status")).stdout
    assert "clusters 2: 1 online, 1 offline; 1 fresh, 1 offline" in screen
    assert (
        "applications 2: health 1 Healthy, 1 Unknown; sync 1 Synced, 1 Unknown; 1 fresh, 1 offline" in screen
    )
    (shop1,) = lines_about(screen, "shop1")
    assert "cluster offline" in shop1
    assert "1 as of" in shop1
    for shown in (screen, (await fleet.ended("app", "list")).stdout):
        (web,) = lines_about(shown, "web")
        assert "Healthy as of" in web
        assert "cluster offline" in web
    assert (
        await fleet.ended("app", "list", "--health", "Healthy", "-o", "name")
    ).stdout == "application/till\n"
    assert "web" in (await fleet.ended("app", "list", "--freshness", "offline", "--health", "Healthy")).stdout
    assert "cluster offline" in lines_about((await fleet.ended("cluster", "list")).stdout, "shop1")[0]
    assert "1 Healthy as of" in (await fleet.ended("cluster", "get", "shop1")).stdout
    for command in ("history", "resources"):
        assert "cluster offline" in (await fleet.ended("app", command, "web")).stderr
        assert (await fleet.json("app", command, "web"))["freshness"] == "offline"
    waited = await fleet.ended("app", "wait", "web", "--timeout", 0.5, status=1)
    assert "no fresh word from its cluster" in waited.stderr
    answers = [
        (await fleet.json("app", "get", "web"))["status"],
        *[one for one in await fleet.json("app", "list") if one["name"] == "web"],
        await fleet.json("cluster", "get", "shop1"),
        *[one for one in await fleet.json("cluster", "list") if one["name"] == "shop1"],
        *[one for one in (await fleet.json("status"))["clusters"] if one["name"] == "shop1"],
        await fleet.json("journal", "shop1"),
        await fleet.json("app", "tree", "web"),
        await fleet.json("app", "diff", "web"),
        (await fleet.json("app", "manifests", "web"))["outrider"],
    ]
    for answer in answers:
        assert (answer["freshness"], answer["presence"]) == ("offline", "offline"), answer
        assert isinstance(answer["age_s"], int)


async def test_tree_diff_and_manifests_stay_readable_while_a_cluster_is_away(fleet: Fleet) -> None:
    await drift(fleet)
    live = await fleet.json("app", "tree", "web")
    assert (live["source"], live["freshness"]) == ("live", "fresh")
    assert {"ReplicaSet", "Pod"} <= {node["kind"] for node in live["nodes"]}
    differs = (await fleet.ended("app", "diff", "web", status=1)).stdout
    assert "-  soup: onion" in differs
    objects = (await fleet.ended("app", "manifests", "web", "--live")).stdout
    await cut(fleet)

    tree = await fleet.ended("app", "tree", "web")
    assert tree.stdout.startswith("As of ")
    assert "cluster offline" in tree.stdout.splitlines()[0]
    assert "Pod shop/web-" in tree.stdout
    assert tree.stderr.startswith("note: not live, but as of ")
    away = await fleet.json("app", "tree", "web")
    assert {node["uid"] for node in away["nodes"]} == {node["uid"] for node in live["nodes"]}
    assert (away["source"], away["basis"]) == ("last-known", "answer")

    still = await fleet.ended("app", "diff", "web", status=1)
    assert still.stdout.endswith(differs)
    assert "cluster offline" in still.stderr
    printed = (await fleet.ended("app", "manifests", "web", "--live")).stdout
    assert list(yaml.safe_load_all(printed)) == list(yaml.safe_load_all(objects))
    assert printed.count("# as of ") == 3
    for command in (["tree", "--live"], ["diff", "--live"], ["manifests", "--live", "--fresh"]):
        verb, *options = command
        refused = await fleet.ended("app", verb, "web", *options, status=1)
        assert "cluster 'shop1' is offline" in refused.stderr
    kept = await all_that_is_kept(fleet)
    assert "shop1.web.tree" in kept
    for said in (fleet.said, repr(kept)):
        assert "door" in said
        assert CANARY not in said
        assert base64.b64encode(CANARY.encode()).decode() not in said


async def test_what_nobody_looked_at_is_told_from_the_last_status_and_the_bundle(fleet: Fleet) -> None:
    await drift(fleet)
    await cut(fleet)
    tree = await fleet.json("app", "tree", "web")
    assert [(node["kind"], node["sync"]) for node in tree["nodes"]] == [
        ("ConfigMap", "OutOfSync"), ("Secret", "Synced"), ("Deployment", "Synced"),
    ]  # fmt: skip
    assert (tree["source"], tree["basis"]) == ("last-known", "status")
    diff = await fleet.ended("app", "diff", "web", status=1)
    assert "ConfigMap shop/menu differs: what is on the cluster is not known" in diff.stdout
    assert "  soup: tomato" in diff.stdout
    desired = list(yaml.safe_load_all((await fleet.ended("app", "manifests", "web")).stdout))
    assert [one["kind"] for one in desired] == ["Deployment", "ConfigMap", "Secret"]
    for one in desired:
        assert one["metadata"]["namespace"] == "shop"
        assert one["metadata"]["labels"]["app.outrider.dev/name"] == "web"
        assert one["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"].startswith("web:")
    assert set(desired[2]["data"]["code"]) == {"+"}
    nothing = await fleet.ended("app", "manifests", "web", "--live", status=1)
    assert "nobody looked at this object while its cluster was there" in nothing.stderr
    # A commit that the cluster can't have heard of is desired, and said to be missing there.
    revision = fleet.repository.commit({"web/objects.yaml": OBJECTS.replace("tomato", "leek")})
    await fleet.ended("repo", "refresh", fleet.repository.url)
    await fleet.until("web", desired_revision=revision)
    assert "soup: leek" in (await fleet.ended("app", "manifests", "web")).stdout
    undelivered = await fleet.ended("app", "diff", "web", status=1)
    assert f"note: revision {revision[:7]} has not reached the cluster" in undelivered.stderr
    assert CANARY not in fleet.said


async def test_when_a_cluster_is_back_its_words_are_fresh_and_its_journal_tells_of_the_time_between(
    fleet: Fleet,
) -> None:
    await fleet.ended("app", "tree", "web")
    await cut(fleet)
    away = (await fleet.ended("journal", "shop1")).stdout
    assert "what happened since, it tells when it is back" in away.splitlines()[0]
    edge = fleet.edges[0]
    deployment = edge.cluster.get("Deployment", "web", "shop", "apps/v1")
    assert deployment is not None
    edge.cluster.delete(deployment)
    await edge.link.restore()
    await fleet.until("web", freshness="fresh", sync="OutOfSync")

    async def told() -> bool:
        return "reached the hub again, after" in (await fleet.ended("journal", "shop1")).stdout

    await eventually(told, WITHIN_S)
    shown = (await fleet.ended("journal", "shop1", "--app", "web")).stdout
    during = [line for line in shown.splitlines() if " offline " in line]
    assert "lost the hub" in during[0]
    assert any("Deployment shop/web" in line for line in during)
    assert "reached the hub again" in during[-1]
    tree = await fleet.json("app", "tree", "web")
    assert (tree["source"], tree["freshness"]) == ("live", "fresh")
    missing = [node["kind"] for node in tree["nodes"] if node.get("health") == {"status": "Missing"}]
    assert missing == ["Deployment"]
