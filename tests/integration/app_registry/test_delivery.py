"""From an applied manifest and a rendering to the record that the edge gets."""

import asyncio
import copy
from typing import Any

import pytest

from app_registry.desired import EMPTY_BUNDLE
from outrider import codec, delta
from outrider.bus import BusError
from outrider.bus.buckets import KeyValue
from outrider.bus.embedded import EmbeddedSettings
from outrider.bus.embedded import running as nats_running
from outrider.bus.jetstream import JetStream
from outrider.bus.services import RequestRefused
from outrider.messages import Generation
from outrider.names import AppName
from outrider.records import ApplicationRecord, RenderingRecord
from outrider.topology import APPLICATIONS

from .conftest import COMMIT, Fleet, application, bundle, eventually, running

TILL, MENU = AppName("till"), AppName("menu")
NEXT_COMMIT = "f" * 40


async def test_an_application_reaches_its_edge_once_it_is_rendered(served: Fleet) -> None:
    edge = await served.edge("shop1")
    answer = await served.ask("app.apply", manifest=application("till"))
    assert answer == {"kind": "Application", "name": "till", "result": "created", "warnings": []}
    rendering = await served.render(await served.wanted(), bundle("a"))
    app, record = await edge.next()
    assert (app, record.generation) == (TILL, Generation(1, 1))
    assert record.digest == rendering.digest
    assert record.revision == bytes.fromhex(COMMIT)
    assert record.spec == {
        "destination": {"namespace": "till"},
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            "syncOptions": ["CreateNamespace=true"],
        },
    }
    found = await served.until(lambda answer: answer["desired"], "app.get", name="till")
    assert found["cluster"] == "shop1"
    assert found["manifest"] == application("till")
    assert found["conditions"] == []
    assert found["desired"] == {"generation": [1, 1], "revision": COMMIT, "digest": rendering.digest.hex()}


async def test_an_image_bump_travels_as_a_patch_inside_a_small_record(served: Fleet) -> None:
    edge = await served.edge("shop1")
    manifests = [
        {"kind": "Deployment", "n": n, "image": "shop:1.0", "env": [str(n * 7919 + j) for j in range(80)]}
        for n in range(56)
    ]
    old = codec.canonical(manifests)
    await served.deliver(edge, data=old)
    manifests[30]["image"] = "shop:1.1"
    new = codec.canonical(manifests)
    patch = delta.compress(new, old)
    base = delta.short(delta.digest(old))
    await served.render(await served.wanted(), new, NEXT_COMMIT, base=base, patch=patch)
    _, record = await edge.next()
    assert record.base == base
    assert record.patch is not None
    assert delta.Delta(delta.digest(new), record.base, record.patch).apply(old, max_bytes=1 << 20) == new
    assert edge.sizes[-1] < 330


async def test_a_patch_against_a_bundle_that_the_edge_was_not_told_of_is_left_out(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    other = delta.short(delta.digest(bundle("other")))
    await served.render(await served.wanted(), bundle("b"), NEXT_COMMIT, base=other, patch=b"x")
    _, record = await edge.next()
    assert (record.base, record.patch) == (None, None)


async def test_what_an_edge_was_told_already_is_not_told_again(served: Fleet) -> None:
    edge = await served.edge("shop1")
    rendering = await served.deliver(edge)
    manifest = (await served.ask("app.get", name="till"))["manifest"]
    assert (await served.ask("app.apply", manifest=manifest))["result"] == "unchanged"
    labelled = copy.deepcopy(manifest)
    labelled["metadata"]["labels"] = {"team": "tills"}
    assert (await served.ask("app.apply", manifest=labelled))["result"] == "updated"
    await served.rendering(
        await served.wanted(), RenderingRecord(**{**rendering.__dict__, "changed_at_ms": 7})
    )
    await served.deliver(edge, "menu")
    assert edge.held[MENU].generation == Generation(1, 2)


async def test_a_changed_spec_reaches_the_edge_with_the_bundle_that_it_holds(served: Fleet) -> None:
    edge = await served.edge("shop1")
    rendering = await served.deliver(edge)
    changed = application("till")
    changed["spec"]["syncPolicy"]["automated"]["selfHeal"] = False
    await served.ask("app.apply", manifest=changed)
    _, record = await edge.next()
    assert record.spec["syncPolicy"]["automated"] == {"prune": True}
    assert (record.digest, record.base, record.patch) == (rendering.digest, None, None)


async def test_a_directory_is_rendered_once_for_all_applications_that_share_it(served: Fleet) -> None:
    edges = [await served.edge(f"shop{n}") for n in range(3)]
    for edge in edges:
        await served.ask("app.apply", manifest=application(f"till-{edge.name}", edge.name))
    await served.render(await served.wanted(), bundle("a"))
    for edge in edges:
        await edge.next()
    assert len(await served.sources()) == 1
    moved = application("till-shop0", "shop0")
    moved["spec"]["source"]["path"] = "elsewhere"
    await served.ask("app.apply", manifest=moved)
    await served.wanted(lambda record: record.source["path"] == "elsewhere")
    assert len(await served.sources()) == 2


async def test_a_source_that_nobody_uses_any_more_is_not_rendered_any_more(served: Fleet) -> None:
    await served.ask("app.apply", manifest=application("till"))
    await served.wanted()
    await served.ask("app.delete", name="till")

    async def gone() -> bool:
        return await served.sources() == {}

    await eventually(gone)


async def test_a_path_that_turns_out_to_be_a_chart_is_rendered_for_each_release(served: Fleet) -> None:
    edge = await served.edge("shop1")
    for name in ("till-a", "till-b"):
        manifest = application(name)
        del manifest["spec"]["source"]["directory"]
        await served.ask("app.apply", manifest=manifest)
    plain = await served.wanted(lambda record: not record.context)
    assert len(await served.sources()) == 1
    await served.rendering(plain, RenderingRecord(needs_release=True))
    for name in ("till-a", "till-b"):
        chart = await served.wanted(lambda r, n=name: r.context == {"app_name": n, "namespace": n})  # type: ignore[misc]
        await served.render(chart, bundle(name))
    assert {(await edge.next())[0], (await edge.next())[0]} == {"till-a", "till-b"}
    # The path is no chart any more: one rendering for both again.
    await served.render(plain, bundle("plain"), NEXT_COMMIT)
    await edge.next()
    await edge.next()
    assert {record.digest for record in edge.held.values()} == {delta.digest(bundle("plain"))}

    async def only_the_plain_one() -> bool:
        return set(await served.sources()) == {plain}

    await eventually(only_the_plain_one)


async def test_a_rendering_error_is_told_and_the_last_good_state_stays(served: Fleet) -> None:
    edge = await served.edge("shop1")
    good = await served.deliver(edge)
    failed = RenderingRecord(**{**good.__dict__, "error": "a.yaml:3: bad", "error_revision": NEXT_COMMIT})
    key = await served.wanted()
    await served.rendering(key, failed)
    told = await served.condition("till", "a.yaml:3: bad")
    (condition,) = told.conditions
    assert condition["type"] == "ComparisonError"
    assert "at fffffff" in condition["message"]
    assert "stays at 0123456" in condition["message"]
    assert told.cluster == "shop1"
    await served.until(lambda found: found["conditions"] == told.conditions, "app.get", name="till")
    await served.render(key, bundle("b"), NEXT_COMMIT)
    await served.condition("till", "")
    _, record = await edge.next()
    assert record.counter == 2


async def test_a_source_that_renders_to_nothing_takes_nothing_away_unless_that_is_allowed(
    served: Fleet,
) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    await served.render(await served.wanted(), codec.canonical([]), NEXT_COMMIT)
    await served.condition("till", "allowEmpty")
    allowed = application("till")
    allowed["spec"]["syncPolicy"]["automated"]["allowEmpty"] = True
    await served.ask("app.apply", manifest=allowed)
    _, record = await edge.next()
    assert (record.counter, record.digest) == (2, EMPTY_BUNDLE)
    await served.condition("till", "")


async def test_an_application_waits_for_a_cluster_that_is_not_registered_yet(served: Fleet) -> None:
    answer = await served.ask("app.apply", manifest=application("till"))
    assert "no cluster 'shop1' is registered" in answer["warnings"][0]
    record = await served.condition("till", "no cluster 'shop1' is registered")
    assert (record.cluster, record.conditions[0]["type"]) == ("", "InvalidSpecError")
    await served.render(await served.wanted(), bundle("a"))
    edge = await served.edge("shop1")
    record = await served.condition("till", "")
    assert record.cluster == "shop1"
    assert await edge.resync() in ([TILL], [])
    assert TILL in edge.held


async def test_a_destination_may_be_the_server_url_that_a_cluster_was_registered_with(served: Fleet) -> None:
    edge = await served.edge("shop1", server="https://shop1.example.com:6443/")
    destination = {"server": "https://shop1.example.com:6443", "namespace": "till"}
    await served.ask("app.apply", manifest=application("till", destination=destination))
    await served.render(await served.wanted(), bundle("a"))
    assert (await edge.next())[0] == TILL


async def test_argo_cds_own_cluster_is_refused_by_name_unless_one_is_registered_as_in_cluster(
    served: Fleet,
) -> None:
    destination = {"server": "https://kubernetes.default.svc", "namespace": "till"}
    with pytest.raises(RequestRefused, match=r"spec\.destination\.server.*'in-cluster'"):
        await served.ask("app.apply", manifest=application("till", destination=destination))
    await served.add_cluster("in-cluster")

    async def taken() -> bool:
        try:
            await served.ask("app.apply", manifest=application("till", destination=destination))
        except RequestRefused:
            return False
        return True

    await eventually(taken)
    await served.condition("till", "")
    assert (await served.ask("app.get", name="till"))["cluster"] == "in-cluster"


async def test_an_application_that_moves_ends_where_it_was_and_its_objects_stay_there(served: Fleet) -> None:
    here, there = await served.edge("shop1"), await served.edge("shop2")
    await served.deliver(here)
    manifest = (await served.ask("app.get", name="till"))["manifest"]
    manifest["spec"]["destination"]["name"] = "shop2"
    answer = await served.ask("app.apply", manifest=manifest)
    assert "moves from cluster 'shop1' to 'shop2'" in answer["warnings"][0]
    assert not (await there.next())[1].is_tombstone
    _, end = await here.next()
    assert (end.is_tombstone, end.cascade) == (True, False)


async def test_an_unusable_manifest_is_refused_with_every_problem_and_changes_nothing(served: Fleet) -> None:
    bad = application("till")
    bad["spec"]["syncPolicy"]["automated"]["prunee"] = True
    bad["spec"]["project"] = "Secret"
    with pytest.raises(RequestRefused) as refusal:
        await served.ask("app.apply", manifest=bad)
    text = str(refusal.value)
    assert text.startswith("Application till: spec.project: project name 'Secret' is not allowed")
    assert "spec.syncPolicy.automated.prunee: unknown field; did you mean prune?" in text
    with pytest.raises(RequestRefused, match="there is no application 'till'"):
        await served.ask("app.get", name="till")


async def test_a_refusal_says_what_a_person_wrote_in_whatever_script(served: Fleet) -> None:
    manifest = application("till", project="Kasse-Süd-東京")
    with pytest.raises(RequestRefused, match=r"spec\.project: project name 'Kasse-Süd-東京' is not"):
        await served.ask("app.apply", manifest=manifest)


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(served: Fleet) -> None:
    answer = await served.ask("app.apply", manifest=application("till"), dry_run=True)
    assert answer["result"] == "created"
    with pytest.raises(RequestRefused, match="there is no application"):
        await served.ask("app.get", name="till")


async def test_of_many_who_create_the_same_application_at_once_one_does(served: Fleet) -> None:
    async def attempt(n: int) -> str:
        manifest = copy.deepcopy(application("till"))
        manifest["metadata"]["labels"] = {"n": str(n)}
        try:
            return str((await served.ask("app.apply", manifest=manifest))["result"])
        except RequestRefused as error:
            assert "changed by somebody else" in str(error)  # noqa: PT017
            return "refused"

    results = await asyncio.gather(*(attempt(n) for n in range(20)))
    assert results.count("created") == 1


async def test_applications_are_listed_in_pages_and_by_cluster(served: Fleet) -> None:
    for n in range(2):
        await served.add_cluster(f"shop{n}")
    for n in range(5):
        await served.ask("app.apply", manifest=application(f"app-{n}", f"shop{n % 2}"))
    await served.condition("app-4", "")
    first = await served.ask("app.list", limit=2)
    assert [item["name"] for item in first["items"]] == ["app-0", "app-1"]
    assert first["items"][0] == {
        "name": "app-0",
        "cluster": "shop0",
        "project": "default",
        "source": {
            "repoURL": "https://git.example.com/shops.git",
            "path": "app",
            "targetRevision": "HEAD",
        },
        "deleting": False,
    }
    rest = await served.ask("app.list", after=first["next"], limit=10)
    assert [item["name"] for item in rest["items"]] == ["app-2", "app-3", "app-4"]
    assert rest["next"] is None
    here = await served.ask("app.list", cluster="shop1")
    assert [item["name"] for item in here["items"]] == ["app-1", "app-3"]
    with pytest.raises(RequestRefused, match="limit"):
        await served.ask("app.list", limit=0)


async def test_one_commit_that_many_clusters_share_reaches_each_of_them_once(served: Fleet) -> None:
    edges = [await served.edge(f"shop{n}") for n in range(2)]
    names = [f"till-{n}" for n in range(150)]
    for n, name in enumerate(names):
        await served.ask("app.apply", manifest=application(name, edges[n % 2].name))
    key = await served.wanted()
    for data in (bundle("a"), bundle("b")):
        await served.render(key, data)
        for edge in edges:
            while any(edge.held.get(AppName(name)) is None or edge.held[AppName(name)].digest != delta.digest(data) for name in names if int(name[5:]) % 2 == edges.index(edge)):  # fmt: skip
                await edge.next()
    for edge in edges:
        numbers = sorted(record.counter for record in edge.held.values())
        assert numbers == list(range(numbers[0], numbers[0] + 75))
        assert len(edge.sizes) == 150


async def test_a_registry_that_starts_again_publishes_nothing_that_was_published(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
    async with running(fleet.hub):
        await fleet.ready()
        await fleet.deliver(edge, "menu")
        assert edge.held[MENU].generation == Generation(1, 2)
        assert len(edge.sizes) == 2


async def test_what_happened_while_no_registry_ran_is_delivered_when_one_does(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
        key = await fleet.wanted()
    await fleet.render(key, bundle("b"), NEXT_COMMIT)
    async with running(fleet.hub):
        _, record = await edge.next()
        assert record.digest == delta.digest(bundle("b"))


async def test_an_application_that_this_version_does_not_understand_keeps_what_runs_and_says_so(
    fleet: Fleet,
) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
    async with fleet.hub.connect("registry") as connection:
        bucket = KeyValue(JetStream(connection), APPLICATIONS)
        record = ApplicationRecord.unpack((await bucket.get("till")).value)
        record.manifest["spec"]["canary"] = {"steps": 3}
        await bucket.put("till", record.pack())
    async with running(fleet.hub):
        await fleet.ready()
        await fleet.condition("till", "spec.canary: unknown field")
        await fleet.deliver(edge, "menu")
        assert [record.is_tombstone for record in (await fleet.desired()).values()] == [False, False]
        assert edge.held[MENU].counter == 2


async def test_a_registry_goes_on_where_it_was_when_the_bus_comes_back(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    key = await served.wanted()
    served.hub.server.process.kill()
    await served.hub.server.process.wait()
    async with nats_running(EmbeddedSettings(state=served.hub.state, port=served.hub.server.port)):
        async with asyncio.timeout(30):
            await served.renderer.wait_connected()
        await served.render(key, bundle("b"), NEXT_COMMIT)

        async def delivered() -> bool:
            if not edge.connection.is_connected:
                return False
            try:
                await edge.resync()
            except BusError:
                return False
            return edge.held[TILL].digest == delta.digest(bundle("b"))

        await eventually(delivered, 30)


async def test_requests_with_wrong_arguments_are_refused_by_name(served: Fleet) -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("app.get", {}, "name: give a text"),
        ("app.get", {"name": "*"}, "application name"),
        ("app.get", {"name": 5}, "name: give a text"),
        ("app.apply", {}, "must be a map"),
        ("app.apply", {"manifest": application("a"), "dry_run": "yes"}, "dry_run: must be of type bool"),
        ("app.list", {"after": 7}, "after: give a text"),
        ("cluster.get", {"name": "a.b"}, "cluster name"),
        ("cluster.list", {"labels": {"a b": "c"}}, "labels: 'a b' is no label"),
    ]
    for verb, arguments, says in wrong:
        with pytest.raises(RequestRefused, match=says.replace("*", r"\*")):
            await served.ask(verb, **arguments)
