"""Applications with several sources, charts, dependencies, overrides and the build environment, through the whole renderer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.rendering.chart_servers import Charts, archive, chart_files, charts_server
from tests.integration.rendering.servers import PASSWORD, USERNAME, make_certificate
from tests.integration.repo_renderer.conftest import Registry

from outrider import delta
from outrider.bus.services import RequestRefused
from outrider.records import RenderingRecord
from outrider_playground.demo.repository import Repository

SHOP = {"app_name": "shop", "namespace": "retail"}
WHOLE = {**SHOP, "project": "default"}


@pytest.fixture
def charts(tmp_path: Path) -> Iterator[Charts]:
    folder = tmp_path / "tls"
    folder.mkdir()
    with charts_server(folder, make_certificate(folder)) as server:
        yield server


@pytest.fixture
def values(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "values", {"envs/prod.yaml": "a: prod\n", "other.txt": "x"})


def chart(charts: Charts, **fields: Any) -> dict[str, Any]:
    return {"repoURL": charts.url, "chart": "shop", "targetRevision": "1.*", **fields}


def git(repository: Repository, **fields: Any) -> dict[str, Any]:
    return {"repoURL": repository.url, "targetRevision": "main", **fields}


async def trust(registry: Registry, charts: Charts, *urls: str, **secret: str) -> None:
    for url in urls or (charts.url,):
        await registry.register(url, tls_ca=charts.certificate.pem, **secret)


def seen(manifests: list[dict[str, Any]], name: str = "shop-shop") -> tuple[str, dict[str, Any]]:
    (found,) = [one for one in manifests if one["metadata"]["name"] == name]
    return found["data"]["version"], json.loads(found["data"]["values"])


def is_done(record: RenderingRecord) -> bool:
    return bool(record.digest or record.error)


async def test_a_chart_takes_its_values_from_another_source_and_moves_when_either_does(
    registry: Registry, charts: Charts, values: Repository
) -> None:
    charts.publish("shop", "1.0.0")
    await trust(registry, charts)
    helm = {"valueFiles": ["$values/envs/prod.yaml"]}
    key = await registry.want_several(chart(charts, helm=helm), git(values, ref="values"), context=SHOP)
    first = await registry.until(key, is_done)
    assert first.error == ""
    version, commit = first.revision.split(",")
    assert (version, len(commit)) == ("1.0.0", 40)
    assert seen(await registry.manifests(first)) == ("1.0.0", {"a": "prod"})

    values.commit({"other.txt": "nothing that the chart reads"}, "Elsewhere")
    await registry.refresh(values.url)
    assert registry.records[key] == first
    moved = values.commit({"envs/prod.yaml": "a: newer\n"}, "Values")
    await registry.refresh(values.url)
    second = await registry.until(key, lambda record: record.revision.endswith(moved))
    assert seen(await registry.manifests(second)) == ("1.0.0", {"a": "newer"})
    assert second.base == delta.short(first.digest)

    charts.publish("shop", "1.1.0")
    assert (await registry.refresh(charts.url))["revisions"] == {charts.url: {"shop 1.*": "1.1.0"}}
    third = await registry.until(key, lambda record: record.revision == f"1.1.0,{moved}")
    assert seen(await registry.manifests(third)) == ("1.1.0", {"a": "newer"})


async def test_of_objects_that_come_twice_the_last_source_wins_and_a_person_is_told(
    registry: Registry, values: Repository
) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {0}}}\ndata: {{from: {1}}}\n"
    values.commit(
        {
            "one/a.yaml": text.format("both", "one"),
            "one/b.yaml": text.format("first", "one"),
            "two/a.yaml": text.format("both", "two"),
        },
        "Objects",
    )
    key = await registry.want_several(git(values, path="one"), git(values, path="two"))
    record = await registry.until(key, is_done)
    found = {one["metadata"]["name"]: one["data"]["from"] for one in await registry.manifests(record)}
    assert found == {"both": "two", "first": "one"}
    assert record.objects == 2
    ((kind, message),) = record.warnings
    assert kind == "RepeatedResourceWarning"
    assert "ConfigMap both appears 2 times" in message
    commit = record.revision.partition(",")[0]
    assert record.revision == f"{commit},{commit}"


async def test_what_is_wrong_with_one_of_several_sources_says_which(
    registry: Registry, charts: Charts, values: Repository
) -> None:
    charts.publish("shop", "1.0.0")
    await trust(registry, charts)
    helm = {"valueFiles": ["$values/gone.yaml"]}
    for sources, reason in (
        ([chart(charts, helm=helm), git(values, ref="values")], "'$values/gone.yaml' does not exist in source 'values'"),
        ([chart(charts), git(values, path="gone")], f"source {values.url} gone: path 'gone' does not exist"),
        ([chart(charts), git(values, path="envs", targetRevision="mian")], f"source {values.url} mian: revision 'mian' does not exist"),
        ([chart(charts, targetRevision="2.*"), git(values, path="envs")], f"source {charts.url} 2.*: revision '2.*'"),
    ):  # fmt: skip
        record = await registry.until(await registry.want_several(*sources, context=SHOP), is_done)
        assert reason in record.error
        assert record.digest == b""


async def test_each_repository_is_reached_with_its_own_credentials(
    registry: Registry, charts: Charts, values: Repository
) -> None:
    charts.requires_login = True
    charts.publish("shop", "1.0.0")
    await trust(registry, charts)
    key = await registry.want_several(chart(charts), git(values, path="envs"), context=SHOP)
    assert "asks for credentials" in (await registry.until(key, is_done)).error
    await trust(registry, charts, username=USERNAME, password=PASSWORD)
    assert (await registry.until(key, lambda record: bool(record.digest))).error == ""


@pytest.mark.parametrize("form", ["oci://{0}", "{0}"])
async def test_a_chart_is_taken_from_a_registry_in_both_forms_that_argo_cd_knows(
    form: str, registry: Registry, charts: Charts
) -> None:
    charts.push("charts/shop", "1.0.0", archive(chart_files("shop", "1.0.0")))
    # Credentials of a path are those of what lies below it.
    await trust(registry, charts, f"oci://{charts.registry}")
    source = {"repoURL": form.format(charts.registry), "chart": "shop", "targetRevision": "1.0.0"}
    record = await registry.until(await registry.want_several(source, context=SHOP), is_done)
    assert (record.error, record.revision) == ("", "1.0.0")
    assert seen(await registry.manifests(record))[0] == "1.0.0"


async def test_dependencies_of_a_chart_in_git_are_fetched_at_the_versions_that_it_is_locked_to(
    registry: Registry, charts: Charts, values: Repository
) -> None:
    for version in ("1.0.0", "1.5.0"):
        charts.publish("sub", version)
    charts.push("charts/side", "2.0.0", archive(chart_files("side", "2.0.0")))
    await trust(registry, charts, charts.url, f"oci://{charts.registry}")
    dependencies = (
        f"dependencies:\n- {{name: sub, version: 1.x, repository: '{charts.url}'}}\n"
        f"- {{name: side, version: 2.x, repository: 'oci://{charts.registry}', alias: other}}\n"
    )
    lock = f"dependencies:\n- {{name: sub, version: 1.0.0, repository: '{charts.url}'}}\n"
    files = chart_files("app", "1.0.0", extra=dependencies)
    values.commit(files, "Chart")
    key = await registry.want_several(git(values, path="app"), context=SHOP)
    record = await registry.until(key, is_done)
    assert record.error == ""
    manifests = await registry.manifests(record)
    assert seen(manifests, "shop-sub")[0] == "1.5.0"
    assert seen(manifests, "shop-other")[0] == "2.0.0"
    values.commit({"app/Chart.lock": lock}, "Lock")
    await registry.refresh(values.url)
    locked = await registry.until(key, lambda one: one.revision != record.revision)
    assert seen(await registry.manifests(locked), "shop-sub")[0] == "1.0.0"


async def test_a_dependency_that_can_not_be_fetched_is_named(
    registry: Registry, charts: Charts, values: Repository
) -> None:
    await trust(registry, charts)
    charts.publish("other", "1.0.0")
    dependency = f"dependencies:\n- {{name: sub, version: 1.x, repository: '{charts.url}'}}\n"
    values.commit(chart_files("app", "1.0.0", extra=dependency), "Chart")
    record = await registry.until(await registry.want_several(git(values, path="app"), context=SHOP), is_done)
    assert f"dependency sub 1.x ({charts.url})" in record.error
    assert "chart 'sub' has no such version" in record.error


async def test_schemas_do_not_count_if_that_is_asked_for(registry: Registry, charts: Charts) -> None:
    schema = {"values.schema.json": json.dumps({"properties": {"a": {"type": "number"}}})}
    charts.publish("shop", "1.0.0", **schema)
    await trust(registry, charts)
    record = await registry.until(await registry.want_several(chart(charts), context=SHOP), is_done)
    assert "got string, want number" in record.error
    helm = {"skipSchemaValidation": True}
    record = await registry.until(
        await registry.want_several(chart(charts, helm=helm), context=SHOP), is_done
    )
    assert record.error == ""


# Overrides and the build environment.

KUSTOMIZATION = "resources: [a.yaml]\n"
DEPLOYMENT = (
    "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: 'shop:1'}]}\n"
)


async def image(registry: Registry, record: RenderingRecord) -> str:
    (pod,) = await registry.manifests(record)
    found: str = pod["spec"]["containers"][0]["image"]
    return found


async def test_overrides_for_all_change_the_options_and_move_the_rendering(
    registry: Registry, values: Repository
) -> None:
    files = {"app/kustomization.yaml": KUSTOMIZATION, "app/a.yaml": DEPLOYMENT}
    values.commit(
        {**files, "app/.argocd-source.yaml": "kustomize: {images: ['shop:2']}\npath: other\n"}, "App"
    )
    key = await registry.want_several(git(values, path="app"))
    record = await registry.until(key, is_done)
    assert (record.error, await image(registry, record)) == ("", "shop:2")
    values.commit({"app/.argocd-source.yaml": "kustomize: {images: ['shop:3']}\n"}, "Bump")
    await registry.refresh(values.url)
    record = await registry.until(key, lambda one: one.revision != record.revision)
    assert await image(registry, record) == "shop:3"
    values.commit({"app/.argocd-source.yaml": "kustomize: {imges: []}\n"}, "Typo")
    await registry.refresh(values.url)
    record = await registry.until(key, lambda one: bool(one.error))
    assert "app/.argocd-source.yaml: source.kustomize.imges: unknown field" in record.error
    assert await image(registry, record) == "shop:3"


async def test_overrides_for_one_application_ask_for_it_and_change_no_other(
    registry: Registry, values: Repository
) -> None:
    files = {"app/kustomization.yaml": KUSTOMIZATION, "app/a.yaml": DEPLOYMENT}
    values.commit({**files, "app/.argocd-source-shop.yaml": "kustomize: {images: ['shop:7']}\n"}, "App")
    plain = await registry.until(await registry.want_several(git(values, path="app")), lambda one: True)
    assert (plain.needs_application, plain.digest) == (True, b"")
    mine = await registry.until(await registry.want_several(git(values, path="app"), context=WHOLE), is_done)
    assert (mine.needs_application, await image(registry, mine)) == (False, "shop:7")
    till = {**WHOLE, "app_name": "till"}
    other = await registry.until(await registry.want_several(git(values, path="app"), context=till), is_done)
    assert await image(registry, other) == "shop:1"


async def test_the_build_environment_fills_options_and_a_revision_in_them_renders_each_commit(
    registry: Registry, values: Repository
) -> None:
    files = {"app/kustomization.yaml": KUSTOMIZATION, "app/a.yaml": DEPLOYMENT}
    commit = values.commit(files, "App")
    kustomize = {
        "images": ["shop:$ARGOCD_APP_REVISION_SHORT"],
        "commonLabels": {"app": "${ARGOCD_APP_NAME}", "at": "$ARGOCD_APP_SOURCE_TARGET_REVISION"},
        "commonAnnotations": {"path": "$ARGOCD_APP_SOURCE_PATH $$x", "project": "$ARGOCD_APP_PROJECT_NAME"},
        "commonAnnotationsEnvsubst": True,
    }
    key = await registry.want_several(git(values, path="app", kustomize=kustomize), context=WHOLE)
    record = await registry.until(key, is_done)
    (pod,) = await registry.manifests(record)
    assert pod["metadata"]["labels"] == {"app": "shop", "at": "main"}
    assert pod["metadata"]["annotations"] == {"path": "app $x", "project": "default"}
    assert await image(registry, record) == f"shop:{commit[:7]}"
    commit = values.commit({"other.txt": "y"}, "Elsewhere")
    await registry.refresh(values.url)
    record = await registry.until(key, lambda one: one.revision == commit)
    assert await image(registry, record) == f"shop:{commit[:7]}"


# On request.


async def test_a_source_is_rendered_at_another_revision_on_request(
    registry: Registry, values: Repository
) -> None:
    old = values.commit({"app/a.yaml": DEPLOYMENT}, "One")
    new = values.commit({"app/a.yaml": DEPLOYMENT.replace("shop:1", "shop:2")}, "Two")
    record = await registry.until(await registry.want_several(git(values, path="app")), is_done)
    assert record.revision == new
    source = git(values, path="app")
    answer = await registry.render(source=source, revision=old)
    assert answer["revision"] == old
    assert await image(registry, RenderingRecord(digest=answer["digest"])) == "shop:1"
    assert (await registry.render(source=source, revision="main"))["digest"] == record.digest
    both = await registry.render(sources=[source, git(values, path="envs")], revision=f"{old},main")
    assert both["revision"] == f"{old},{new}"
    assert registry.records.keys() == {key for key in registry.records if registry.records[key] == record}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"revision": ""}, "revision: must be a text"),
        ({"revision": "gone"}, "revision 'gone' does not exist"),
        ({"revision": "a,b", "sources": [{}, {}]}, r"source.repoURL: Field required"),
        ({"revision": "a,b,c", "two": True}, "holds 3 revisions, there are 2 sources"),
        ({"revision": "main", "context": {"nonsense": 1}}, "no source that can be rendered"),
        ({"revision": "main", "path": "chart"}, "depends on the release: give its context"),
        ({"revision": "main", "path": "gone"}, "path 'gone' does not exist"),
        ({"revision": "-x"}, "targetRevision"),
    ],
)
async def test_what_can_not_be_rendered_on_request_is_refused_with_a_sentence(
    arguments: dict[str, Any], reason: str, registry: Registry, values: Repository
) -> None:
    values.commit(chart_files("chart", "1.0.0"), "Chart")
    await registry.until(await registry.want("shop"), is_done)
    source = git(values, path=arguments.pop("path", "envs"))
    if arguments.pop("two", False):
        arguments["sources"] = [source, source]
    with pytest.raises(RequestRefused, match=reason):
        await registry.render(**{"source": source, **arguments})
