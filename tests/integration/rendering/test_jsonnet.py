import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.integration.rendering.conftest import Renderer
from tests.integration.rendering.repositories import Files, Link

from outrider.rendering.errors import RenderError
from outrider.rendering.git import GitStore
from outrider.rendering.pool import RenderPool
from outrider.rendering.settings import MIB, RenderSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTNAME = socket.gethostname()
LIBRARY = "{named(name):: {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: name}}}"
USE = "local lib = import 'lib.libsonnet';\n"


async def names(render: Renderer, files: Files, **directory: Any) -> list[str]:
    found = await render.manifests(files, directory=directory)
    return [item["metadata"]["name"] for item in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lib.named('a')", ["a"]),
        ("[lib.named('b'), lib.named('a'), null]", ["b", "a"]),
        ("{z: lib.named('a'), y: lib.named('b')}", ["b", "a"]),
        ("{apiVersion: 'v1', kind: 'List', items: [lib.named('a')]}", ["a"]),
        ("[]", []),
    ],
)
async def test_a_file_is_a_manifest_a_list_of_manifests_or_an_object_of_manifests(
    text: str, found: list[str], render: Renderer
) -> None:
    assert await names(render, {"app/lib.libsonnet": LIBRARY, "app/main.jsonnet": USE + text}) == found


async def test_jsonnet_yaml_and_json_are_read_in_the_order_of_their_names(render: Renderer) -> None:
    files = {
        "app/lib.libsonnet": LIBRARY,
        "app/b.jsonnet": USE + "lib.named('b')",
        "app/a.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: a}",
        "app/c.json": '{"apiVersion": "v1", "kind": "A", "metadata": {"name": "c"}}',
        "app/below/d.jsonnet": "(import '../lib.libsonnet').named('d')",
    }
    assert await names(render, files) == ["a", "b", "c"]
    assert await names(render, files, recurse=True) == ["a", "b", "d", "c"]


async def test_variables_and_arguments_are_text_or_code(render: Renderer) -> None:
    text = (
        "function(name, replicas) {apiVersion: 'v1', kind: 'A', metadata: {name: name},"
        " data: [replicas, std.extVar('text'), std.extVar('code')]}"
    )
    variables = {
        "tlas": [{"name": "name", "value": "a"}, {"name": "replicas", "value": "1 + 1", "code": True}],
        "extVars": [{"name": "text", "value": "1 + 1"}, {"name": "code", "value": "{x: 1}", "code": True}],
    }
    (found,) = await render.manifests({"app/main.jsonnet": text}, directory={"jsonnet": variables})
    assert (found["metadata"]["name"], found["data"]) == ("a", [2, "1 + 1", {"x": 1}])


async def test_imports_are_looked_for_beside_the_file_in_the_libraries_last_first_and_in_the_sources_folder(
    render: Renderer,
) -> None:
    named = "{{apiVersion: 'v1', kind: 'A', metadata: {{name: '{0}'}}}}"
    files: Files = {
        "app/main.jsonnet": "import 'where.libsonnet'",
        "one/where.libsonnet": named.format("one"),
        "two/where.libsonnet": "import 'deep/real.libsonnet'",
        "two/deep/real.libsonnet": named.format("two"),
        "other/secret.libsonnet": "canary",
    }
    assert await names(render, files, jsonnet={"libs": ["two", "one"]}) == ["one"]
    assert await names(render, files, jsonnet={"libs": ["one", "two"]}) == ["two"]
    beside = {**files, "app/where.libsonnet": named.format("beside")}
    assert await names(render, beside, jsonnet={"libs": ["one"]}) == ["beside"]
    linked = {**files, "app/where.libsonnet": Link("../two/deep/real.libsonnet")}
    assert await names(render, linked) == ["two"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import '/etc/hostname'", "is no path inside the repository"),
        ("importstr '/etc/hostname'", "is no path inside the repository"),
        ("importbin '../../../../../../etc/hostname'", "does not exist in the repository"),
        ("importstr '../../../job/../../../../etc/hostname'", "does not exist in the repository"),
        ("import 'gone.libsonnet'", "does not exist in the repository"),
        ("importstr '../other/secret.txt' + 1 +", "Unexpected"),
        ("local f(x) = f(x + 1); f(1)", "max stack frames exceeded"),
        ("local x = import 'main.jsonnet'; x", "max stack frames exceeded|infinite|stack"),
        ("{a: error 'my words'}", "my words"),
        ("{", "[Ee]nd of file"),
        ("{}", "is missing, or no text"),
        ("'text'", "is text where a manifest is expected"),
        ("std.extVar('x')", "Undefined external variable: x"),
        ("function(x) {}", "Missing argument: x"),
        ("std.native('x')('y')", "null"),
    ],
)
async def test_what_can_not_be_evaluated_is_said_with_its_file(
    text: str, reason: str, render: Renderer
) -> None:
    with pytest.raises(RenderError, match=reason) as refused:
        await render({"app/main.jsonnet": text, "other/secret.txt": "canary-7f3a"})
    assert refused.value.file == "app/main.jsonnet"
    for secret in ("canary-7f3a", str(render.folder), HOSTNAME):
        assert secret not in str(refused.value)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tight(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Renderer]:
    folder = tmp_path_factory.mktemp("tight")
    settings = RenderSettings(folder=folder / "pool", workers=1, timeout_s=2, memory_bytes=256 * MIB)
    async with GitStore(folder / "store") as store, RenderPool(settings) as pool:
        yield Renderer(folder, store, pool)


@pytest.mark.parametrize(
    "text",
    [
        "std.repeat('x', 2000000000)",
        "std.range(1, 2000000000)",
        "local f(x) = if x == 0 then [] else f(x - 1) + f(x - 1) + [x]; f(60)",
        "local x = std.makeArray(100000, function(i) std.repeat('y', 10000)); x",
    ],
)
async def test_endless_output_ends_with_a_named_error_and_the_next_source_is_rendered(
    text: str, tight: Renderer
) -> None:
    with pytest.raises(RenderError, match=r"memory|longer than") as refused:
        await tight({"app/main.jsonnet": text})
    assert refused.value.transient
    assert await names(tight, {"app/lib.libsonnet": LIBRARY, "app/m.jsonnet": USE + "lib.named('a')"}) == [
        "a"
    ]
