"""What is asked of an application's cluster, each request with its command."""

import asyncio
import json
import os
import sys
from typing import Any

import pytest
from tests.integration.cli.conftest import Outrider
from tests.integration.cli.services import COMMIT, Services, seen
from tests.integration.cli.test_applications import application

DEPLOYMENT = {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"}
CONFIG = {"group": "", "kind": "ConfigMap", "namespace": "shop", "name": "settings"}
EVIL = "\x1b[2J\u202ex"


@pytest.fixture
def web(services: Services) -> Services:
    services.applications["web"] = application("web")
    entries = [
        {"id": number, "revision": COMMIT, "deployedAt": f"2026-03-1{number}T10:00:05Z",
         "deployStartedAt": f"2026-03-1{number}T10:00:00Z", "digest": "abcdef", "initiatedBy": by}
        for number, by in enumerate([{"automated": True}, {"username": "anna"}, {"automated": True}])
    ]  # fmt: skip
    resources = [
        {
            **DEPLOYMENT,
            "version": "v1",
            "status": "OutOfSync",
            "syncWave": 2,
            "health": {"status": "Healthy"},
        },
        {**CONFIG, "version": "v1", "status": "Synced", "requiresDeletionConfirmation": True},
    ]
    services.statuses["web"] = seen("web", document={"history": entries, "resources": resources})
    return services


def asked(services: Services, verb: str) -> dict[str, Any]:
    return next(
        arguments for subject, arguments in reversed(services.asked) if subject == f"hub.registry.app.{verb}"
    )


async def test_a_sync_takes_all_that_argo_cds_does(web: Services, outrider: Outrider) -> None:
    ended = await outrider(
        "app", "sync", "web", "--revision", "v2", "--force", "--replace", "--apply-only", "--option",
        "Validate=false", "--as", "anna", "--resource", ":ConfigMap:shop/settings",
    )  # fmt: skip
    assert ended.status == 0, ended.stderr
    assert asked(web, "sync") == {
        "name": "web",
        "revision": "v2",
        "options": ["Force=true", "Replace=true", "Validate=false"],
        "strategy": "apply",
        "initiated_by": "anna",
        "resources": [CONFIG],
    }


async def test_a_sync_is_asked_for_in_the_name_of_the_user_of_the_machine(
    web: Services, outrider: Outrider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "bea")
    await outrider("app", "sync", "web")
    assert asked(web, "sync") == {"name": "web", "initiated_by": "bea"}
    assert (await outrider("app", "sync", "web", "--as", "a\x1bb")).status == 2
    assert (await outrider("app", "sync", "web", "--option", "Validate")).status == 2


@pytest.mark.parametrize(
    ("command", "verb", "arguments", "line"),
    [
        (["terminate", "web", "--as", "anna"], "terminate", {"initiated_by": "anna"}, "web terminating"),
        (["refresh", "web"], "refresh", {}, "web refreshed"),
        (["refresh", "web", "--hard"], "refresh", {"hard": True}, "web refreshed"),
        (["approve", "web", "--as", "anna"], "approve", {"initiated_by": "anna"}, "web approved"),
        (
            ["approve", "web", "--as", "anna", "--resource", ":ConfigMap:shop/settings"],
            "approve", {"initiated_by": "anna", "resources": [CONFIG]}, "web approved",
        ),
        (["rollback", "web", "0", "--prune", "--as", "anna"], "rollback", {"id": 0, "prune": True, "initiated_by": "anna"}, "web rollback started"),
    ],
)  # fmt: skip
async def test_each_request_reaches_the_agent_with_what_was_given(
    web: Services, outrider: Outrider, command: list[str], verb: str, arguments: dict[str, Any], line: str
) -> None:
    web.answers[verb] = {"app": "web"}
    ended = await outrider("app", *command)
    assert (ended.status, ended.stdout) == (0, f"application/{line}\n")
    assert asked(web, verb) == {"name": "web", **arguments}


async def test_a_rollback_without_an_id_goes_to_the_one_before_the_newest(
    web: Services, outrider: Outrider
) -> None:
    web.answers["rollback"] = {"app": "web"}
    ended = await outrider("app", "rollback", "web")
    assert ended.status == 0
    assert ended.stderr == f"to 1: {COMMIT[:7]}\n"
    assert asked(web, "rollback")["id"] == 1
    web.statuses["web"]["document"]["history"] = web.statuses["web"]["document"]["history"][:1]
    refused = await outrider("app", "rollback", "web")
    assert refused.status == 1
    assert "has no earlier deployment" in refused.stderr


async def test_a_cluster_that_is_away_is_told_in_one_sentence(web: Services, outrider: Outrider) -> None:
    for command in (
        ["tree", "web"],
        ["diff", "web"],
        ["manifests", "web"],
        ["refresh", "web"],
        ["actions", "list", "web"],
    ):
        ended = await outrider("app", *command)
        assert (ended.status, ended.stdout) == (1, "")
        assert ended.stderr == "Error: cluster 'shop1' is offline: it goes on with what it has\n"


async def test_the_history_says_what_was_deployed_when_and_by_whom(web: Services, outrider: Outrider) -> None:
    lines = (await outrider("app", "history", "web")).stdout.splitlines()
    assert [line.split()[0:2] for line in lines[1:]] == [[str(n), COMMIT[:7]] for n in range(3)]
    assert [line.split()[-1] for line in lines[1:]] == ["automated", "anna", "automated"]
    wide = (await outrider("app", "history", "web", "-o", "wide")).stdout.splitlines()[1]
    assert COMMIT in wide
    assert wide.split()[-3:] == ["5", "s", "abcdef"]
    assert (await outrider("app", "history", "web", "-o", "name")).stdout == "0\n1\n2\n"


async def test_a_status_that_is_old_is_told_to_be(web: Services, outrider: Outrider) -> None:
    web.statuses["web"] |= {"freshness": "offline", "presence": "offline"}
    for command in ("history", "resources"):
        ended = await outrider("app", command, "web")
        assert "note: the last that was heard: Synced, Healthy as of" in ended.stderr
        assert "cluster offline" in ended.stderr
    assert "Healthy as of" in (await outrider("app", "resources", "web")).stdout


async def test_objects_are_listed_with_what_they_wait_for(web: Services, outrider: Outrider) -> None:
    shown = (await outrider("app", "resources", "web")).stdout
    assert "Deployment.apps" in shown
    assert "shop/settings (its deletion waits for `app approve`)" in shown
    names = (await outrider("app", "resources", "web", "-o", "name", "--out-of-sync")).stdout
    assert names == "apps:Deployment:shop/web\n"
    assert " 2 " in (await outrider("app", "resources", "web", "-o", "wide")).stdout


async def test_a_tree_is_drawn_with_health_images_and_orphans_when_asked_to(
    web: Services, outrider: Outrider
) -> None:
    pod = {"group": "", "kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "p", "parents": ["d"],
           "health": {"status": "Degraded", "message": "image not found"}, "images": ["web:1"]}  # fmt: skip
    orphan = {
        "group": "",
        "kind": "ConfigMap",
        "namespace": "shop",
        "name": "stray",
        "uid": "o",
        "parents": [],
    }
    web.answers["tree"] = {
        "nodes": [{**DEPLOYMENT, "uid": "d", "parents": [], "created_at": "2020-01-01T00:00:00Z"}, pod],
        "orphaned": [orphan],
        "truncated": True,
        "refused": ["pods are forbidden"],
    }
    ended = await outrider("app", "tree", "web")
    shown = ended.stdout
    assert "more than fits" in ended.stderr
    assert "not looked at: pods are forbidden" in ended.stderr
    assert "└─ Pod shop/web-1" in shown
    assert "web:1; image not found" in shown
    assert "stray" not in shown
    assert "stray" in (await outrider("app", "tree", "web", "--orphaned")).stdout
    assert (await outrider("app", "tree", "web", "-o", "name")).stdout.splitlines() == [
        "apps:Deployment:shop/web", ":Pod:shop/web-1",
    ]  # fmt: skip


async def test_a_difference_is_shown_in_lines_or_fields_and_is_the_exit_status(
    web: Services, outrider: Outrider
) -> None:
    changes = [{"path": "spec.replicas", "live": 2, "desired": 3}]
    web.answers["diff"] = {
        "resources": [
            {**DEPLOYMENT, "state": "modified", "live": {"spec": {"replicas": 2, "paused": False}, "kind": "Deployment"}, "desired": {"kind": "Deployment", "spec": {"paused": False, "replicas": 3}}, "changes": changes}
        ]
    }  # fmt: skip
    ended = await outrider("app", "diff", "web")
    assert ended.status == 1
    assert ended.stderr == ""
    assert ended.stdout.splitlines() == [
        "=== Deployment.apps shop/web differs ===", "@@ -1,4 +1,4 @@", " kind: Deployment", " spec:", "   paused: false",
        "-  replicas: 2", "+  replicas: 3",
    ]  # fmt: skip
    fields = (await outrider("app", "diff", "web", "--fields")).stdout
    assert "spec.replicas: live 2, desired 3" in fields
    assert (await outrider("app", "diff", "web", "--no-exit-code")).status == 0
    large = {
        **CONFIG,
        "state": "modified",
        "message": "too large",
        "changes": [{"path": ".data.a", "live": 1}],
    }
    web.answers["diff"] = {"resources": [large], "truncated": True}
    ended = await outrider("app", "diff", "web")
    assert ended.stdout == "=== ConfigMap shop/settings differs: too large ===\n  .data.a: live 1\n"
    assert "--resource shows one object" in ended.stderr
    web.answers["diff"] = {"resources": []}
    assert await outrider("app", "diff", "web") == (0, "No differences.\n", "")


async def test_manifests_are_printed_desired_or_live(web: Services, outrider: Outrider) -> None:
    for one in (DEPLOYMENT, CONFIG):
        manifest = {"apiVersion": "v1", "kind": one["kind"], "metadata": {"name": one["name"]}}
        web.answers["manifest", one["name"]] = {"desired": manifest, "live": {**manifest, "status": {}}}
    web.answers["manifest", "settings"]["live"] = None
    items = [web.answers["manifest", name]["desired"] for name in ("web", "settings")]
    web.answers["manifests"] = {
        "items": items,
        "next": None,
        "left_out": ["Secret shop/huge"],
        "source": "hub",
    }
    both = await outrider("app", "manifests", "web")
    assert both.stdout.count("---") == 2
    assert both.stderr == "note: Secret shop/huge is larger than an answer may be\n"
    chosen = await outrider("app", "manifests", "web", "--resource", "apps:Deployment:shop/web")
    assert chosen.stdout.startswith("apiVersion: v1\nkind: Deployment\n")
    assert asked(web, "manifest")["side"] == "desired"
    live = await outrider("app", "manifests", "web", "--live", "-o", "json")
    assert [one["metadata"]["name"] for one in json.loads(live.stdout)["items"]] == ["web"]
    assert ":ConfigMap:shop/settings is not on the cluster" in live.stderr


async def test_actions_are_listed_and_run(web: Services, outrider: Outrider) -> None:
    web.answers["actions"] = []
    web.answers["actions", "web"] = [
        {"name": "restart", "disabled": False},
        {"name": "resume", "disabled": True},
    ]
    lines = (await outrider("app", "actions", "list", "web")).stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["Deployment.apps", "shop/web", "restart"], ["Deployment.apps", "shop/web", "resume", "disabled"],
    ]  # fmt: skip
    web.answers["action"] = {"result": ["Deployment shop/web patched"]}
    ended = await outrider(
        "app",
        "actions",
        "run",
        "web",
        "apps:Deployment:shop/web",
        "restart",
        "--param",
        "a=b",
        "--as",
        "anna",
    )
    assert ended.stdout == "application/web apps:Deployment:shop/web restart: Deployment shop/web patched\n"
    assert asked(web, "action") == {
        "name": "web", "resource": DEPLOYMENT, "action": "restart", "parameters": {"a": "b"}, "initiated_by": "anna",
    }  # fmt: skip


async def test_terminal_escapes_of_an_agent_are_written_out(web: Services, outrider: Outrider) -> None:
    evil = {"group": EVIL, "kind": EVIL, "namespace": EVIL, "name": EVIL, "uid": "u", "parents": []}
    web.statuses["web"]["document"] |= {
        "resources": [{**evil, "health": {"status": EVIL, "message": EVIL}}],
        "history": [{"id": 1, "revision": EVIL, "deployedAt": EVIL, "initiatedBy": {"username": EVIL}}],
    }
    web.answers["tree"] = {
        "nodes": [{**evil, "images": [EVIL], "info": [{"name": EVIL, "value": EVIL}]}],
        "orphaned": [],
    }
    web.answers["diff"] = {
        "resources": [{**evil, "state": EVIL, "live": {EVIL: EVIL}, "changes": [EVIL, {"path": EVIL}]}]
    }
    web.answers["manifest"] = {"desired": {EVIL: EVIL}}
    web.answers["manifests"] = {"items": [{EVIL: EVIL}], "next": None, "left_out": [EVIL]}
    web.answers["actions"] = [{"name": EVIL}]
    for command in (
        ["resources"],
        ["history"],
        ["tree"],
        ["diff"],
        ["diff", "--fields"],
        ["manifests"],
        ["actions", "list"],
    ):
        for output in ("table", "wide", "name", "json", "yaml"):
            ended = await outrider("app", *command, "web", "-o", output)
            assert "an error of its own" not in ended.stderr
            assert not {"\x1b", "\u202e"} & set(ended.stdout + ended.stderr), (command, output)


async def test_names_of_applications_are_completed_by_the_hub(web: Services, outrider: Outrider) -> None:
    web.statuses |= {"till": seen("till"), "webshop": seen("webshop")}
    web.page = 10
    words = {"_OUTRIDER_COMPLETE": "bash_complete", "COMP_WORDS": "outrider app sync we", "COMP_CWORD": "3"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "outrider_cli", env={**os.environ, **words}, stdout=asyncio.subprocess.PIPE
    )
    stdout, _ = await process.communicate()
    assert stdout.decode().splitlines() == ["plain,web", "plain,webshop"]
