import asyncio
import json
from pathlib import Path
from typing import Any

from tests.integration.cli.conftest import Outrider
from tests.integration.cli.services import COMMIT, Services, seen


def application(name: str, **spec: Any) -> dict[str, Any]:
    source = {"repoURL": "https://git.example.com/shops.git", "path": "web", "targetRevision": "main"}
    destination = {"name": "shop1", "namespace": "shop"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name},
        "spec": {"project": "default", "source": source, "destination": destination, **spec},
    }


def project(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name},
        "spec": {"sourceRepos": ["*"], "destinations": [{"name": "*", "namespace": "*"}], **spec},
    }


def application_set(name: str) -> dict[str, Any]:
    template = {"metadata": {"name": "{{name}}"}, "spec": application("x")["spec"]}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": name},
        "spec": {"generators": [{"clusters": {}}], "template": template},
    }


SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "argocd-cm"},
    "data": {"resource.customizations.health.example.com_Till": "return {status = 'Healthy'}"},
}


def documents(*manifests: dict[str, Any]) -> bytes:
    return "\n---\n".join(json.dumps(one, indent=1) for one in manifests).encode()


async def test_each_document_has_its_outcome_on_a_line(services: Services, outrider: Outrider) -> None:
    both = b"# applications\n" + documents(application("till"), application("web"))
    ended = await outrider("app", "apply", "-f", "-", stdin=both)
    assert ended == (0, "application/till created\napplication/web created\n", "")
    again = await outrider("app", "apply", "-f", "-", stdin=both)
    assert again.stdout == "application/till unchanged\napplication/web unchanged\n"


async def test_all_problems_of_all_documents_are_shown_and_nothing_is_written_if_one_is_refused(
    services: Services, outrider: Outrider, tmp_path: Path
) -> None:
    folder = tmp_path / "applications"
    folder.mkdir()
    invalid = application("broken")
    del invalid["spec"]["project"]
    (folder / "a.yaml").write_bytes(
        b"# first\n" + documents(application("till"), invalid, application("web"))
    )
    (folder / "b.json").write_bytes(documents(application("kiosk")))
    (folder / "c.yml").write_text("kind: [")
    (folder / "d").mkdir()
    (folder / "d" / "d.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n")
    (folder / "notes.txt").write_text("no manifest")
    ended = await outrider("app", "apply", "-f", folder)
    assert (ended.status, ended.stdout, services.applications) == (1, "", {})
    broken, unreadable, other, summary = ended.stderr.splitlines()
    assert broken == f"{folder}/a.yaml:21 (document 2): application/broken: spec.project: is missing"
    assert unreadable.startswith(f"{folder}/c.yml:")
    assert other.startswith(f"{folder}/d/d.yaml:1 (document 1): kind: Deployment of apps/v1 (web) is nothing")
    assert summary == "nothing was written: 3 of 6 objects are refused"


async def test_other_kinds_are_left_out_when_asked_to_and_it_is_said(
    services: Services, outrider: Outrider
) -> None:
    other = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    both = documents(other, application("web"))
    ended = await outrider("app", "apply", "--ignore-others", "-f", "-", stdin=both)
    assert (ended.status, ended.stdout) == (0, "application/web created\n")
    assert ended.stderr == "standard input:1 (document 1): left out: Deployment of apps/v1\n"


async def test_projects_and_settings_are_written_before_applications_whatever_the_order(
    services: Services, outrider: Outrider
) -> None:
    everything = documents(
        application_set("shops"), application("till", project="tills"), SETTINGS, project("tills")
    )
    ended = await outrider("app", "apply", "-f", "-", stdin=everything)
    assert ended.stderr == ""
    assert ended.stdout.splitlines() == [
        "project/tills created", "settings/argocd-cm created", "application/till created", "set/shops created",
    ]  # fmt: skip
    written = [
        arguments["manifest"]["kind"]
        for subject, arguments in services.asked
        if subject == "hub.registry.app.apply" and "dry_run" not in arguments
    ]
    assert written == ["AppProject", "ConfigMap", "Application", "ApplicationSet"]


async def test_applications_are_checked_by_the_projects_that_come_with_them(
    services: Services, outrider: Outrider
) -> None:
    both = documents(application("till", project="tills"), project("tills"), application("web"))
    assert (await outrider("app", "apply", "-f", "-", "--dry-run", stdin=both)).status == 0
    checked = {one["manifest"]["metadata"]["name"]: one.get("project") for _, one in services.asked}
    assert checked == {"tills": None, "till": project("tills"), "web": None}


async def test_what_is_wrong_with_a_project_is_told_once_and_not_of_each_application_in_it(
    services: Services, outrider: Outrider
) -> None:
    tills = {**project("tills"), "spec": {"wrong": True}}
    both = documents(application("till", project="tills"), tills)
    ended = await outrider("app", "apply", "-f", "-", stdin=both)
    assert ended.status == 1
    assert ended.stderr.splitlines() == [
        "standard input:20 (document 2): project/tills: spec.wrong: unknown field",
        "nothing was written: 1 of 2 objects are refused",
    ]
    assert [one.get("project") for _, one in services.asked] == [None, None]


async def test_an_application_is_written_once_the_hub_goes_by_the_project_before_it(
    services: Services, outrider: Outrider
) -> None:
    services.late = 3
    both = documents(application("till", project="tills"), project("tills"))
    ended = await outrider("app", "apply", "-f", "-", stdin=both)
    assert (ended.status, ended.stderr) == (0, "")
    assert services.late == 0
    assert list(services.applications) == ["till"]


async def test_a_name_that_is_given_twice_is_refused_unless_both_are_the_same(
    services: Services, outrider: Outrider
) -> None:
    one, other = application("web"), application("web", info=[{"name": "a", "value": "b"}])
    assert (await outrider("app", "apply", "-f", "-", stdin=documents(one, one))).stdout.count("web") == 1
    ended = await outrider("app", "apply", "-f", "-", stdin=documents(one, other))
    assert ended.status == 1
    assert (
        "(document 2): application/web: is in standard input:1 (document 1) too, and differs" in ended.stderr
    )


async def test_many_objects_are_written_and_each_is_told_in_order(
    services: Services, outrider: Outrider
) -> None:
    names = [f"app-{number:03}" for number in range(100)]
    ended = await outrider("app", "apply", "-f", "-", stdin=documents(*(application(one) for one in names)))
    assert ended.stdout.splitlines() == [f"application/{name} created" for name in names]


async def test_what_kubectl_prints_is_taken_without_what_the_cluster_added(
    services: Services, outrider: Outrider
) -> None:
    from_cluster = application("web")
    from_cluster["metadata"] |= {"uid": "1", "managedFields": [{"manager": "x"}], "resourceVersion": "7"}
    from_cluster["status"] = {"resources": ["x" * (1 << 21)]}
    listed = {"apiVersion": "v1", "kind": "List", "items": [from_cluster], "metadata": {}}
    ended = await outrider("app", "apply", "-f", "-", stdin=json.dumps(listed).encode())
    assert (ended.status, ended.stderr) == (0, "")
    assert services.applications["web"] == application("web")


async def test_a_dry_run_changes_nothing(services: Services, outrider: Outrider) -> None:
    ended = await outrider("app", "apply", "--dry-run", "-f", "-", stdin=documents(application("till")))
    assert ended.stdout == "application/till created (dry run)\n"
    assert services.applications == {}


async def test_yaml_is_read_as_kubectl_reads_it(services: Services, outrider: Outrider) -> None:
    text = b"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: till}\nspec: {project: default, a: y, b: 0o17, c: 1e3}\n"
    assert (await outrider("app", "apply", "-f", "-", stdin=text)).status == 0
    spec = services.applications["till"]["spec"]
    assert (spec["a"], spec["b"], spec["c"]) == (True, 15, 1000)


async def test_a_yaml_bomb_is_refused_with_its_line(services: Services, outrider: Outrider) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    ended = await outrider("app", "apply", "-f", "-", stdin=bomb.encode())
    assert ended.status == 1
    assert "standard input:" in ended.stderr
    assert "aliases" in ended.stderr
    brackets = await outrider("app", "apply", "-f", "-", stdin=b"[" * 200_000)
    assert brackets.status == 1
    assert "nested" in brackets.stderr


async def test_an_application_too_large_for_the_bus_is_refused_by_its_name(
    services: Services, outrider: Outrider
) -> None:
    large = application("till", info=[{"name": "x", "value": "y" * (1 << 20)}])
    ended = await outrider("app", "apply", "-f", "-", stdin=documents(large, application("web")))
    assert ended.status == 1
    assert "application/till" in ended.stderr
    assert services.applications == {}


async def test_a_file_that_is_not_there_is_named(
    services: Services, outrider: Outrider, tmp_path: Path
) -> None:
    ended = await outrider(
        "app", "apply", "-f", tmp_path / "missing.yaml", "-f", "-", stdin=documents(application("web"))
    )
    assert ended.status == 1
    assert "missing.yaml: can't be read: No such file" in ended.stderr
    assert services.applications == {}


async def test_the_outcomes_as_json_name_file_and_document(services: Services, outrider: Outrider) -> None:
    ended = await outrider(
        "app",
        "apply",
        "-o",
        "json",
        "-f",
        "-",
        stdin=documents(application("web"), {"kind": "List", "items": [3]}),
    )
    assert ended.status == 1
    assert ended.stderr == ""
    second, first = json.loads(ended.stdout)
    assert (first["name"], first["result"], first["document"]) == ("web", "created", 1)
    assert first["dryRun"]
    assert (second["file"], second["document"], second["item"]) == ("standard input", 2, 1)
    assert "no object" in second["error"]


async def test_a_stale_application_is_told_with_its_age(services: Services, outrider: Outrider) -> None:
    old_ms = 1_760_000_000_000
    away: dict[str, Any] = {
        "freshness": "offline",
        "presence": "offline",
        "observed_at_ms": old_ms,
        "received_at_ms": old_ms,
    }
    services.statuses = {"till": seen("till"), "web": seen("web", **away)}
    shown = (await outrider("app", "list")).stdout.splitlines()
    assert shown[1].split() == ["till", "shop1", "Synced", "Healthy", COMMIT[:7], "0", "s", "ago"]
    assert "Healthy as of 2025-10-09" in shown[2]
    assert "days ago, cluster offline" in shown[2]


async def test_applications_are_filtered_at_the_hub(services: Services, outrider: Outrider) -> None:
    services.statuses = {
        name: seen(name, health=health)
        for name, health in zip("abcde", ["Healthy", "Degraded"] * 2 + ["Degraded"], strict=True)
    }
    listed = json.loads((await outrider("app", "list", "--health", "degraded", "-o", "json")).stdout)
    assert [one["name"] for one in listed] == ["b", "d", "e"]
    assert all(
        arguments.get("health") == "Degraded"
        for subject, arguments in services.asked
        if subject == "hub.status.apps"
    )


async def test_an_application_is_shown_with_its_conditions_and_objects(
    services: Services, outrider: Outrider
) -> None:
    services.applications["web"] = application("web")
    resources = [
        {
            "group": "apps",
            "kind": "Deployment",
            "namespace": "shop",
            "name": "web",
            "status": "Synced",
            "health": {"status": "Degraded", "message": "image not found"},
        },
        {
            "group": "",
            "kind": "ConfigMap",
            "namespace": "shop",
            "name": "old",
            "status": "OutOfSync",
            "requiresPruning": True,
        },
    ]
    conditions = [{"type": "ComparisonError", "message": "web/deploy.yaml:3: spec.replicas: is no number"}]
    services.statuses["web"] = seen(
        "web", health="Degraded", conditions=conditions, document={"resources": resources}
    )
    shown = (await outrider("app", "get", "web")).stdout
    for expected in (
        "https://git.example.com/shops.git",
        "Deployment.apps",
        "image not found",
        "shop/old (to be pruned)",
        "web/deploy.yaml:3",
    ):
        assert expected in shown
    found = json.loads((await outrider("app", "get", "web", "-o", "json")).stdout)
    assert found["status"]["document"]["resources"] == resources
    assert found["manifest"] == application("web")


async def test_an_application_with_more_objects_than_an_answer_holds_is_shown_whole(
    services: Services, outrider: Outrider
) -> None:
    services.applications["web"] = application("web")
    services.resources = [
        {"group": "", "kind": "ConfigMap", "name": f"c{number}", "status": "Synced"} for number in range(5)
    ]
    services.statuses["web"] = seen("web", document={"sync": {}}, truncated=True)
    shown = (await outrider("app", "get", "web")).stdout
    assert [name for name in ("c0", "c1", "c2", "c3", "c4") if name in shown] == [
        "c0",
        "c1",
        "c2",
        "c3",
        "c4",
    ]


async def test_an_application_that_does_not_exist_is_refused_in_one_sentence(
    services: Services, outrider: Outrider
) -> None:
    for command in ("get", "delete", "sync", "wait"):
        ended = await outrider("app", command, "nosuch")
        assert (ended.status, ended.stdout) == (1, "")
        assert ended.stderr == "Error: there is no application 'nosuch'\n"


async def test_waiting_ends_once_the_application_is_synced_and_healthy(
    services: Services, outrider: Outrider
) -> None:
    services.applications["web"] = application("web")
    services.statuses["web"] = seen("web", health="Progressing")
    waiting = asyncio.create_task(outrider("app", "wait", "web", "--timeout", 20))
    async with asyncio.timeout(20):
        await services.was_asked["hub.status.app"].wait()
        services.statuses["web"] = seen("web")
        ended = await waiting
    assert ended.status == 0
    assert "health is Progressing" in ended.stderr
    assert "Healthy" in ended.stdout


async def test_waiting_gives_up_with_what_is_missing(services: Services, outrider: Outrider) -> None:
    services.applications["web"] = application("web")
    conditions = [{"type": "ComparisonError", "message": "path web does not exist"}]
    services.statuses["web"] = seen("web", freshness="stale", presence="offline", conditions=conditions)
    ended = await outrider("app", "wait", "web", "--timeout", 0.3)
    assert ended.status == 1
    assert "no fresh word from its cluster" in ended.stderr.splitlines()[-1]
    assert "path web does not exist" in ended.stderr.splitlines()[-1]


async def test_a_sync_that_is_waited_for_tells_what_it_did_to_each_object(
    services: Services, outrider: Outrider
) -> None:
    services.applications["web"] = application("web")
    services.statuses["web"] = seen("web")
    ended = await outrider("app", "sync", "web", "--resource", "apps:Deployment:shop/web", "--wait")
    assert ended.status == 0, ended.stderr
    assert "configured" in ended.stdout
    asked = next(arguments for subject, arguments in services.asked if subject == "hub.registry.app.sync")
    assert asked["resources"] == [{"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"}]
    failed = await outrider("app", "sync", "web", "--prune", "--wait", "-o", "json")
    assert failed.status == 1
    assert json.loads(failed.stdout)["operationState"]["phase"] == "Failed"


async def test_a_sync_that_is_not_waited_for_says_that_it_began(
    services: Services, outrider: Outrider
) -> None:
    services.applications["web"] = application("web")
    assert (await outrider("app", "sync", "web")).stdout == "application/web sync started\n"


async def test_deleting_waits_until_the_application_is_gone_when_asked_to(
    services: Services, outrider: Outrider
) -> None:
    services.applications["web"] = application("web")
    ended = await outrider("app", "delete", "web", "--no-cascade", "--wait")
    assert (ended.status, ended.stdout) == (0, "application/web deleted\n")
    assert ("hub.registry.app.delete", {"name": "web", "cascade": False}) in services.asked
