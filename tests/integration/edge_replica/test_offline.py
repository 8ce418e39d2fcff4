"""A site without its hub whose replica is damaged: what can go on goes on, nothing live is touched, and the site is told."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.edge_local.conftest import LocalSite, config_map

from outrider_playground.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

MENU = config_map("menu", dish="1")
TILL = config_map("till", coin="1")


def change(path: Path, *statements: str) -> None:
    """Change values behind their checksums, as a bit that flips does."""
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


async def two_applications(site: LocalSite) -> None:
    site.hub.desire("menu", MENU)
    site.hub.desire("till", TILL)
    assert (await site.import_(site.hub.file())).status == 0
    await site.until_app("menu", lambda app: app["sync"] == "Synced")
    await site.until_synced("till")


async def said(site: LocalSite, kind: str) -> str:
    """Return what a condition of the cluster says; empty where there is none."""
    conditions = (await site.status())["about"]["conditions"]
    return next((str(one["message"]) for one in conditions if one["type"] == kind), "")


async def until_said(site: LocalSite, kind: str, words: str) -> None:
    async def holds() -> bool:
        return words in await said(site, kind)

    await eventually(holds, 30)


def edit(site: LocalSite, manifest: dict[str, Any], value: str) -> None:
    name = manifest["metadata"]["name"]
    key = next(iter(manifest["data"]))
    placed = {**manifest, "metadata": {"name": name, "namespace": "shop"}}
    site.cluster.edit(placed, {"data": {key: value}})


async def healed(site: LocalSite, manifest: dict[str, Any]) -> None:
    await eventually(lambda: site.live(manifest["metadata"]["name"]) == manifest["data"], 30)


async def test_a_damaged_copy_of_a_record_costs_nothing(site: LocalSite) -> None:
    async with site.agent():
        await two_applications(site)
    path = site.state / "replica.sqlite"
    change(path, "UPDATE desired SET record = zeroblob(30)", "UPDATE core SET value = zeroblob(9)")
    edit(site, MENU, "drifted")
    async with site.agent():
        await healed(site, MENU)
        await until_said(site, "ReplicaRebuilt", "written again from the other one (menu, till)")
        menu = await site.app("menu")
        assert [entry["revision"] for entry in menu["history"]] == ["r1"]
        assert "ReplicaRebuilt" in [one["type"] for one in menu["conditions"]]
        assert "replica-rebuilt" in await site.done("journal")
    change(path, "UPDATE desired_twin SET counter = 99")
    async with site.agent():
        edit(site, TILL, "drifted")
        await healed(site, TILL)


async def test_an_application_whose_record_is_lost_is_left_as_it_is_until_it_comes_again(
    site: LocalSite,
) -> None:
    async with site.agent():
        await two_applications(site)
    lost = "SET record = zeroblob(30) WHERE app = 'menu'"
    change(site.state / "replica.sqlite", f"UPDATE desired {lost}", f"UPDATE desired_twin {lost}")
    async with site.agent():
        await until_said(site, "ReplicaRebuilt", "what runs stays as it is (menu)")
        edit(site, MENU, "drifted")
        edit(site, TILL, "drifted")
        await healed(site, TILL)
        assert site.live("menu") == {"dish": "drifted"}
        assert (await site.import_(site.hub.file())).status == 0
        await healed(site, MENU)


async def test_an_application_whose_bundle_is_lost_says_so_and_goes_on_once_it_is_there(
    site: LocalSite,
) -> None:
    async with site.agent():
        await two_applications(site)
    change(site.state / "replica.sqlite", "UPDATE bundles SET frame = zeroblob(40)")
    async with site.agent():
        for name in ("menu", "till"):
            app = await site.until_app(name, lambda app: "BundleError" in str(app["conditions"]))
            assert (app["sync"], app["health"]) == ("Unknown", "Unknown")
        edit(site, MENU, "drifted")
        await until_said(site, "ReplicaRebuilt", "bundles were damaged and are fetched again")
        assert site.live("till") == TILL["data"]
        assert (await site.import_(site.hub.file())).status == 0
        await healed(site, MENU)
        await site.until_app("menu", lambda app: "BundleError" not in str(app["conditions"]))


async def test_an_application_whose_memory_is_lost_finds_out_again_what_is_there(site: LocalSite) -> None:
    async with site.agent():
        await two_applications(site)
    change(
        site.state / "replica.sqlite",
        "UPDATE core SET value = zeroblob(9)",
        "UPDATE progress SET value = zeroblob(9)",
    )
    before = [site.cluster.get("ConfigMap", name, "shop") for name in ("menu", "till")]
    async with site.agent():
        await site.until_app("menu", lambda app: app["sync"] == "Synced")
        await site.until_app("menu", lambda app: "history is lost" in str(app["conditions"]))
        assert [site.cluster.get("ConfigMap", name, "shop") for name in ("menu", "till")] == before


async def test_a_file_that_is_damaged_while_the_agent_runs_is_made_again_and_nothing_stops(
    site: LocalSite,
) -> None:
    path = site.state / "replica.sqlite"
    async with site.agent():
        await two_applications(site)
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.write(b"\xa5" * size)
        (path.with_name(f"{path.name}-wal")).write_bytes(b"")
        for round_ in range(6):
            # What SQLite has in memory hides it for a while.
            manifest = config_map("menu", dish=str(round_))
            site.hub.desire("menu", manifest, config_map("large", text="x" * 300_000))
            await site.import_(site.hub.file())
            await site.until_app("menu", lambda app: app["sync"] in ("Synced", "OutOfSync"))
        edit(site, TILL, "drifted")
        await healed(site, TILL)
    async with site.agent():
        await site.import_(site.hub.file())
        await site.until_synced("menu")
        edit(site, TILL, "drifted again")
        await healed(site, TILL)


async def test_a_file_that_is_taken_away_while_the_agent_runs_is_there_again(site: LocalSite) -> None:
    path = site.state / "replica.sqlite"
    async with site.agent():
        await two_applications(site)
        for file in site.state.glob("replica.sqlite*"):
            file.unlink()
        site.hub.desire("menu", config_map("menu", dish="2"))
        assert (await site.import_(site.hub.file())).status == 0
        await site.until_synced("menu")
        assert path.exists()
    async with site.agent():
        edit(site, TILL, "drifted")
        await healed(site, TILL)
        assert (await site.app("menu"))["revision"] == "r3"


@pytest.mark.parametrize(
    "damaged", ["UPDATE core SET value = zeroblob(9)", "UPDATE progress SET value = zeroblob(9)"]
)
async def test_no_hook_runs_twice_where_one_of_two_memories_of_it_is_damaged(
    site: LocalSite, damaged: str
) -> None:
    hook = config_map("migration", schema="2")
    hook["metadata"]["annotations"] = {"argocd.argoproj.io/hook": "PreSync"}
    site.hub.desire("shop", hook, never_ready("waits", wave="0"), with_wave(config_map("last", n="1"), "1"))
    async with site.agent():
        assert (await site.import_(site.hub.file())).status == 0
        await eventually(lambda: site.cluster.get("Deployment", "waits", "shop", "apps/v1") is not None, 30)
    before = site.cluster.get("ConfigMap", "migration", "shop")
    assert before is not None
    began = (await operation(site))["startedAt"]
    change(site.state / "replica.sqlite", damaged)
    assert (await operation(site))["startedAt"] == began
    assert site.cluster.get("ConfigMap", "migration", "shop") == before


async def operation(site: LocalSite) -> dict[str, Any]:
    """Start the agent and return what the application's operation says."""
    async with site.agent():
        app = await site.until_app("shop", lambda app: app["operation"].get("phase") == "Running")
        found: dict[str, Any] = app["operation"]
        return found


def never_ready(name: str, wave: str, image: str = "shop/till:broken") -> dict[str, Any]:
    labels = {"app": name}
    made: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
        },
    }
    return with_wave(made, wave)


def with_wave(manifest: dict[str, Any], wave: str) -> dict[str, Any]:
    manifest["metadata"]["annotations"] = {"argocd.argoproj.io/sync-wave": wave}
    return manifest
