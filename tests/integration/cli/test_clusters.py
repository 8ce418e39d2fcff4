import json
import stat
from pathlib import Path

import yaml
from tests.integration.cli.conftest import Outrider
from tests.integration.cli.services import Services

from outrider.bus import connected
from outrider.identity import credentials


async def test_an_edge_connects_with_the_credentials_that_adding_its_cluster_made(
    services: Services, outrider: Outrider, tmp_path: Path
) -> None:
    out = tmp_path / "shop1.creds"
    ended = await outrider(
        "cluster", "add", "shop1", "--label", "region=north", "--credentials-only", "--out", out
    )
    assert ended.status == 0, ended.stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert services.clusters["shop1"]["labels"] == {"region": "north"}
    async with connected(credentials.bus_settings(out)) as edge:
        assert edge.name == "shop1"


async def test_the_private_half_of_a_clusters_key_is_not_sent_to_the_hub(
    services: Services, outrider: Outrider
) -> None:
    ended = await outrider("cluster", "add", "shop1", "--credentials-only")
    seed = credentials.parse(ended.stdout).user.seed
    assert seed.startswith("SU")
    assert seed not in repr(services.asked)
    assert seed not in ended.stderr


async def test_adding_a_cluster_again_to_the_same_file_keeps_its_key(
    services: Services, outrider: Outrider, tmp_path: Path
) -> None:
    out = tmp_path / "shop1.creds"
    seeds = []
    for _ in range(2):
        assert (await outrider("cluster", "add", "shop1", "--credentials-only", "--out", out)).status == 0
        seeds.append(credentials.load(out).user.seed)
    assert seeds[0] == seeds[1]


async def test_a_name_that_has_another_key_is_refused_unless_it_is_to_be_replaced(
    services: Services, outrider: Outrider
) -> None:
    await outrider("cluster", "add", "shop1")
    refused = await outrider("cluster", "add", "shop1")
    assert (refused.status, refused.stdout) == (1, "")
    assert "exists with another key" in refused.stderr
    assert (await outrider("cluster", "add", "shop1", "--replace")).status == 0


async def test_the_credentials_of_another_cluster_are_not_written_over(
    services: Services, outrider: Outrider, tmp_path: Path
) -> None:
    out = tmp_path / "shop1.creds"
    await outrider("cluster", "add", "shop1", "--credentials-only", "--out", out)
    before = out.read_text()
    ended = await outrider("cluster", "add", "shop2", "--credentials-only", "--out", out)
    assert ended.status == 1
    assert "'shop1'" in ended.stderr
    assert out.read_text() == before
    assert "shop2" not in services.clusters


async def test_the_hub_is_not_asked_when_the_file_cannot_be_written(
    services: Services, outrider: Outrider, tmp_path: Path
) -> None:
    ended = await outrider("cluster", "add", "shop1", "--out", tmp_path / "nowhere" / "agent.yaml")
    assert ended.status == 1
    assert "agent.yaml" in ended.stderr
    assert services.asked == []


async def test_the_manifest_holds_the_credentials_and_every_part_of_an_agent(
    services: Services, outrider: Outrider
) -> None:
    ended = await outrider("cluster", "add", "shop1", "--hub-server", "tls://hub.example.com:4222")
    objects = {one["kind"]: one for one in yaml.safe_load_all(ended.stdout)}
    assert list(objects) == [
        "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Secret", "Role", "RoleBinding",
        "PersistentVolumeClaim", "Deployment",
    ]  # fmt: skip
    held = credentials.parse(objects["Secret"]["stringData"]["credentials"])
    assert held.user.name == "shop1"
    assert held.servers == ("tls://hub.example.com:4222",)
    assert held.hub_keys == (b"k" * 32,)
    assert "note" not in ended.stderr


async def test_a_cluster_that_renders_itself_gets_an_agent_that_can(
    services: Services, outrider: Outrider
) -> None:
    ended = await outrider("cluster", "add", "shop1", "--render", "edge")
    assert services.clusters["shop1"]["render"] == "edge"
    objects = {one["kind"]: one for one in yaml.safe_load_all(ended.stdout)}
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("outrider-agent-rendering:")
    assert container["resources"]["limits"]["memory"] == "1Gi"
    ended = await outrider("cluster", "add", "shop2", "--render", "edge", "--image", "mirror/agent:2")
    assert "image: mirror/agent:2" in ended.stdout
    ended = await outrider("cluster", "set", "shop1", "--render", "hub")
    assert (ended.status, services.clusters["shop1"]["render"]) == (0, "hub")
    assert (await outrider("cluster", "set", "shop1", "--render", "cloud")).status == 2


async def test_a_hub_that_only_its_own_machine_can_reach_is_pointed_out(
    services: Services, outrider: Outrider
) -> None:
    ended = await outrider("cluster", "add", "shop1")
    assert ended.status == 0
    assert "--host" in ended.stderr


async def test_the_manifest_as_json_is_one_list_for_kubectl(services: Services, outrider: Outrider) -> None:
    ended = await outrider("cluster", "add", "shop1", "--ephemeral", "--output", "json")
    listed = json.loads(ended.stdout)
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "List")
    assert "PersistentVolumeClaim" not in {one["kind"] for one in listed["items"]}


async def test_clusters_are_listed_over_all_pages(services: Services, outrider: Outrider) -> None:
    for number in range(5):
        services.clusters[f"shop{number}"] = {
            "name": f"shop{number}",
            "labels": {"n": str(number)},
            "applications": number,
        }
    names = [item["name"] for item in json.loads((await outrider("cluster", "list", "-o", "json")).stdout)]
    assert names == [f"shop{number}" for number in range(5)]
    shown = (await outrider("cluster", "list")).stdout
    assert [line.split()[0] for line in shown.splitlines()] == ["NAME", *names]
    assert "n=3" in shown


async def test_clusters_are_listed_with_who_is_there_and_how_old_the_last_word_is(
    services: Services, outrider: Outrider
) -> None:
    for name in ("shop1", "shop2", "shop3"):
        services.clusters[name] = {"name": name, "labels": {}, "applications": 1}
    services.presences = [
        {"name": "shop1", "presence": "online", "freshness": "fresh", "heard_at_ms": 1, "age_s": 7},
        {"name": "shop2", "presence": "offline", "freshness": "offline", "heard_at_ms": 1, "age_s": 2220},
    ]
    shown = (await outrider("cluster", "list")).stdout.splitlines()
    assert shown[1].startswith("shop1  online    7 s ago")
    assert shown[2].startswith("shop2  offline   37 min ago, cluster offline")
    assert shown[3].startswith("shop3  unknown   never heard of")
    items = json.loads((await outrider("cluster", "list", "-o", "json")).stdout)
    assert [item["freshness"] for item in items] == ["fresh", "offline", "unknown"]


async def test_a_cluster_with_applications_is_removed_only_as_lost_and_what_it_runs_is_told(
    services: Services, outrider: Outrider
) -> None:
    services.clusters["shop1"] = {"name": "shop1", "applications": 2}
    refused = await outrider("cluster", "remove", "shop1")
    assert refused.status == 1
    assert "drain it first" in refused.stderr
    removed = await outrider("cluster", "remove", "shop1", "--lost")
    assert removed.stdout.splitlines() == [
        "cluster/shop1 removed",
        "left behind of till: Deployment shop/till, Service shop/till",
    ]
    assert services.clusters == {}


async def test_draining_a_cluster_waits_for_a_persons_word(services: Services, outrider: Outrider) -> None:
    services.clusters["shop1"] = {"name": "shop1", "applications": 2, "state": "active"}
    asked = await outrider("cluster", "drain", "shop1")
    assert asked.status != 0
    assert "End 2 applications on cluster shop1 (their objects are deleted)?" in asked.stderr
    assert services.clusters["shop1"]["state"] == "active"
    drained = await outrider("cluster", "drain", "shop1", "--yes")
    assert drained.stdout == "cluster/shop1 draining, 1 application left\n"
    assert "draining" in (await outrider("cluster", "list")).stdout
    assert (await outrider("cluster", "drain", "shop1", "--cancel")).stdout == "cluster/shop1 active\n"


async def test_a_cluster_is_shown_with_its_presence(services: Services, outrider: Outrider) -> None:
    services.clusters["shop1"] = {
        "name": "shop1",
        "labels": {},
        "server": "https://10.0.0.1:6443",
        "applications": 3,
    }
    services.presences = [
        {"name": "shop1", "presence": "offline", "freshness": "offline", "since_ms": 1, "heard_at_ms": 1, "degraded": 0,
         "last_known": {"health": {"Healthy": 2, "Degraded": 1}}}
    ]  # fmt: skip
    shown = (await outrider("cluster", "get", "shop1")).stdout
    assert "cluster offline" in shown
    assert "2 Healthy, 1 Degraded as of 1970-01-01" in shown
    assert "https://10.0.0.1:6443" in shown
    assert json.loads((await outrider("cluster", "get", "shop1", "-o", "json")).stdout)["degraded"] == 0


async def test_a_name_that_could_stand_for_several_clusters_is_no_name(outrider: Outrider) -> None:
    for name in ("*", ">", "a.b", "Shop", "-x", "x" * 64):
        ended = await outrider("cluster", "get", "--", name)
        assert ended.status == 2, name
        assert "lower-case" in ended.stderr


async def test_a_cluster_is_changed_and_what_is_not_given_stays(
    services: Services, outrider: Outrider
) -> None:
    added = (
        "cluster",
        "add",
        "shop1",
        "--label",
        "region=north",
        "--time-zone",
        "Europe/Paris",
        "--credentials-only",
    )
    assert (await outrider(*added)).status == 0
    assert services.clusters["shop1"]["time_zone"] == "Europe/Paris"
    ended = await outrider(
        "cluster",
        "set",
        "shop1",
        "--time-zone",
        "Europe/Berlin",
        "--label",
        "tier=gold",
        "--remove-label",
        "region",
    )
    assert ended.status == 0, ended.stderr
    assert "Europe/Berlin" in ended.stdout
    assert services.clusters["shop1"]["labels"] == {"tier": "gold"}
    await outrider("cluster", "set", "shop1", "--server", "https://10.0.0.1")
    held = services.clusters["shop1"]
    assert (held["labels"], held["time_zone"]) == ({"tier": "gold"}, "Europe/Berlin")
    await outrider("cluster", "set", "shop1", "--bytes-per-second", "2k", "--bytes-per-day", "1.5M")
    held = services.clusters["shop1"]
    assert (held["bytes_per_second"], held["bytes_per_day"]) == (2000, 1_500_000)
    ended = await outrider("cluster", "set", "shop1", "--bytes-per-day", "lots")
    assert (ended.status, "write it as 500, 64k or 1.5M" in ended.stderr) == (2, True)
    await outrider("cluster", "set", "shop1", "--time-zone", "")
    assert services.clusters["shop1"]["time_zone"] == ""
    assert (await outrider("cluster", "set", "shop1")).status == 2


async def test_clusters_are_named_one_a_line_for_scripts(services: Services, outrider: Outrider) -> None:
    for name in ("a", "b", "c"):
        services.clusters[name] = {"name": name, "labels": {}}
    assert (await outrider("cluster", "list", "-o", "name")).stdout == "cluster/a\ncluster/b\ncluster/c\n"
