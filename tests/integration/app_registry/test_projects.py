"""Projects: what their applications may be made of and where they may run, held at every write and every reconcile."""

from typing import Any

import pytest

from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.services import RequestRefused
from outrider.names import AppName
from outrider.records import ProjectRecord
from outrider.topology import PROJECTS

from .conftest import REPOSITORY, Fleet, application, bundle, eventually

TILL = AppName("till")


def project(name: str = "shops", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name},
        "spec": {
            "sourceRepos": ["https://git.example.com/*"],
            "destinations": [{"name": "shop*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            **spec,
        },
    }


async def apply_project(fleet: Fleet, manifest: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = await fleet.ask("app.apply", manifest=manifest)
    return answer


async def test_an_application_whose_project_is_not_there_is_refused_by_its_name(served: Fleet) -> None:
    manifest = application("till", project="shops")
    for dry_run in (True, False):
        with pytest.raises(RequestRefused, match="there is no project 'shops'; apply the AppProject first"):
            await served.ask("app.apply", manifest=manifest, dry_run=dry_run)
    planned = await served.ask("app.apply", manifest=manifest, dry_run=True, project=project())
    assert planned["result"] == "created"
    with pytest.raises(RequestRefused, match="there is no project 'shops'"):
        await served.ask("app.apply", manifest=manifest, project=project())
    answer = await apply_project(served, project())
    assert answer == {"kind": "AppProject", "name": "shops", "result": "created", "warnings": []}
    assert (await served.ask("app.apply", manifest=manifest))["result"] == "created"


async def test_what_a_project_does_not_permit_is_refused_before_it_is_stored(served: Fleet) -> None:
    await served.add_cluster("shop1")
    place = "does not permit cluster 'shop1' with namespace 'till'"
    rules: list[tuple[dict[str, Any], str]] = [
        ({"sourceRepos": ["https://git.example.com/other"]}, f"does not permit repository {REPOSITORY}"),
        ({"sourceRepos": ["*", f"!{REPOSITORY}"]}, "does not permit repository"),
        ({"destinations": [{"name": "bar*", "namespace": "*"}]}, place),
        ({"destinations": [{"name": "*", "namespace": "!till"}]}, place),
    ]
    manifest = application("till", project="shops")
    for spec, says in rules:
        await apply_project(served, project(**spec))
        for dry_run in (True, False):
            with pytest.raises(RequestRefused, match=says):
                await served.ask("app.apply", manifest=manifest, dry_run=dry_run)
    with pytest.raises(RequestRefused, match="there is no application"):
        await served.ask("app.get", name="till")


async def test_an_application_that_is_no_longer_permitted_keeps_its_last_state_and_says_so(
    served: Fleet,
) -> None:
    edge = await served.edge("shop1")
    await apply_project(served, project())
    await served.ask("app.apply", manifest=application("till", project="shops"))
    key = await served.wanted()
    await served.render(key, bundle("a"))
    _, before = await edge.next()
    await served.condition("till", "")
    answer = await apply_project(served, project(destinations=[{"name": "bar*", "namespace": "*"}]))
    assert "1 of its applications are not permitted any more (till)" in answer["warnings"][0]
    record = await served.condition("till", "project 'shops' does not permit cluster 'shop1'")
    assert record.conditions[0]["type"] == "InvalidSpecError"
    named = {"group": "", "kind": "ConfigMap", "namespace": "till", "name": "a"}
    asked: dict[str, dict[str, Any]] = {
        "sync": {},
        "rollback": {"id": 1},
        "action": {"resource": named, "action": "a"},
    }
    for verb, arguments in asked.items():
        with pytest.raises(RequestRefused, match=r"application 'till' is not permitted: spec\.destination"):
            await served.ask(f"app.{verb}", name="till", **arguments)
    await served.render(key, bundle("b"), "f" * 40)
    await apply_project(served, project())
    await served.condition("till", "")
    _, after = await edge.next()
    assert after.counter == before.counter + 1
    assert not any(record.is_tombstone for record in (await served.desired()).values())


async def test_what_only_the_edge_can_judge_travels_as_far_as_it_concerns_the_application(
    served: Fleet,
) -> None:
    edge = await served.edge("shop1")
    windows = [
        {"kind": "deny", "schedule": "0 8 * * *", "duration": "12h", "applications": ["till*"], "timeZone": "UTC"},
        {"kind": "allow", "schedule": "0 2 * * *", "duration": "1h", "clusters": ["bar*"], "manualSync": True},
    ]  # fmt: skip
    rules: dict[str, Any] = {
        "destinations": [{"name": "shop*", "namespace": "ti*"}, {"name": "bar1", "namespace": "bar"}],
        "clusterResourceWhitelist": [],
        "namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}],
        "orphanedResources": {"ignore": [{"kind": "ConfigMap", "name": "kube-root-ca.crt"}]},
        "syncWindows": windows,
    }
    await apply_project(served, project(**rules))
    await served.ask("app.apply", manifest=application("till", project="shops"))
    await served.render(await served.wanted(), bundle("a"))
    _, record = await edge.next()
    assert record.spec["project"] == {
        "name": "shops",
        "windows": [{"kind": "deny", "schedule": "0 8 * * *", "duration": "12h", "timeZone": "UTC"}],
        "clusterResourceWhitelist": [],
        "namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}],
        "namespaces": ["ti*"],
        "orphanedResources": {
            "warn": True,
            "ignore": [{"group": "", "kind": "ConfigMap", "name": "kube-root-ca.crt"}],
        },
    }
    # A change of the rules reaches the applications that it concerns.
    await served.ask("app.apply", manifest=project(clusterResourceWhitelist=[{"group": "*", "kind": "*"}]))
    _, record = await edge.next()
    assert "project" not in record.spec


async def test_the_default_project_permits_everything_until_somebody_applies_another_one(
    served: Fleet,
) -> None:
    assert [item["name"] for item in (await served.ask("project.list"))["items"]] == ["default"]
    assert (await served.ask("project.get", name="default"))["manifest"] is None
    await served.add_cluster("shop1")
    await served.ask("app.apply", manifest=application("till"))
    await served.condition("till", "")
    answer = await served.ask("app.apply", manifest=project("default", sourceRepos=[]))
    assert "not permitted any more (till)" in answer["warnings"][0]
    await served.condition("till", "project 'default' does not permit repository")
    with pytest.raises(RequestRefused, match="project 'default' does not permit"):
        await served.ask("app.apply", manifest=application("menu"))
    assert (await served.ask("project.delete", name="default"))["result"] == "removed"
    await served.condition("till", "")


async def test_a_project_is_removed_only_when_no_application_names_it(served: Fleet) -> None:
    await served.add_cluster("shop1")
    await apply_project(served, project())
    await served.ask("app.apply", manifest=application("till", project="shops"))
    await served.condition("till", "")
    with pytest.raises(RequestRefused, match=r"has 1 applications \(till\); delete them or move them first"):
        await served.ask("project.delete", name="shops")
    await served.ask("app.delete", name="till")
    await served.gone("till")

    async def removed() -> bool:
        try:
            await served.ask("project.delete", name="shops")
        except RequestRefused as error:
            assert "has 1 applications" in str(error)  # noqa: PT017
            return False
        return True

    await eventually(removed)
    with pytest.raises(RequestRefused, match="there is no project 'shops'"):
        await served.ask("project.get", name="shops")


async def test_a_stored_project_that_cannot_be_read_permits_nothing_and_removes_nothing(
    served: Fleet,
) -> None:
    edge = await served.edge("shop1")
    await apply_project(served, project())
    await served.ask("app.apply", manifest=application("till", project="shops"))
    await served.render(await served.wanted(), bundle("a"))
    await edge.next()
    async with served.hub.connect("registry") as other:
        damaged = ProjectRecord("shops", {"spec": {"rules": "of tomorrow"}}, 0, 0)
        await KeyValue(JetStream(other), PROJECTS).put("shops", damaged.pack())
    await served.condition("till", "project 'shops' can't be read by this version")
    with pytest.raises(RequestRefused, match="can't be read by this version"):
        await served.ask("app.apply", manifest=application("menu", project="shops"))


async def test_privileged_namespaces_are_made_only_where_the_project_permits_namespaces(
    served: Fleet,
) -> None:
    await served.add_cluster("shop1")
    await apply_project(served, project(clusterResourceWhitelist=[{"group": "", "kind": "Node"}]))
    policy = {
        "managedNamespaceMetadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
    }
    with pytest.raises(RequestRefused, match=r"does not permit 'pod-security\.kubernetes\.io/enforce'"):
        await served.ask("app.apply", manifest=application("till", project="shops", syncPolicy=policy))
    assert (await served.ask("app.apply", manifest=application("till", syncPolicy=policy)))["result"]


async def test_sets_are_stored_listed_and_removed_and_generate_nothing(served: Fleet) -> None:
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "tills"},
        "spec": {
            "generators": [{"clusters": {}}, {"list": {"elements": [{"a": "b"}]}, "selector": {}}],
            "template": {
                "metadata": {"name": "till-{{name}}"},
                "spec": {"project": "shops", "source": {}, "destination": {}},
            },
        },
    }
    answer = await served.ask("app.apply", manifest=manifest)
    assert answer["result"] == "created"
    assert "applications are not generated from it yet" in answer["warnings"][0]
    page = await served.until(lambda page: page["items"], "set.list")
    (item,) = page["items"]
    assert (item["name"], item["project"], item["generators"]) == ("tills", "shops", ["clusters", "list"])
    assert (await served.ask("app.apply", manifest=manifest))["result"] == "unchanged"
    assert (await served.ask("set.get", name="tills"))["manifest"] == manifest
    assert (await served.ask("app.list"))["items"] == []
    await served.ask("set.delete", name="tills")
    with pytest.raises(RequestRefused, match="there is no application set 'tills'"):
        await served.ask("set.get", name="tills")


async def test_a_check_says_what_would_be_refused_and_what_is_missing_and_writes_nothing(
    served: Fleet,
) -> None:
    wrong = application("till", project="X", syncPolicy={"syncOptions": ["Prune=maybe"]})
    answer = await served.ask("app.check", manifest=wrong)
    assert len(answer["refusals"]) == 2
    answer = await served.ask("app.check", manifest=application("till", project="shops"), project=project())
    assert answer["refusals"] == []
    closed = project(sourceRepos=[])
    answer = await served.ask("app.check", manifest=application("till", project="shops"), project=closed)
    assert "does not permit repository" in answer["refusals"][0]
    answer = await served.ask("app.check", manifest=application("till", project="shops"))
    assert answer["refusals"] == []
    assert answer["needs"] == {"repositories": [REPOSITORY], "cluster": "shop1", "project": "shops"}
    await served.add_cluster("shop1")
    await served.ask("repo.add", url=REPOSITORY)
    await apply_project(served, project(destinations=[{"name": "bar", "namespace": "*"}]))

    async def complete() -> bool:
        nonlocal answer
        answer = await served.ask("app.check", manifest=application("till", project="shops"))
        return bool(answer["needs"] == {"repositories": [], "cluster": "", "project": ""})

    await eventually(complete)
    assert "does not permit cluster 'shop1'" in answer["refusals"][0]
    assert (await served.ask("app.list"))["items"] == []


async def test_an_application_is_checked_by_the_project_that_is_to_be_stored_along_with_it(
    served: Fleet,
) -> None:
    await served.add_cluster("shop1")
    manifest, strict = application("till", project="shops"), [{"name": "bar", "namespace": "*"}]
    answer = await served.ask("app.check", manifest=manifest, project=project())
    assert (answer["refusals"], answer["needs"]["project"]) == ([], "")
    await served.ask("app.apply", manifest=manifest, project=project(), dry_run=True)
    answer = await served.ask("app.check", manifest=manifest, project=project(destinations=strict))
    assert "does not permit cluster 'shop1'" in answer["refusals"][0]
    # What is written is judged by what is stored alone.
    with pytest.raises(RequestRefused, match="there is no project 'shops'"):
        await served.ask("app.apply", manifest=manifest, project=project())
    await apply_project(served, project(destinations=strict))
    with pytest.raises(RequestRefused, match="does not permit cluster 'shop1'"):
        await served.ask("app.apply", manifest=manifest, project=project())
    assert (await served.ask("app.check", manifest=manifest, project=project()))["refusals"] == []
