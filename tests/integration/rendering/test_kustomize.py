import json
from typing import Any

import pytest
from tests.integration.rendering.conftest import Renderer
from tests.integration.rendering.repositories import Files, manifest

from outrider.rendering.errors import RenderError

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEPLOYMENT = json.dumps(
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "nginx:1.0"}]},
            },
        },
    }
)
FILES: Files = {
    "app/kustomization.yaml": "resources: [deployment.yaml]\nnamePrefix: from-file-\n",
    "app/deployment.yaml": DEPLOYMENT,
}


async def deployment(render: Renderer, files: Files = FILES, **kustomize: Any) -> dict[str, Any]:
    manifests = await render.manifests(files, kustomize=kustomize)
    assert len(manifests) == 1
    return manifests[0]


async def test_an_overlay_is_rendered_over_its_base(render: Renderer) -> None:
    files = {
        "base/kustomization.yaml": "resources: [deployment.yaml]\n",
        "base/deployment.yaml": DEPLOYMENT,
        "app/kustomization.yaml": (
            "resources: [../base]\nnamespace: prod\npatches:\n- path: patch.yaml\n"
            "configMapGenerator:\n- name: settings\n  files: [key=settings.txt]\n  options: {disableNameSuffixHash: true}\n"
        ),
        "app/patch.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 5}",
        "app/settings.txt": "on",
    }

    manifests = {item["kind"]: item for item in await render.manifests(files)}

    assert manifests["Deployment"]["spec"]["replicas"] == 5
    assert manifests["Deployment"]["metadata"]["namespace"] == "prod"
    assert manifests["ConfigMap"]["data"] == {"key": "on"}


async def test_the_options_of_the_application_change_the_kustomization_as_kustomize_edit_does(
    render: Renderer,
) -> None:
    found = await deployment(
        render,
        namePrefix="p-",
        nameSuffix="-s",
        namespace="prod",
        images=["nginx=registry.example.com:5000/web:2.0"],
        replicas=[{"name": "web", "count": "3"}],
        commonLabels={"team": "shop"},
        commonAnnotations={"note": "on"},
        patches=[
            {
                "patch": '[{"op": "add", "path": "/spec/paused", "value": true}]',
                "target": {"kind": "Deployment"},
            }
        ],
    )

    assert found["metadata"]["name"] == "p-web-s"
    assert found["metadata"]["namespace"] == "prod"
    assert found["metadata"]["annotations"] == {"note": "on"}
    assert found["spec"]["selector"]["matchLabels"] == {"app": "web", "team": "shop"}
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com:5000/web:2.0"
    assert (found["spec"]["replicas"], found["spec"]["paused"]) == (3, True)


async def test_an_image_that_the_kustomization_renames_is_found_under_its_first_name(
    render: Renderer,
) -> None:
    files = {
        **FILES,
        "app/kustomization.yaml": "resources: [deployment.yaml]\nimages: [{name: nginx, newName: mine, newTag: '1'}]",
    }

    renamed = await deployment(render, files, images=["nginx:2"])
    kept = await deployment(render, files, images=["nginx=*:3"])

    assert renamed["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"
    assert kept["spec"]["template"]["spec"]["containers"][0]["image"] == "mine:3"


async def test_labels_without_selector_leave_selectors_alone(render: Renderer) -> None:
    found = await deployment(render, commonLabels={"team": "shop"}, labelWithoutSelector=True)
    in_templates = await deployment(
        render, commonLabels={"team": "shop"}, labelWithoutSelector=True, labelIncludeTemplates=True
    )

    assert found["metadata"]["labels"] == {"team": "shop"}
    assert found["spec"]["selector"]["matchLabels"] == {"app": "web"}
    assert found["spec"]["template"]["metadata"]["labels"] == {"app": "web"}
    assert in_templates["spec"]["template"]["metadata"]["labels"] == {"app": "web", "team": "shop"}
    assert in_templates["spec"]["selector"]["matchLabels"] == {"app": "web"}


async def test_a_label_that_is_there_already_is_refused_unless_forced(render: Renderer) -> None:
    files = {**FILES, "app/kustomization.yaml": "resources: [deployment.yaml]\ncommonLabels: {team: other}"}

    with pytest.raises(
        RenderError, match="commonLabels: 'team' is in the kustomization already; set forceCommonLabels"
    ):
        await deployment(render, files, commonLabels={"team": "shop"})
    forced = await deployment(render, files, commonLabels={"team": "shop"}, forceCommonLabels=True)
    assert forced["metadata"]["labels"] == {"team": "shop"}


async def test_components_of_the_application_are_added_and_missing_ones_left_out_if_asked(
    render: Renderer,
) -> None:
    files = {
        **FILES,
        "components/labels/kustomization.yaml": (
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {from: component}\n"
        ),
    }

    found = await deployment(
        render, files, components=["../components/labels", "../components/gone"], ignoreMissingComponents=True
    )
    assert found["metadata"]["annotations"] == {"from": "component"}
    with pytest.raises(RenderError, match=r"components\[0\]: '\.\./components/gone' does not exist"):
        await deployment(render, files, components=["../components/gone"])


async def test_an_error_of_kustomize_is_passed_on_with_paths_of_the_repository(render: Renderer) -> None:
    files = {
        "app/kustomization.yaml": "resources: [a.yaml]\npatches: [{path: patch.yaml}]\n",
        "app/a.yaml": manifest("a"),
        "app/patch.yaml": manifest("nobody"),
    }

    with pytest.raises(RenderError, match="no matches for Id ConfigMap") as refused:
        await render(files)
    assert refused.value.file == "app"
    assert str(render.folder) not in str(refused.value)


async def test_a_broken_kustomization_is_named_with_its_line(render: Renderer) -> None:
    for text, line in (("resources:\n- [", 3), ("- a\n", None), ("resources: a.yaml", None)):
        with pytest.raises(RenderError) as refused:
            await render({"app/kustomization.yaml": text, "app/a.yaml": manifest("a")})
        assert (refused.value.file, refused.value.line) == ("app/kustomization.yaml", line)


async def test_a_path_without_a_kustomization_is_named(render: Renderer) -> None:
    with pytest.raises(RenderError, match=r"app: holds none of kustomization\.yaml"):
        await render({"app/a.yaml": manifest("a")}, kustomize={})


async def test_a_kustomization_with_nothing_in_it_is_an_empty_rendering_or_an_error_of_kustomize(
    render: Renderer,
) -> None:
    with pytest.raises(RenderError, match=r"kustomization\.yaml is empty"):
        await render({"app/kustomization.yaml": ""})
    assert (await render({"app/kustomization.yaml": "resources: []\nnamespace: a"})).is_empty
