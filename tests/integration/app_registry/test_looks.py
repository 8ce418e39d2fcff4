"""Looking at an application: from its cluster, from the bundle, and what is known last when nobody answers."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from app_registry.last_answers import SINGLES_MAX, LastAnswers
from app_registry.service import run
from outrider import codec, delta
from outrider.bus import Connection
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.objects import Objects
from outrider.bus.services import Endpoint, RequestRefused, serve
from outrider.messages import CommandReply
from outrider.names import AppName, ClusterName
from outrider.subjects import status_query
from outrider.tasks import background
from outrider.topology import BUNDLES, LOOKS

from .conftest import Edge, Fleet, application, eventually, running, settings
from .test_clock_set_back import NOW
from .test_commands import answering

CANARY = "c4nary-0f-a-s3cret"
WEB = {"group": "apps", "kind": "Deployment", "namespace": "till", "name": "web"}
MENU = {"group": "", "kind": "ConfigMap", "namespace": "till", "name": "menu"}
TREE = {
    "nodes": [
        {**WEB, "uid": "u1", "parents": [], "health": {"status": "Healthy"}},
        {"group": "", "kind": "Pod", "namespace": "till", "name": "web-1", "uid": "u2", "parents": ["u1"]},
    ],
    "orphaned": [],
    "truncated": False,
    "refused": [],
}
MANIFESTS: list[dict[str, Any]] = [
    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 2}},
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "door"}, "stringData": {"code": CANARY},
     "data": {"key": base64.b64encode(CANARY.encode()).decode()}},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "till"}},
    {"apiVersion": "example.com/v1", "kind": "Shop", "metadata": {"name": "north"}},
    {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "annotations": {"helm.sh/hook": "pre-install"}}},
]  # fmt: skip


@dataclass
class Aggregator:
    """What the aggregator would say of one application."""

    item: dict[str, Any] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self, connection: Connection) -> AsyncIterator["Aggregator"]:
        async def app(_asked: dict[str, Any]) -> dict[str, Any]:
            return {**self.item, "document": {"resources": self.resources} if self.resources else {}}

        endpoint = Endpoint("app", status_query("app"), app)
        async with background(serve(connection, "status-aggregator", "0.0.1", [endpoint]), name="aggregator"):
            yield self

    def offline(self, *resources: dict[str, Any], received_at_ms: int = 1, **more: Any) -> None:
        """Say that the cluster has been away for 37 minutes, and what it said last."""
        word = {
            "freshness": "offline",
            "presence": "offline",
            "age_s": 2220,
            "received_at_ms": received_at_ms,
        }
        self.item, self.resources = {**word, "delivered": True, **more}, list(resources)


@pytest.fixture
async def aggregator(served: Fleet) -> AsyncIterator[Aggregator]:
    async with Aggregator().serving(served.aggregator) as made:
        yield made


@dataclass
class Shop:
    """An edge that can go away."""

    edge: Edge
    stack: AsyncExitStack

    async def leave(self, served: Fleet) -> None:
        """Go: nobody hears its commands from then on."""
        await self.stack.aclose()

        async def is_away() -> bool:
            try:
                await served.ask("app.sync", name="till")
            except RequestRefused as error:
                return "is offline" in str(error)
            return False

        await eventually(is_away)


async def delivered(served: Fleet) -> Shop:
    """An edge with an application whose bundle is at the hub."""
    data = codec.canonical(MANIFESTS)
    await Objects(served.renderer, BUNDLES).put(delta.digest(data).hex(), delta.compress(data))
    stack = await served.stack.enter_async_context(AsyncExitStack())
    edge = await replace(served, stack=stack).edge("shop1")
    await served.deliver(edge, "till", data)
    return Shop(edge, stack)


def resource(name: dict[str, str], status: str = "Synced", health: str = "Healthy", **more: Any) -> Any:
    return {**name, "version": "v1", "status": status, "health": {"status": health}, **more}


async def test_what_a_cluster_answers_is_as_of_now_and_is_shown_again_with_its_age_when_it_is_away(
    served: Fleet, aggregator: Aggregator
) -> None:
    shop = await delivered(served)
    await answering(shop.edge, lambda _: CommandReply(TREE))
    seen = await served.ask("app.tree", name="till")
    assert (seen["source"], seen["freshness"], seen["presence"], seen["age_s"]) == (
        "live",
        "fresh",
        "online",
        0,
    )
    aggregator.offline()
    await shop.leave(served)
    found = await served.ask("app.tree", name="till")
    assert found["nodes"] == TREE["nodes"]
    assert (found["source"], found["basis"]) == ("last-known", "answer")
    assert (found["freshness"], found["presence"]) == ("offline", "offline")
    assert found["age_s"] >= 0
    assert found["as_of"] >= seen["as_of"]
    assert found["reason"].startswith("cluster 'shop1' is offline")
    with pytest.raises(RequestRefused, match="is offline"):
        await served.ask("app.tree", name="till", live=True)


@pytest.mark.parametrize(
    "said", ["text", {"nodes": 7}, {"nodes": [7]}, {"nodes": [], "orphaned": {"a": 1}}], ids=str
)
async def test_what_is_no_answer_is_refused_and_not_kept(served: Fleet, said: Any) -> None:
    shop = await delivered(served)
    await answering(shop.edge, lambda _: CommandReply(said))
    with pytest.raises(RequestRefused, match="gave no answer that can be read"):
        await served.ask("app.tree", name="till")
    assert await kept(served) == []


async def test_an_agent_says_nothing_about_how_fresh_its_answer_is(
    served: Fleet, aggregator: Aggregator
) -> None:
    shop = await delivered(served)
    lie = {"source": "live", "freshness": "fresh", "presence": "online", "age_s": 0, "basis": "none"}
    await answering(shop.edge, lambda _: CommandReply({**TREE, **lie}))
    await served.ask("app.tree", name="till")
    aggregator.offline()
    await shop.leave(served)
    found = await served.ask("app.tree", name="till")
    assert [found[field] for field in ("source", "freshness", "presence", "basis")] == [
        "last-known", "offline", "offline", "answer",
    ]  # fmt: skip


async def test_what_was_seen_is_shown_while_no_aggregator_runs_and_is_not_fresh(served: Fleet) -> None:
    shop = await delivered(served)
    await answering(shop.edge, lambda _: CommandReply(TREE))
    await served.ask("app.tree", name="till")
    await shop.leave(served)
    found = await served.ask("app.tree", name="till")
    assert found["nodes"] == TREE["nodes"]
    assert (found["freshness"], found["presence"], found["heard_at_ms"]) == ("offline", "offline", 0)


async def test_a_cluster_that_is_connected_and_silent_is_stale(served: Fleet, aggregator: Aggregator) -> None:
    shop = await delivered(served)
    aggregator.item = {"freshness": "fresh", "presence": "online", "age_s": 5, "received_at_ms": 1}
    aggregator.resources = [resource(WEB)]
    await shop.edge.connection.subscribe("fleet.shop1.command.*", asyncio.Queue[Any]().put)
    await shop.edge.connection.flush()
    found = await served.ask("app.tree", name="till")
    assert (found["source"], found["freshness"], found["presence"]) == ("last-known", "stale", "online")
    assert "did not answer within" in found["reason"]


async def test_where_nobody_ever_looked_the_tree_is_what_the_last_status_tells(
    served: Fleet, aggregator: Aggregator
) -> None:
    shop = await delivered(served)
    aggregator.offline(resource(WEB, "OutOfSync", "Degraded"), resource(MENU, health="Missing"))
    await shop.leave(served)
    found = await served.ask("app.tree", name="till")
    assert [(node["name"], node["health"]["status"], node["sync"]) for node in found["nodes"]] == [
        ("web", "Degraded", "OutOfSync"),
        ("menu", "Missing", "Synced"),
    ]
    assert (found["source"], found["basis"], found["age_s"]) == ("last-known", "status", 2220)
    assert "nobody asked for its tree" in found["stale"]


async def test_a_tree_that_was_seen_before_the_last_status_says_what_that_status_says(
    served: Fleet, aggregator: Aggregator
) -> None:
    shop = await delivered(served)
    await answering(shop.edge, lambda _: CommandReply(TREE))
    await served.ask("app.tree", name="till")
    aggregator.offline(resource(WEB, "OutOfSync", "Degraded"), resource(MENU), received_at_ms=1 << 42)
    await shop.leave(served)
    nodes = {node["name"]: node for node in (await served.ask("app.tree", name="till"))["nodes"]}
    assert nodes["web"]["health"] == {"status": "Degraded"}
    assert nodes["web-1"]["parents"] == ["u1"]
    assert nodes["menu"]["health"] == {"status": "Healthy"}


async def test_the_difference_of_a_cluster_that_is_away_is_what_it_said_and_what_is_desired(
    served: Fleet, aggregator: Aggregator
) -> None:
    shop = await delivered(served)
    aggregator.offline(
        resource(WEB, "OutOfSync"),
        resource({**WEB, "name": "old"}, "OutOfSync", requiresPruning=True),
        resource({**WEB, "group": "", "kind": "Secret", "name": "door"}, "OutOfSync", "Missing"),
        resource(MENU),
        desired_revision="b" * 40,
        delivered=False,
    )
    await shop.leave(served)
    found = await served.ask("app.diff", name="till")
    assert [(one["name"], one["state"], one["live"]) for one in found["resources"]] == [
        ("web", "modified", None),
        ("old", "removed", None),
        ("door", "added", None),
    ]
    web, old, door = found["resources"]
    assert web["desired"]["spec"] == {"replicas": 2}
    assert "is not known" in web["message"]
    assert old["desired"] is None
    assert set(door["desired"]["data"]["code"]) == {"+"}
    assert (found["basis"], found["as_of"] is not None, found["age_s"]) == ("status", True, 2220)
    assert found["undelivered_revision"] == "b" * 40
    one = await served.ask("app.diff", name="till", resource=WEB)
    assert [each["name"] for each in one["resources"]] == ["web"]


async def test_values_that_were_seen_before_are_shown_for_what_still_differs(
    served: Fleet, aggregator: Aggregator
) -> None:
    shop = await delivered(served)
    change = {"path": ".spec.replicas", "live": 5, "desired": 2}
    seen = [
        {**WEB, "state": "modified", "live": {"spec": {"replicas": 5}}, "desired": {}, "changes": [change]},
        {**MENU, "state": "modified", "live": {}, "desired": {}, "changes": []},
    ]
    await answering(shop.edge, lambda _: CommandReply({"resources": seen, "truncated": False}))
    await served.ask("app.diff", name="till")
    aggregator.offline(resource(WEB, "OutOfSync"), resource(MENU), received_at_ms=1 << 42)
    await shop.leave(served)
    (found,) = (await served.ask("app.diff", name="till"))["resources"]
    assert (found["name"], found["changes"]) == ("web", [change])
    assert found["live_as_of"]
    aggregator.offline(resource(WEB, "OutOfSync"), resource(MENU))
    as_it_was = await served.ask("app.diff", name="till")
    assert (as_it_was["resources"], as_it_was["basis"]) == (seen, "answer")


async def test_where_nothing_was_ever_heard_of_an_application_that_is_said(
    served: Fleet, aggregator: Aggregator
) -> None:
    shop = await delivered(served)
    aggregator.offline()
    await shop.leave(served)
    for verb in ("tree", "diff"):
        with pytest.raises(RequestRefused, match=r"is offline.*nothing was ever heard of the application"):
            await served.ask(f"app.{verb}", name="till")
    with pytest.raises(RequestRefused, match=r"is offline.*nobody looked at this object"):
        await served.ask("app.manifest", name="till", resource=WEB, side="live")


async def test_desired_objects_come_from_the_bundle_as_the_edge_applies_them_and_cost_it_no_byte(
    served: Fleet, aggregator: Aggregator
) -> None:
    shop = await delivered(served)
    aggregator.offline(resource({"group": "example.com", "kind": "Shop", "namespace": "", "name": "north"}))
    heard = await answering(shop.edge, lambda _: CommandReply(error="nobody asks"))
    objects: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = await served.ask("app.manifests", name="till", after=after, limit=2)
        objects += page["items"]
        after = page["next"]
    found = {one["kind"]: one["metadata"] for one in objects}
    assert list(found) == ["Deployment", "Secret", "ClusterRole", "Shop"]
    assert {kind: metadata.get("namespace") for kind, metadata in found.items()} == {
        "Deployment": "till", "Secret": "till", "ClusterRole": None, "Shop": None,
    }  # fmt: skip
    for kind, metadata in found.items():
        assert metadata["labels"]["app.outrider.dev/name"] == "till", kind
    tracking = found["Deployment"]["annotations"]["argocd.argoproj.io/tracking-id"]
    assert tracking == "till:apps/Deployment:till/web"
    assert (page["source"], page["rendered_at"], page["freshness"]) == ("hub", "hub", "offline")
    one = await served.ask("app.manifest", name="till", resource=WEB, side="desired")
    assert (one["desired"]["spec"], one["source"]) == ({"replicas": 2}, "hub")
    none = await served.ask("app.manifest", name="till", resource=MENU, side="desired")
    assert none["desired"] is None
    assert heard == []


async def test_no_answer_of_the_hub_holds_a_value_of_a_secret(served: Fleet, aggregator: Aggregator) -> None:
    shop = await delivered(served)
    door = {"group": "", "kind": "Secret", "namespace": "till", "name": "door"}
    aggregator.offline(resource(door, "OutOfSync"))
    await shop.leave(served)
    answers = [
        await served.ask("app.manifests", name="till"),
        await served.ask("app.manifest", name="till", resource=door, side="desired"),
        await served.ask("app.diff", name="till"),
        await served.ask("app.tree", name="till"),
    ]
    said = repr(answers)
    assert "door" in said
    for hidden in (CANARY, base64.b64encode(CANARY.encode()).decode(), CANARY[:6]):
        assert hidden not in said


async def test_a_live_object_is_shown_again_beside_what_is_desired(
    served: Fleet, aggregator: Aggregator
) -> None:
    shop = await delivered(served)
    live = {"kind": "Deployment", "spec": {"replicas": 5}}
    heard = await answering(shop.edge, lambda _: CommandReply({"live": live}))
    assert (await served.ask("app.manifest", name="till", resource=WEB, side="live"))["live"] == live
    assert heard[0].arguments["side"] == "live"
    aggregator.offline(resource(WEB))
    await shop.leave(served)
    found = await served.ask("app.manifest", name="till", resource=WEB, side="live")
    assert (found["live"], found["source"], found["freshness"]) == (live, "last-known", "offline")
    both = await served.ask("app.manifest", name="till", resource=WEB)
    assert (both["live"], both["desired"]["spec"]) == (live, {"replicas": 2})


async def test_what_was_seen_outlives_the_registry_and_goes_with_its_application(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        shop = await delivered(fleet)
        await answering(shop.edge, lambda _: CommandReply(TREE))
        await fleet.ask("app.tree", name="till")
        await shop.leave(fleet)
    async with running(fleet.hub), Aggregator().serving(fleet.aggregator) as aggregator:
        await fleet.ready()
        aggregator.offline()
        await fleet.until(lambda found: found["nodes"] == TREE["nodes"], "app.tree", name="till")
        await fleet.ask("app.delete", name="till", cascade=False)
        await fleet.report(shop.edge, "till", b"a status")
        await fleet.report(shop.edge, "till", None)
        await fleet.gone("till")
        assert await kept(fleet) == []


async def test_with_a_cluster_that_is_removed_goes_what_was_seen_there(served: Fleet) -> None:
    shop = await delivered(served)
    await answering(shop.edge, lambda _: CommandReply(TREE))
    await served.ask("app.tree", name="till")
    assert await kept(served) == ["shop1.till.tree"]
    await served.ask("cluster.remove", name="shop1", force=True)
    assert await kept(served) == []


async def kept(fleet: Fleet) -> list[str]:
    """Return the keys of what is kept."""
    async with fleet.hub.connect("registry") as connection:
        watching = KeyValue(JetStream(connection), LOOKS).watch()
        async with asyncio.timeout(10):
            changes = await anext(watching)
        await watching.aclose()  # type: ignore[attr-defined]
        return sorted(change.key for change in changes.changes if change.value is not None)


async def test_what_is_kept_is_bounded(hub: Any) -> None:
    shop, till = ClusterName("shop1"), AppName("till")
    async with hub.connect("registry") as connection:
        answers = LastAnswers(JetStream(connection), lambda: NOW)
        for number in range(SINGLES_MAX + 3):
            await answers.keep(shop, till, b"u", "manifest", {**WEB, "name": f"web-{number}"}, {"live": {}})
        await answers.keep(shop, till, b"u", "tree", None, TREE)
        noise = {"nodes": [f"{number * 0x9E3779B97F4A7C15 % (1 << 64):x}" for number in range(200_000)]}
        await answers.keep(shop, till, b"u", "diff", None, noise)
        assert await answers.last(shop, till, b"u", "diff") is None
        assert await answers.last(shop, till, b"u", "tree") is not None
        assert await answers.last(shop, till, b"u", "manifest", {**WEB, "name": "web-2"}) is None
        assert await answers.last(shop, till, b"u", "manifest", {**WEB, "name": "web-3"}) is not None
        # One that was deleted and made again under the same name is another application.
        assert await answers.last(shop, till, b"v", "tree") is None
        await KeyValue(JetStream(connection), LOOKS).put("shop1.till.tree", b"\xc1")
        assert await answers.last(shop, till, b"u", "tree") is None


async def test_an_answer_from_before_the_clock_was_set_back_has_no_age(fleet: Fleet) -> None:
    clock = [NOW]
    registry = run(settings(fleet.hub), lambda: clock[0])
    async with background(registry, name="registry"), Aggregator().serving(fleet.aggregator) as aggregator:
        await fleet.ready()
        shop = await delivered(fleet)
        await answering(shop.edge, lambda _: CommandReply(TREE))
        await fleet.ask("app.tree", name="till")
        aggregator.offline()
        await shop.leave(fleet)
        clock[0] = NOW + timedelta(minutes=37)
        assert (await fleet.ask("app.tree", name="till"))["age_s"] == 2220
        clock[0] = NOW - timedelta(hours=1)
        assert (await fleet.ask("app.tree", name="till"))["age_s"] is None


async def test_an_application_that_its_edge_renders_is_asked_of_its_edge(served: Fleet) -> None:
    edge = await served.edge("shop1")
    manifest = application("till")
    manifest["metadata"]["annotations"] = {"outrider.dev/render": "edge"}
    await served.ask("app.apply", manifest=manifest)
    await edge.next()
    page = await served.ask("app.manifests", name="till")
    assert (page["items"], page["rendered_at"]) == ([], "edge")
    heard = await answering(edge, lambda _: CommandReply({"desired": {"kind": "Deployment"}}))
    found = await served.ask("app.manifest", name="till", resource=WEB, side="desired")
    assert (found["desired"], found["source"]) == ({"kind": "Deployment"}, "live")
    assert heard[0].arguments["side"] == "desired"
