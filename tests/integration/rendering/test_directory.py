import pytest
from tests.integration.rendering.conftest import Renderer
from tests.integration.rendering.repositories import manifest

from outrider.rendering.errors import RenderError

pytestmark = pytest.mark.asyncio(loop_scope="module")


def names(manifests: list[dict[str, object]]) -> list[object]:
    return [item["metadata"]["name"] for item in manifests]  # type: ignore[index]


async def test_yaml_and_json_files_are_rendered_in_the_order_of_their_names(render: Renderer) -> None:
    files = {
        "app/b.yml": f"{manifest('b1')}\n---\n# nothing\n---\n{manifest('b2')}\n",
        "app/a.json": manifest("a"),
        "app/c.yaml": f"kind: List\napiVersion: v1\nitems: [{manifest('c1')}, {manifest('c2')}]",
        "app/d.yaml": f"kind: ConfigMapList\napiVersion: v1\nitems: [{manifest('d')}]\n---\nkind: List\nitems: null",
        "app/e.txt": manifest("e"),
        "app/z/f.yaml": manifest("f"),
    }

    assert names(await render.manifests(files)) == ["a", "b1", "b2", "c1", "c2", "d"]
    recursive = await render.manifests(files, directory={"recurse": True})
    assert names(recursive) == ["a", "b1", "b2", "c1", "c2", "d", "f"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"include": "*.yaml"}, ["a", "deep", "web"]),
        ({"include": "deep/*"}, ["deep"]),
        ({"exclude": "{deep/**,web.*}"}, ["a", "j"]),
        ({"include": "*.{json,yml}"}, ["j"]),
        ({"include": "[a-c].yaml"}, ["a"]),
        ({"include": "[!a].yaml", "exclude": "nothing"}, []),
        ({"include": "?.yaml"}, ["a"]),
        ({"exclude": "*"}, []),
    ],
)
async def test_include_and_exclude_are_argo_cds_patterns_over_the_whole_path(
    options: dict[str, str], expected: list[str], render: Renderer
) -> None:
    files = {
        "app/a.yaml": manifest("a"),
        "app/deep/x.yaml": manifest("deep"),
        "app/j.json": manifest("j"),
        "app/web.yaml": manifest("web"),
    }

    found = await render.manifests(files, directory={"recurse": True, **options})

    assert sorted(map(str, names(found))) == expected


async def test_a_pattern_that_can_not_be_read_is_named(render: Renderer) -> None:
    with pytest.raises(RenderError, match=r"directory\.include: the pattern '\{a' has a '\{' without a '\}'"):
        await render({"app/a.yaml": manifest("a")}, directory={"include": "{a"})


@pytest.mark.parametrize(
    ("name", "text", "line", "field", "reason"),
    [
        (
            "a.yaml",
            "apiVersion: v1\nkind: A\nmetadata: {name: [}\n",
            3,
            None,
            "did not find expected node content",
        ),
        ("a.yaml", f"{manifest('a')}\n---\nkind: B\nmetadata: {{}}", 2, "apiVersion", "is missing"),
        ("a.yaml", "apiVersion: v1\nkind: A\nmetadata: {}\n", 1, "metadata.name", "A has no name"),
        ("a.yaml", "apiVersion: v1\nkind: A\nmetadata: {name: 017}", 1, "metadata.name", "quote it"),
        (
            "a.yaml",
            "apiVersion: v1\nkind: A\nmetadata: {name: a, labels: {b: yes}}",
            1,
            "metadata.labels",
            "'b' is no",
        ),
        ("a.yaml", "apiVersion: v1\nkind: 3\nmetadata: {name: a}", 1, "kind", "no text"),
        (
            "a.yaml",
            "# apiVersion: kind: metadata:\n- a\n- b\n",
            2,
            None,
            "is a list where a manifest is expected",
        ),
        ("a.json", '{"apiVersion": "v1",\n "kind": }', 2, None, "Expecting value"),
        ("a.json", "[]", 1, None, "is a list"),
    ],
)
async def test_what_is_no_manifest_is_named_with_file_line_and_field(
    name: str, text: str, line: int | None, field: str | None, reason: str, render: Renderer
) -> None:
    with pytest.raises(RenderError, match=reason) as refused:
        await render({f"app/{name}": text})

    assert (refused.value.file, refused.value.line, refused.value.field) == (f"app/{name}", line, field)
    assert refused.value.stage == "directory"
    assert not refused.value.transient


async def test_a_yaml_file_that_has_nothing_to_do_with_kubernetes_is_left_out_with_a_warning(
    render: Renderer,
) -> None:
    rendering = await render(
        {"app/a.yaml": manifest("a"), "app/values.yaml": "replicas: 3\n", "app/broken.yaml": "a: [b"}
    )

    assert names(rendering.manifests) == ["a"]
    assert [warning.partition(":")[0] for warning in rendering.warnings] == [
        "app/broken.yaml",
        "app/values.yaml",
    ]


async def test_a_file_marked_to_be_skipped_is_skipped(render: Renderer) -> None:
    files = {"app/a.yaml": manifest("a"), "app/b.yaml": "# +argocd:skip-file-rendering\n" + manifest("b")}

    assert names(await render.manifests(files)) == ["a"]


async def test_a_key_that_occurs_twice_is_reported_and_the_last_one_counts(render: Renderer) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: one\n  x: two\n"

    rendering = await render({"app/a.yaml": text})

    assert rendering.manifests[0]["data"] == {"x": "two"}
    assert rendering.warnings == ("app/a.yaml: line 6: key 'x' occurs twice; the last one counts",)


async def test_an_empty_rendering_is_an_empty_list_and_says_so(render: Renderer) -> None:
    rendering = await render({"app/README.md": "nothing here"})

    assert rendering.manifests == []
    assert rendering.is_empty
    assert not (await render({"app/a.yaml": manifest("a")})).is_empty


async def test_any_file_name_is_read_when_the_extension_filter_is_off(render: Renderer) -> None:
    files = {"app/a.yaml.sealed": manifest("a"), "app/b.txt": "text"}

    assert await render.manifests(files) == []
    found = await render(files, directory={"disableExtensionFilter": True})
    assert names(found.manifests) == ["a"]


async def test_files_that_change_the_options_of_an_application_are_no_manifests(render: Renderer) -> None:
    files = {
        "app/a.yaml": manifest("a"),
        "app/.argocd-source.yaml": manifest("b"),
        "app/.argocd-source-x.yaml": "[",
    }

    assert names((await render(files)).manifests) == ["a"]
    assert names((await render(files, directory={"recurse": True})).manifests) == ["a"]
