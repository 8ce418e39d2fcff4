import json
from typing import Any

import pytest
from tests.integration.rendering.conftest import Renderer
from tests.integration.rendering.repositories import Files

from outrider.rendering.errors import ChartsMissing, MissingChart, RenderError
from outrider.rendering.identity import RenderContext

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHART = "apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: '9'\n"
SHOW_VALUES = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: v}\ndata: {values: {{ .Values | toJson | quote }} }\n"
)


def chart(values: str = "", **templates: str) -> dict[str, str]:
    files = {"app/Chart.yaml": CHART, "app/values.yaml": values}
    return files | {f"app/templates/{name.replace('_', '.')}": text for name, text in templates.items()}


async def values_of(render: Renderer, files: Files, **helm: Any) -> dict[str, Any]:
    manifests = await render.manifests(files, helm=helm)
    seen: dict[str, Any] = json.loads(manifests[0]["data"]["values"])
    return seen


async def test_a_chart_sees_its_release_its_chart_and_the_clusters_version(render: Renderer) -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n"
        "  release: {{ .Release | toJson | quote }}\n  chart: {{ .Chart.Name }}-{{ .Chart.Version }}\n"
        '  kube: {{ .Capabilities.KubeVersion.Version }}\n  has: {{ .Capabilities.APIVersions.Has "acme.io/v1" | quote }}\n'
    )
    context = RenderContext("shop-17", "retail", "v1.31.2")

    plain = (await render(chart(a_yaml=text), context=context)).manifests[0]["data"]
    named = (
        await render(
            chart(a_yaml=text),
            context=context,
            helm={
                "releaseName": "mine",
                "namespace": "other",
                "kubeVersion": "1.30",
                "apiVersions": ["acme.io/v1"],
            },
        )
    ).manifests[0]["data"]

    assert json.loads(plain["release"]) == {
        "Name": "shop-17",
        "Namespace": "retail",
        "Service": "Helm",
        "IsInstall": True,
        "IsUpgrade": False,
        "Revision": 1,
    }
    assert (plain["chart"], plain["kube"], plain["has"]) == ("shop-1.2.3", "v1.31.2", "false")
    assert (json.loads(named["release"])["Name"], json.loads(named["release"])["Namespace"]) == (
        "mine",
        "other",
    )
    assert (named["kube"], named["has"]) == ("v1.30", "true")


async def test_values_come_from_files_then_the_object_then_parameters_then_files_as_values(
    render: Renderer,
) -> None:
    files = {
        **chart(
            "a: chart\nb: chart\nc: chart\nd: chart\ne: chart\ndeep: {x: chart, w: chart, u: chart}",
            v_yaml=SHOW_VALUES,
        ),
        "app/values-prod.yaml": "b: file\nc: file\nd: file\ndeep: {x: file}\nlist: [1, 2, 3]",
        "shared/more.yaml": "c: more\n",
        "app/ca.pem": "line, one\nline two\n",
    }

    seen = await values_of(
        render,
        files,
        valueFiles=["values-prod.yaml", "../shared/more.yaml"],
        values="b: ignored, since there is an object",
        valuesObject={"d": "object", "deep": {"w": None}},
        parameters=[
            {"name": "e", "value": "true", "forceString": True},
            {"name": "flag", "value": "true"},
            {"name": "number", "value": "3"},
            {"name": "list[1]", "value": "9"},
            {"name": "names", "value": "{a,b}"},
            {"name": "comma", "value": "a,b=c"},
            {"name": r"dotted\.name", "value": "x"},
        ],
        fileParameters=[{"name": "tls.ca", "path": "ca.pem"}],
    )

    assert seen == {
        "a": "chart",
        "b": "file",
        "c": "more",
        "d": "object",
        "e": "true",
        "flag": True,
        "number": 3,
        "list": [1, 9, 3],
        "names": ["a", "b"],
        "comma": "a,b=c",
        "dotted.name": "x",
        "deep": {"x": "file", "u": "chart"},
        "tls": {"ca": "line, one\nline two\n"},
    }


async def test_values_as_text_are_used_where_there_is_no_object(render: Renderer) -> None:
    assert await values_of(render, chart("a: 1", v_yaml=SHOW_VALUES), values="b: 2\n") == {"a": 1, "b": 2}


async def test_a_missing_value_file_is_named_unless_it_may_be_missing(render: Renderer) -> None:
    files = chart("a: 1", v_yaml=SHOW_VALUES)

    with pytest.raises(
        RenderError, match=r"spec\.source\.helm\.valueFiles\[0\]: 'gone\.yaml' does not exist"
    ):
        await render(files, helm={"valueFiles": ["gone.yaml"]})
    assert await values_of(render, files, valueFiles=["gone.yaml"], ignoreMissingValueFiles=True) == {"a": 1}
    for path in ("../../../etc/hostname", "/../etc/hostname", "../other/values.yaml"):
        with pytest.raises(RenderError, match=r"valueFiles\[0\]: .* does not exist in the repository"):
            await render(files, helm={"valueFiles": [path]})


async def test_definitions_come_first_and_are_left_out_if_asked(render: Renderer) -> None:
    crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: shops.acme.io}\n"
    files = {**chart(v_yaml=SHOW_VALUES, NOTES_txt="not a manifest"), "app/crds/shops.yaml": crd}

    assert [item["kind"] for item in await render.manifests(files)] == [
        "CustomResourceDefinition",
        "ConfigMap",
    ]
    assert [item["kind"] for item in await render.manifests(files, helm={"skipCrds": True})] == ["ConfigMap"]


async def test_hooks_stay_with_their_annotations_and_tests_are_left_out_if_asked(render: Renderer) -> None:
    hook = "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {0}, annotations: {{helm.sh/hook: '{1}'}}}}\n"
    files = chart(
        a_yaml=hook.format("migrate", "pre-install,pre-upgrade"), b_yaml=hook.format("check", "test")
    )

    found = await render.manifests(files)
    assert [item["metadata"]["annotations"]["helm.sh/hook"] for item in found] == [
        "pre-install,pre-upgrade",
        "test",
    ]
    assert [item["metadata"]["name"] for item in await render.manifests(files, helm={"skipTests": True})] == [
        "migrate"
    ]


SUBCHART = {
    "app/charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
    "app/charts/sub/templates/s.yaml": SHOW_VALUES.replace("name: v", "name: sub"),
    "app/charts/sub/crds/c.yaml": (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: subs.acme.io}\n"
    ),
}


async def test_a_subchart_is_rendered_unless_its_condition_says_otherwise(render: Renderer) -> None:
    declared = "dependencies:\n- {name: sub, version: 1.0.0, condition: sub.enabled}\n"
    files = {
        **chart("sub: {enabled: true, x: 1}", v_yaml=SHOW_VALUES),
        **SUBCHART,
        "app/Chart.yaml": CHART + declared,
    }

    on = await render.manifests(files)
    off = await render.manifests(files, helm={"parameters": [{"name": "sub.enabled", "value": "false"}]})

    assert [item["metadata"]["name"] for item in on] == ["subs.acme.io", "sub", "v"]
    assert [item["metadata"]["name"] for item in off] == ["v"]


async def test_a_chart_that_lacks_a_declared_dependency_is_refused_and_not_rendered_to_nothing(
    render: Renderer,
) -> None:
    declared = "dependencies:\n- {name: redis, version: 1.0.0, repository: 'https://charts.example.com'}\n"
    files = {**chart(), "app/Chart.yaml": CHART + declared}

    with pytest.raises(
        ChartsMissing, match=r"not in charts/: redis 1.0.0 \(https://charts.example.com\)"
    ) as refused:
        await render(files)
    assert refused.value.file == "app/Chart.yaml"
    assert refused.value.charts == [MissingChart("redis", "1.0.0", "https://charts.example.com")]


async def test_the_version_of_a_missing_dependency_is_the_one_that_the_chart_was_last_built_with(
    render: Renderer,
) -> None:
    declared = "dependencies:\n- {name: redis, version: 1.x, repository: 'https://charts.example.com'}\n"
    lock = "dependencies:\n- {name: redis, version: 1.4.2, repository: 'https://charts.example.com'}\ndigest: sha256:x\n"
    files = {**chart(), "app/Chart.yaml": CHART + declared, "app/Chart.lock": lock}

    with pytest.raises(ChartsMissing) as refused:
        await render(files)
    assert [one.version for one in refused.value.charts] == ["1.4.2"]


@pytest.mark.parametrize(
    ("repository", "reason"),
    [
        ("", "no repository is named to fetch it from"),
        ("'@stable'", "is a name on somebody's machine"),
        ("alias:stable", "is a name on somebody's machine"),
        ("file://../gone", "is no chart of this repository"),
        ("ftp://example.com", "no repository is named to fetch it from"),
    ],
)
async def test_a_dependency_that_nobody_could_fetch_is_refused(
    repository: str, reason: str, render: Renderer
) -> None:
    declared = f"dependencies:\n- name: redis\n  version: 1.0.0\n  repository: {repository}\n"

    with pytest.raises(RenderError, match=reason) as refused:
        await render({**chart(), "app/Chart.yaml": CHART + declared})
    assert not isinstance(refused.value, ChartsMissing)


async def test_value_files_are_found_by_patterns_and_a_file_counts_once_where_it_is_named(
    render: Renderer,
) -> None:
    files = {
        **chart("seen: []", v_yaml=SHOW_VALUES),
        "envs/a.yaml": "a: 1\nlast: a",
        "envs/b.yaml": "b: 1\nlast: b",
        "envs/c.yaml": "c: 1\nlast: c",
        "envs/deep/d.yaml": "d: 1\nlast: d",
    }

    async def last(*names: str) -> tuple[list[str], str]:
        seen = await values_of(render, files, valueFiles=list(names))
        return sorted(key for key in seen if len(key) == 1), seen["last"]

    assert await last("../envs/*.yaml") == (["a", "b", "c"], "c")
    assert await last("/envs/**/*.yaml") == (["a", "b", "c", "d"], "d")
    assert await last("../envs/a.yaml", "../envs/*.yaml") == (["a", "b", "c"], "c")
    assert await last("../envs/*.yaml", "../envs/a.yaml") == (["a", "b", "c"], "a")
    assert await last("../envs/[ab].yaml") == (["a", "b"], "b")
    assert await last("../envs/{c,a}*.yaml", "/envs/b*") == (["a", "b", "c"], "b")
    with pytest.raises(
        RenderError, match=r"valueFiles\[0\]: '\.\./gone/\*\.yaml' matches no file of the repository"
    ):
        await render(files, helm={"valueFiles": ["../gone/*.yaml"]})
    with pytest.raises(RenderError, match=r"valueFiles\[0\]: 'a\[\.yaml' has a '\['"):
        await render(files, helm={"valueFiles": ["a[.yaml"]})
    assert (await values_of(render, files, valueFiles=["gone*.yaml"], ignoreMissingValueFiles=True)) == {
        "seen": []
    }


async def test_a_dependency_beside_the_chart_in_the_repository_is_taken_from_there(render: Renderer) -> None:
    declared = "dependencies:\n- {name: common, version: 1.0.0, repository: 'file://../common'}\n"
    files = {
        **chart(v_yaml='{{ include "common.map" . }}'),
        "app/Chart.yaml": CHART + declared,
        "common/Chart.yaml": "apiVersion: v2\nname: common\nversion: 1.0.0\ntype: library\n",
        "common/templates/_map.tpl": (
            '{{ define "common.map" }}{apiVersion: v1, kind: ConfigMap, metadata: {name: from-common}}{{ end }}'
        ),
    }

    assert [item["metadata"]["name"] for item in await render.manifests(files)] == ["from-common"]


@pytest.mark.parametrize(
    ("template", "line", "reason"),
    [
        ('a: 1\n\nb: {{ fail "no such shop" }}\n', 3, "no such shop"),
        ("a: 1\nb: {{ .Values.x.y.z }}\n", 2, "nil pointer"),
        ("a: {{ if }}\n", 1, "missing value for if"),
        ('a: {{ include "nothing" . }}\n', 1, "no template"),
    ],
)
async def test_an_error_in_a_template_is_named_with_file_and_line(
    template: str, line: int, reason: str, render: Renderer
) -> None:
    with pytest.raises(RenderError, match=reason) as refused:
        await render(chart(broken_yaml=template))

    assert (refused.value.file, refused.value.line) == ("app/templates/broken.yaml", line)
    assert str(render.folder) not in str(refused.value)


async def test_a_template_that_renders_to_no_manifest_is_named(render: Renderer) -> None:
    for text, reason in (
        ("a: [", "renders to what is no YAML"),
        ("kind: A\nmetadata: {name: a}\n", "apiVersion"),
    ):
        with pytest.raises(RenderError, match=reason) as refused:
            await render(chart(broken_yaml=text))
        assert refused.value.file == "app/templates/broken.yaml"


async def test_values_that_the_schema_refuses_are_named(render: Renderer) -> None:
    schema = json.dumps(
        {"properties": {"replicas": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}
    )
    files = {**chart("replicas: many", v_yaml=SHOW_VALUES), "app/values.schema.json": schema}

    with pytest.raises(RenderError, match=r"replicas.*want integer"):
        await render(files)
    assert await values_of(render, files, parameters=[{"name": "replicas", "value": "3"}]) == {"replicas": 3}


async def test_broken_values_and_parameters_are_named(render: Renderer) -> None:
    files = {**chart(v_yaml=SHOW_VALUES), "app/broken.yaml": "a: ["}
    for helm, where in (
        ({"valueFiles": ["broken.yaml"]}, "app/broken.yaml"),
        ({"values": "a: ["}, "spec.source.helm.values"),
        ({"parameters": [{"name": "a[", "value": "1"}]}, r"spec.source.helm.parameters\[0\]"),
        ({"fileParameters": [{"name": "a", "path": "gone"}]}, r"spec.source.helm.fileParameters\[0\].path"),
    ):
        with pytest.raises(RenderError, match=where):
            await render(files, helm=helm)


async def test_an_application_name_that_is_no_release_name_is_named(render: Renderer) -> None:
    with pytest.raises(RenderError, match=r"spec\.source\.helm\.releaseName: .* is no Helm release name"):
        await render(chart(v_yaml=SHOW_VALUES), context=RenderContext("a" * 60, "ns"))


async def test_a_path_without_a_chart_is_named(render: Renderer) -> None:
    with pytest.raises(RenderError, match=r"app/Chart\.yaml: does not exist"):
        await render({"app/a.yaml": "a"}, helm={})


async def test_rendering_twice_gives_the_same_manifests_in_the_same_order(render: Renderer) -> None:
    text = "".join(
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\ndata: {{{{ .Values | toJson }}}}\n"
        for number in range(20)
    )
    files = chart("b: '1'\na: '2'\n", z_yaml=text, a_yaml=text.replace("name: c", "name: d"))

    first, second = await render.manifests(files), await render.manifests(files)

    assert json.dumps(first) == json.dumps(second)
    assert len(first) == 40


async def test_a_text_block_at_the_end_of_a_file_ends_as_helm_prints_it(render: Renderer) -> None:
    block = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {0}}}\ndata:\n  text: |{1}\n    line{2}"
    texts = {
        "a_yaml": block.format("a", "", ""),
        "b_yaml": block.format("b", "+", "\n\n\n"),
        "c_yaml": block.format("c", "-", "\n"),
        "d_yaml": "---\n"
        + block.format("d", "", "\n\n---\n\n")
        + block.format("e", "", "\n--- \n# nothing\n"),
    }
    found = {one["metadata"]["name"]: one["data"]["text"] for one in await render.manifests(chart(**texts))}
    assert found == {"a": "line\n", "b": "line\n", "c": "line", "d": "line\n", "e": "line\n"}
