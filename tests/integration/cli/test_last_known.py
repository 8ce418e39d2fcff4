"""What is shown of an application whose cluster does not answer."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml
from tests.integration.cli.conftest import Outrider
from tests.integration.cli.services import COMMIT, Services, seen

WEB = {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"}
MANIFEST = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
AWAY = {
    "source": "last-known", "basis": "answer", "as_of": "2026-03-14T14:02:00Z", "age_s": 2220, "presence": "offline",
    "freshness": "offline", "reason": "cluster 'shop1' is offline: it goes on with what it has",
}  # fmt: skip
STATUS = {**AWAY, "basis": "status"}


def clock() -> str:
    moment, now = datetime.now().astimezone() - timedelta(seconds=2220), datetime.now().astimezone()
    return moment.strftime("%H:%M" if moment.date() == now.date() else "%Y-%m-%d %H:%M")


@pytest.fixture
def web(services: Services) -> Services:
    """An application that was healthy when its cluster went away."""
    services.applications["web"] = {"metadata": {"name": "web"}, "spec": {}}
    document = {"resources": [{**WEB, "version": "v1", "status": "Synced"}]}
    services.statuses["web"] = seen("web", document=document)
    node = {
        **WEB,
        "uid": "d",
        "parents": [],
        "created_at": "",
        "health": {"status": "Healthy"},
        "sync": "OutOfSync",
    }
    services.answers["tree"] = {"nodes": [node], "orphaned": [], **AWAY}
    services.answers["diff"] = {"resources": [], **AWAY}
    services.answers["manifest"] = {"desired": None, "live": MANIFEST, **AWAY}
    return services


async def test_a_tree_of_a_cluster_that_is_away_is_shown_with_its_time_age_and_reason(
    web: Services, outrider: Outrider
) -> None:
    ended = await outrider("app", "tree", "web")
    assert ended.status == 0
    lines = ended.stdout.splitlines()
    assert lines[0] == f"As of {clock()}, 37 min ago, cluster offline"
    assert "Deployment.apps shop/web  Healthy" in lines[3]
    assert lines[3].endswith("OutOfSync")
    assert ended.stderr == f"note: not live, but as of {clock()}, 37 min ago, cluster offline\n"


async def test_a_difference_of_a_cluster_that_is_away_says_what_is_not_known(
    web: Services, outrider: Outrider
) -> None:
    ended = await outrider("app", "diff", "web")
    assert (ended.status, ended.stdout.splitlines()[2]) == (0, "No differences.")
    unknown: dict[str, Any] = {
        **WEB,
        "state": "modified",
        "live": None,
        "desired": MANIFEST,
        "changes": [],
        "message": "not known",
    }
    known = {**WEB, "name": "menu", "state": "modified", "live": {"a": 1}, "desired": {"a": 2}, "changes": [],
             "live_as_of": "2026-03-12T10:00:00Z"}  # fmt: skip
    web.answers["diff"] = {"resources": [unknown, known], **STATUS, "undelivered_revision": COMMIT}
    ended = await outrider("app", "diff", "web")
    assert ended.status == 1
    lines = ended.stdout.splitlines()
    assert lines[0].endswith("37 min ago, cluster offline: by its last status, nobody looked before")
    assert lines[1] == f"revision {COMMIT[:7]} has not reached the cluster: what it changes is not in this"
    assert lines[3] == "=== Deployment.apps shop/web differs: not known ==="
    assert lines[4] == "  apiVersion: apps/v1"
    assert not [line for line in lines[4:10] if line.startswith(("+", "-"))]
    assert "=== Deployment.apps shop/menu differs (values as of 2026-03-12T10:00:00Z) ===" in lines
    assert lines[-2:] == ["-a: 1", "+a: 2"]
    assert f"note: revision {COMMIT[:7]} has not reached the cluster" in ended.stderr


async def test_live_objects_of_a_cluster_that_is_away_are_printed_under_their_age(
    web: Services, outrider: Outrider
) -> None:
    ended = await outrider("app", "manifests", "web", "--live")
    assert ended.status == 0
    assert ended.stdout.startswith(f"# as of {clock()}, 37 min ago, cluster offline\napiVersion: apps/v1\n")
    assert yaml.safe_load(ended.stdout) == MANIFEST
    assert "note: not live, but as of" in ended.stderr
    listed = json.loads((await outrider("app", "manifests", "web", "--live", "-o", "json")).stdout)
    assert listed["items"] == [MANIFEST]
    assert (listed["outrider"]["source"], listed["outrider"]["age_s"]) == ("last-known", 2220)


@pytest.mark.parametrize("command", [["tree"], ["diff"], ["manifests", "--live"]], ids=" ".join)
async def test_programs_are_told_in_fields_and_whoever_needs_it_live_asks_for_it(
    web: Services, outrider: Outrider, command: list[str]
) -> None:
    verb, *options = command
    found: dict[str, Any] = json.loads((await outrider("app", verb, "web", *options, "-o", "json")).stdout)
    mark = found.get("outrider", found)
    assert AWAY.items() <= mark.items()
    await outrider("app", verb, "web", "--fresh" if verb == "manifests" else "--live", *options)
    assert web.asked[-1][1]["live"] is True


async def test_an_age_that_nobody_knows_is_said_to_be_unknown(web: Services, outrider: Outrider) -> None:
    web.answers["tree"] |= {"age_s": None, "as_of": None, "presence": "online", "freshness": "stale"}
    shown = (await outrider("app", "tree", "web")).stdout.splitlines()[0]
    assert shown == "As of an unknown time, nobody knows how long ago, cluster silent"


async def test_an_application_that_its_edge_renders_is_asked_of_its_edge_object_by_object(
    web: Services, outrider: Outrider
) -> None:
    web.answers["manifests"] = {"items": [], "next": None, "rendered_at": "edge", "source": "hub"}
    web.answers["manifest"] = {"desired": MANIFEST, "source": "live"}
    ended = await outrider("app", "manifests", "web")
    assert (yaml.safe_load(ended.stdout), ended.stderr) == (MANIFEST, "")
