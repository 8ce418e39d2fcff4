"""What clusters are told besides their applications."""

from dataclasses import replace
from typing import Any

import pytest

from app_registry.desired import NO_BUNDLE
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.services import RequestRefused
from outrider.messages import Generation
from outrider.names import AppName
from outrider.subjects import SETTINGS
from outrider.topology import SETTINGS as SETTINGS_BUCKET

from .conftest import NOTHING, Fleet, running, told

HEALTH = "hs = {status = 'Healthy'}\nreturn hs"


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": data}


ARGOCD_CM = config_map(**{"resource.customizations.health.example.com_Till": HEALTH, "url": "https://argo"})


async def test_a_cluster_is_told_the_settings_in_a_signed_record_like_any_other(served: Fleet) -> None:
    edge = await served.edge("shop1")
    answer = await served.ask("app.apply", manifest=ARGOCD_CM)
    assert (answer["kind"], answer["name"], answer["result"]) == ("ConfigMap", "argocd-cm", "created")
    assert answer["warnings"] == ["data[url]: has no effect: Outrider has no such setting"]
    app, record = await edge.next()
    assert (app, record.generation, record.digest) == (SETTINGS, Generation(1, 1), NO_BUNDLE)
    assert record.spec == {"health": {"example.com/Till": {"lua": HEALTH}}}
    assert (await served.ask("app.apply", manifest=ARGOCD_CM))["result"] == "unchanged"
    found = await served.ask("settings.get")
    assert found["manifest"] == config_map(**{"resource.customizations.health.example.com_Till": HEALTH})


async def test_a_cluster_that_nobody_has_anything_to_say_to_is_told_nothing(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    assert list(await served.desired()) == ["fleet.shop1.desired.till"]


async def test_a_cluster_that_comes_later_is_told_on_its_first_resync(served: Fleet) -> None:
    await served.ask("app.apply", manifest=ARGOCD_CM)
    edge = await served.edge("shop1")
    await told(edge, SETTINGS)
    edge.held, edge.seen = {}, NOTHING
    assert await edge.resync() == [SETTINGS]


async def test_each_cluster_has_its_own_time_zone_or_that_of_all(served: Fleet) -> None:
    here = await served.edge("shop1", time_zone="Europe/Berlin")
    assert (await told(here, SETTINGS)).spec == {"timeZone": "Europe/Berlin"}
    there = await served.edge("shop2")
    await served.ask("settings.set", time_zone="Asia/Tokyo")
    assert (await there.next())[1].spec == {"timeZone": "Asia/Tokyo"}
    assert here.held[SETTINGS].counter == 1
    answer = await served.ask("cluster.update", name="shop1", time_zone="", labels={"a": "b"})
    assert (answer["time_zone"], answer["labels"]) == ("", {"a": "b"})
    await told(here, SETTINGS, lambda record: record.spec == {"timeZone": "Asia/Tokyo"})
    with pytest.raises(RequestRefused, match="'Mars/Base' is no time zone"):
        await served.ask("cluster.update", name="shop1", time_zone="Mars/Base")
    with pytest.raises(RequestRefused, match="there is no cluster 'shop9'"):
        await served.ask("cluster.update", name="shop9", time_zone="UTC")


async def test_settings_that_are_taken_back_are_a_record_that_says_nothing(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.ask("app.apply", manifest=ARGOCD_CM)
    await edge.next()
    await served.ask("settings.delete")
    _, record = await edge.next()
    assert (record.spec, record.digest, record.is_tombstone) == ({}, NO_BUNDLE, False)


async def test_what_clusters_were_told_stays_when_the_stored_settings_are_lost(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.ask("app.apply", manifest=ARGOCD_CM)
        await edge.next()
    async with fleet.hub.connect("registry") as registry:
        await KeyValue(JetStream(registry), SETTINGS_BUCKET).delete("clusters")
    async with running(fleet.hub):
        await fleet.ready()
        await fleet.deliver(edge)
        assert edge.held[SETTINGS].spec == {"health": {"example.com/Till": {"lua": HEALTH}}}


async def test_settings_count_as_no_application(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.ask("app.apply", manifest=ARGOCD_CM)
    await edge.next()
    assert (await served.ask("app.list"))["items"] == []
    assert (await served.ask("cluster.get", name="shop1"))["applications"] == 0
    with pytest.raises(RequestRefused, match="is not allowed"):
        await served.ask("app.get", name=SETTINGS)


async def test_settings_are_signed_again_above_what_an_edge_of_a_restored_hub_holds(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.ask("app.apply", manifest=ARGOCD_CM)
    await edge.next()
    edge.held = {app: replace(record, epoch=4, counter=900) for app, record in edge.held.items()}
    edge.seen = Generation(4, 900)
    await edge.ask()
    app, record = await edge.next()
    assert (app, record.generation) == (SETTINGS, Generation(5, 1))
    assert record.spec == {"health": {"example.com/Till": {"lua": HEALTH}}}


async def test_a_cluster_that_is_removed_and_added_again_is_told_anew(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.ask("app.apply", manifest=ARGOCD_CM)
    await edge.next()
    await served.ask("cluster.remove", name="shop1")
    again = await served.edge("shop1")
    assert (await told(again, SETTINGS)).spec == {"health": {"example.com/Till": {"lua": HEALTH}}}


async def test_settings_that_are_too_large_are_refused_with_their_size(served: Fleet) -> None:
    scripts = {f"resource.customizations.health.example.com_Kind{n}": "x" * 60_000 for n in range(5)}
    with pytest.raises(RequestRefused, match="larger than 256 KiB"):
        await served.ask("app.apply", manifest=config_map(**scripts))
    data = {"resource.customizations.health.example.com_Till": "x" * 70_000}
    with pytest.raises(RequestRefused, match="more than 65536 characters"):
        await served.ask("app.apply", manifest=config_map(**data))


async def test_of_what_argocd_cm_holds_besides_nothing_is_stored(served: Fleet) -> None:
    secret = "hush-" + "x" * 20
    manifest = config_map(**{"dex.config": secret, "resource.customizations.health.Pod": HEALTH})
    await served.ask("app.apply", manifest=manifest)
    async with served.hub.connect("registry") as registry:
        entry = await KeyValue(JetStream(registry), SETTINGS_BUCKET).get("clusters")
    assert secret.encode() not in entry.value
    assert AppName("/Pod") in (await served.ask("settings.get"))["customisations"]["health"]


async def test_what_a_clusters_link_may_carry_is_told_to_its_agent_and_taken_back(served: Fleet) -> None:
    edge = await served.edge("shop1", bytes_per_day=5_000_000)
    assert (await told(edge, SETTINGS)).spec == {"link": {"bytesPerDay": 5_000_000}}
    answer = await served.ask("cluster.update", name="shop1", bytes_per_second=2000)
    assert (answer["bytes_per_second"], answer["bytes_per_day"]) == (2000, 5_000_000)
    both = {"link": {"bytesPerSecond": 2000, "bytesPerDay": 5_000_000}}
    await told(edge, SETTINGS, lambda record: record.spec == both)
    for wrong in (-1, 1, True, "many"):
        with pytest.raises(RequestRefused, match="bytes_per_day: must be"):
            await served.ask("cluster.update", name="shop1", bytes_per_day=wrong)
    answer = await served.ask("cluster.update", name="shop1", bytes_per_second=0, bytes_per_day=0)
    assert (answer["bytes_per_second"], answer["bytes_per_day"]) == (0, 0)
    await told(edge, SETTINGS, lambda record: record.spec == {})
