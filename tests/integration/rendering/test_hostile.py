"""Repositories that mean harm. Each must end in a named error, read nothing else, open no connection, start no program."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.integration.rendering.conftest import Renderer, until
from tests.integration.rendering.repositories import Files, Repository, manifest
from tests.integration.rendering.test_helm import SHOW_VALUES, chart

from outrider.rendering.errors import RenderError
from outrider.rendering.git import GitStore
from outrider.rendering.kubeyaml import Bounds
from outrider.rendering.pool import Rendering, RenderPool, WorkerStatus
from outrider.rendering.settings import MIB, RenderSettings
from outrider.rendering.worker.roles import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARY = "canary-91bd"


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Secret that no rendering may see: as a file, a kustomization and a Git repository."""
    folder = tmp_path_factory.mktemp("canary")
    secret = manifest("stolen", "Secret", stringData={"token": CANARY})
    (folder / "secret.yaml").write_text(secret)
    (folder / "kustomization.yaml").write_text("resources: [secret.yaml]\n")
    repository = Repository(folder / "secret.git")
    repository.commit({"app/kustomization.yaml": "resources: [secret.yaml]\n", "app/secret.yaml": secret})
    return folder


class Listener:
    """Counts connections."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                self.connections += 1
                connection.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    opened = Listener()
    yield opened
    opened.socket.close()


async def refused(render: Renderer, files: Files, path: str = "app", **fields: Any) -> RenderError:
    """Render, and return the error, which shows nothing of the canary."""
    with pytest.raises(RenderError) as caught:
        await render(files, path, **fields)
    assert CANARY not in f"{caught.value!s}{caught.value.as_dict()}"
    return caught.value


REMOTE = [
    "https://127.0.0.1:{port}/a.yaml",
    "http://127.0.0.1:{port}/a.yaml",
    "HTTP://127.0.0.1:{port}/a.yaml",
    "git::https://127.0.0.1:{port}/repo",
    "https://127.0.0.1:{port}/repo.git//app?ref=main",
    "git@127.0.0.1:{port}/repo.git",
    "ssh://git@127.0.0.1:{port}/repo.git",
    "ext::sh -c touch% {canary}/pwned",
    "github.com/kubernetes-sigs/kustomize/examples/helloWorld",
    "GitHub.com/kubernetes-sigs/kustomize",
    "gh:kubernetes-sigs/kustomize",
    "file://{canary}/secret.git//app",
    "file://{canary}/secret.git//app?ref=--upload-pack=touch%20{canary}/pwned",
    "{canary}/secret.yaml",
    "{canary}",
    "../../../../../../../../../../../..{canary}/secret.yaml",
    "../../../../../../../../../../../..{canary}",
]
FIELDS = [
    "resources: [{0}]",
    "bases: [{0}]",
    "components: [{0}]",
    "crds: [{0}]",
    "configurations: [{0}]",
    "openapi: {{path: {0}}}",
    "patches: [{{path: {0}}}]",
    "patchesStrategicMerge: [{0}]",
    "patchesJson6902: [{{target: {{version: v1, kind: ConfigMap, name: a}}, path: {0}}}]",
    "replacements: [{{path: {0}}}]",
    "generators: [{0}]",
    "transformers: [{0}]",
    "validators: [{0}]",
    "configMapGenerator: [{{name: a, files: [{0}]}}]",
    "configMapGenerator: [{{name: a, files: [key={0}]}}]",
    "secretGenerator: [{{name: a, envs: [{0}]}}]",
    "secretGenerator: [{{name: a, env: {0}}}]",
]


@pytest.mark.parametrize("reference", REMOTE)
async def test_no_field_of_a_kustomization_reaches_out_of_the_repository(
    reference: str, render: Renderer, canary: Path, listener: Listener
) -> None:
    text = json.dumps(reference.format(port=listener.port, canary=canary))
    for field in FIELDS if reference == REMOTE[0] else [*FIELDS[:2], FIELDS[5]]:
        content = field.format(text)
        error = await refused(render, {"app/kustomization.yaml": content, "app/a.yaml": manifest("a")})
        assert (error.stage, error.file) == ("kustomize", "app/kustomization.yaml"), content
        assert error.field is not None
        assert error.field.startswith(content.partition(":")[0])
        in_base = {"app/kustomization.yaml": "resources: [../base]", "base/kustomization.yaml": content}
        assert (await refused(render, in_base)).file == "base/kustomization.yaml"
    assert listener.connections == 0
    assert not (canary / "pwned").exists()


@pytest.mark.parametrize(
    "content",
    [
        "helmCharts: [{name: a, repo: 'https://127.0.0.1/'}]",
        "helmGlobals: {configHome: /tmp}",
        "helmChartInflationGenerator: [{chartName: a}]",
        "generators: [function.yaml]",
        "transformers: [function.yaml]",
        "transformers: [plugins]",
        "generators:\n- |-\n  apiVersion: builtin\n  kind: HelmChartInflationGenerator\n  metadata: {name: a}\n  name: a",
        "generators:\n- |-\n  apiVersion: acme.io/v1\n  kind: Plugin\n  metadata: {name: a}",
    ],
)
async def test_charts_plugins_and_functions_inside_a_kustomization_are_refused(
    content: str, render: Renderer
) -> None:
    function = (
        "apiVersion: builtin\nkind: A\nmetadata:\n  name: a\n  annotations:\n"
        "    config.kubernetes.io/function: |\n      exec: {path: ./run.sh}\n"
    )
    files = {
        "app/kustomization.yaml": content,
        "app/function.yaml": function,
        "app/run.sh": "#!/bin/sh\ntouch /tmp/pwned\n",
        "app/plugins/kustomization.yaml": "resources: [../function.yaml]\ngenerators: [../function.yaml]",
    }

    error = await refused(render, files)

    assert error.file in {"app/kustomization.yaml", "app/plugins/kustomization.yaml"}
    assert "not supported" in error.reason or "would start a program" in error.reason


@pytest.mark.parametrize(
    "reference", ["https://127.0.0.1/a", "/etc/hostname", "../../../../../etc", "%2e%2e/%2e%2e/etc"]
)
async def test_no_option_of_the_application_reaches_out_of_the_repository(
    reference: str, render: Renderer
) -> None:
    files = {"app/kustomization.yaml": "resources: [a.yaml]", "app/a.yaml": manifest("a")}
    for options in ({"components": [reference]}, {"patches": [{"path": reference}]}):
        assert (await refused(render, files, kustomize=options)).file == "app/kustomization.yaml"
    missing = await render(files, kustomize={"components": [reference], "ignoreMissingComponents": True})
    assert len(missing.manifests) == 1


async def test_a_reference_written_so_that_it_is_not_found_when_exporting_is_refused_when_rendering(
    render: Renderer,
) -> None:
    files = {
        "app/kustomization.yaml": 'resources: ["..\\x2fother"]\n',
        "other/kustomization.yaml": "resources: [secret.yaml]",
        "other/secret.yaml": manifest("stolen", "Secret", stringData={"token": CANARY}),
    }

    assert "'../other' does not exist in the repository" in (await refused(render, files)).reason


async def test_a_chart_sees_no_file_outside_and_looks_nothing_up(
    render: Renderer, canary: Path, listener: Listener
) -> None:
    template = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n"
        '  up: {{ .Files.Get "../../secret.yaml" | quote }}\n'
        f'  absolute: {{{{ .Files.Get "{canary}/secret.yaml" | quote }}}}\n'
        '  all: {{ (.Files.Glob "**").AsConfig | quote }}\n'
        '  host: {{ getHostByName "localhost" | quote }}\n'
        '  cluster: {{ lookup "v1" "Secret" "default" "" | toJson | quote }}\n'
        '  env: {{ env "PATH" | quote }}\n'
    ).replace('  env: {{ env "PATH" | quote }}\n', "")

    data = (await render.manifests({**chart(a_yaml=template), "secret.yaml": CANARY}))[0]["data"]

    assert (data["up"], data["absolute"], data["host"], data["cluster"]) == ("", "", "", "{}")
    assert CANARY not in json.dumps(data)


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:{port}/schema.json",
        "file://{canary}/secret.yaml",
        "{canary}/secret.yaml",
        "../other.json",
    ],
)
async def test_a_schema_that_refers_elsewhere_is_refused(
    reference: str, render: Renderer, canary: Path, listener: Listener
) -> None:
    schema = json.dumps({"properties": {"a": {"$ref": reference.format(port=listener.port, canary=canary)}}})
    for place in ("app/values.schema.json", "app/charts/sub/values.schema.json"):
        error = await refused(render, {**chart(v_yaml=SHOW_VALUES), place: schema})
        assert (error.file, error.field) == (place, "$ref")
    assert listener.connections == 0


async def test_a_schema_hidden_in_a_packed_subchart_reaches_nothing(
    render: Renderer, canary: Path, listener: Listener
) -> None:
    import io
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in (
            ("sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
            ("sub/values.yaml", "a: 1\n"),
            ("sub/values.schema.json", json.dumps({"$ref": f"http://127.0.0.1:{listener.port}/s.json"})),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))

    error = await refused(
        render, {**chart(v_yaml=SHOW_VALUES), "app/charts/sub-1.0.0.tgz": packed.getvalue()}
    )

    assert error.stage == "helm"
    assert listener.connections == 0


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
HEAD = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + "a: " + "[" * 200_000, "nested deeper than 100 levels"),
        (HEAD + "a: " + "{a: " * 200_000, "nested deeper than 100 levels"),
        (HEAD + BOMB, "once its aliases are written out"),
        (
            HEAD + 'a: &a "' + "x" * 100_000 + '"\nb: [' + "*a," * 10_000 + "]",
            "once its aliases are written out",
        ),
        (HEAD + "a: &a [*a]", "contains itself"),
        (HEAD + "a: " + "9" * 200_000, None),
        (HEAD + "a: 0x" + "f" * 200_000, None),
        (HEAD + "a: " + "x" * (17 * MIB), "bytes, more than the"),
        ("#apiVersion:kind:metadata:\n\x00", "does not allow"),
    ],
)
async def test_yaml_made_to_break_a_reader_is_refused_or_harmless(
    text: str, reason: str | None, render: Renderer
) -> None:
    if reason is None:
        assert len(await render.manifests({"app/a.yaml": text})) == 1
    else:
        error = await refused(render, {"app/a.yaml": text})
        assert reason in error.reason
        assert error.file == "app/a.yaml"
    assert "nested deeper" in (await refused(render, {"app/a.json": "[" * 200_000})).reason
    assert "more than 400 digits" in (await refused(render, {"app/a.json": "9" * 200_000})).reason


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Renderer]:
    """A pool with tight limits, so that what exceeds them does so quickly."""
    folder = tmp_path_factory.mktemp("strict")
    settings = RenderSettings(
        folder=folder / "pool",
        workers=2,
        timeout_s=2,
        memory_bytes=256 * MIB,
        max_output_bytes=4 * MIB,
        bounds=Bounds(max_weight=32 * MIB),
    )
    async with GitStore(folder / "store") as store, RenderPool(settings) as pool:
        yield Renderer(folder, store, pool)


GOOD = chart(v_yaml=SHOW_VALUES)


@pytest.mark.parametrize(
    ("template", "reasons"),
    [
        ("a: {{ until 1000000000 | len }}", ["memory", "ended while"]),
        ('a: {{ repeat 1000000000 "x" }}', ["memory", "longer than", "ended while"]),
        ('a: {{ range until 100000000 }}{{ "x" }}{{ end }}', ["memory", "longer than", "ended while"]),
        ("{{ range until 30000 }}{{ range until 30000 }}{{ end }}{{ end }}", ["longer than", "memory"]),
        ('{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}', ["nested reference name: r"]),
        (
            '{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}',
            ["exceeded maximum template depth", "memory", "longer than"],
        ),
        ('a: {{ regexMatch "(a*)*b" (repeat 100000 "a") }}', [None]),
        ("a: " + '{{ repeat 6000000 "x" }}', ["renders to"]),
        (
            '{{ tpl (repeat 200000 "{{ if true }}") . }}',
            ["unexpected EOF", "memory", "longer", "ended while"],
        ),
    ],
)
async def test_a_template_that_eats_memory_or_time_costs_a_named_error_and_nothing_else(
    template: str, reasons: list[str], strict: Renderer
) -> None:
    body = f"apiVersion: v1\nkind: A\nmetadata: {{name: a}}\n{template}\n"
    if reasons == [None]:
        await strict(chart(a_yaml=body))
    else:
        error = await refused(strict, chart(a_yaml=body))
        assert error.stage == "helm"
        assert any(reason in str(error) for reason in reasons), str(error)
    assert len(await strict.manifests(GOOD)) == 1


async def test_a_kustomization_that_renders_to_too_much_is_ended(tmp_path: Path) -> None:
    files = {"app/kustomization.yaml": "resources: [" + ", ".join(f"{n}.yaml" for n in range(8)) + "]"}
    files |= {f"app/{n}.yaml": manifest(f"a{n}", data={"x": "x" * 200_000}) for n in range(8)}
    settings = RenderSettings(folder=tmp_path / "pool", workers=1, max_output_bytes=MIB)
    async with GitStore(tmp_path / "store") as store, RenderPool(settings) as pool:
        error = await refused(Renderer(tmp_path, store, pool), files)

    assert "renders to more than 1048576 bytes" in error.reason


async def test_values_with_an_alias_bomb_are_refused(strict: Renderer) -> None:
    for files in ({**GOOD, "app/values.yaml": BOMB}, {**GOOD, "app/more.yaml": BOMB}):
        error = await refused(
            strict, files, helm={"valueFiles": ["more.yaml"]} if "app/more.yaml" in files else {}
        )
        assert any(word in error.reason for word in ("aliasing", "memory", "ended while", "longer than")), (
            error.reason
        )


SLOW = chart(a_yaml="{{ range until 30000 }}{{ range until 30000 }}{{ end }}{{ end }}")


async def too_slow(rendering: Awaitable[Rendering]) -> RenderError:
    with pytest.raises(RenderError, match="longer than the 2 s") as caught:
        await rendering
    assert caught.value.transient
    return caught.value


async def test_a_source_that_takes_too_long_delays_no_other(render: Renderer) -> None:
    slow, good = await render.prepare(SLOW), await render.prepare(GOOD)
    plain = await render.prepare({"app/a.yaml": manifest("a")})
    async with asyncio.TaskGroup() as tasks:
        slow_one = tasks.create_task(_cut_off(slow()))
        for _ in range(5):
            assert len((await good()).manifests) == 1
            assert len((await plain()).manifests) == 1
        assert not slow_one.done()
        slow_one.cancel()


async def test_sources_that_were_too_slow_before_hold_one_worker_at_most(strict: Renderer) -> None:
    slow = [await strict.prepare(SLOW) for _ in range(2)]
    good = await strict.prepare(GOOD)
    await asyncio.gather(*(too_slow(one()) for one in slow))
    await until(lambda: len(_chart_workers(strict)) == 2)
    async with asyncio.TaskGroup() as tasks:
        again = [tasks.create_task(_cut_off(one())) for one in slow]
        # With both workers held, this could not be rendered before the slow ones are given up.
        assert len((await good()).manifests) == 1
        assert not any(task.done() for task in again)
        for task in again:
            task.cancel()


def _chart_workers(render: Renderer) -> list[WorkerStatus]:
    return [worker for worker in render.pool.workers() if worker.role is Role.CHARTS and not worker.has_ended]


async def _cut_off(rendering: Awaitable[Rendering]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await rendering
