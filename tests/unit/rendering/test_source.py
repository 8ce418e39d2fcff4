from typing import Any

import pytest
from pydantic import ValidationError

from outrider.spec.source import ApplicationSource, SourceKind, problems, repository_path

GIT = {"repoURL": "https://example.com/team/app.git", "path": "app"}


def refused(**fields: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        ApplicationSource.model_validate({**GIT, **fields})
    return list(problems(caught.value))


def test_every_supported_field_of_argo_cd_is_accepted_under_its_own_name() -> None:
    helm = {
        "releaseName": "shop",
        "valueFiles": ["values.yaml", "../shared.yaml", "/root.yaml"],
        "values": "a: 1",
        "valuesObject": {"a": {"b": [1, None]}},
        "parameters": [{"name": "a", "value": "1", "forceString": True}],
        "fileParameters": [{"name": "a", "path": "file"}],
        "ignoreMissingValueFiles": True,
        "skipCrds": True,
        "skipTests": True,
        "namespace": "ns",
        "kubeVersion": "1.31.0",
        "apiVersions": ["acme.io/v1/Shop"],
        "version": "v3",
        "passCredentials": False,
        "skipSchemaValidation": False,
    }
    kustomize = {
        "namePrefix": "a-",
        "nameSuffix": "-b",
        "namespace": "ns",
        "images": ["nginx:1"],
        "replicas": [{"name": "web", "count": 3}, {"name": "db", "count": "2"}],
        "commonLabels": {"a": "b"},
        "commonAnnotations": {"a": "b"},
        "forceCommonLabels": True,
        "forceCommonAnnotations": True,
        "labelWithoutSelector": True,
        "labelIncludeTemplates": True,
        "patches": [
            {"path": "p.yaml", "target": {"kind": "Deployment"}, "options": {"allowNameChange": True}}
        ],
        "components": ["../c"],
        "ignoreMissingComponents": True,
        "kubeVersion": "1.31",
        "apiVersions": ["v1"],
    }
    directory = {
        "recurse": True,
        "include": "*.yaml",
        "exclude": "x",
        "disableExtensionFilter": True,
        "jsonnet": {},
    }
    for tool, options in (("helm", helm), ("kustomize", kustomize), ("directory", directory)):
        source = ApplicationSource.model_validate({**GIT, tool: options})
        assert source.explicit_kind == SourceKind(tool.capitalize())
        assert ApplicationSource.model_validate(source.model_dump(by_alias=True)) == source


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"chart": "redis"}, "spec.source.chart"),
        ({"ref": "values"}, "spec.source.ref"),
        ({"name": "first"}, "spec.source.name"),
        ({"tagPrefix": "app/"}, "spec.source.tagPrefix"),
        ({"plugin": {}}, "spec.source.plugin"),
        ({"plugin": {"name": "x"}}, "spec.source.plugin"),
        ({"directory": {"jsonnet": {"libs": ["vendor"]}}}, "spec.source.directory.jsonnet"),
        ({"helm": {"passCredentials": True}}, "spec.source.helm.passCredentials"),
        ({"helm": {"skipSchemaValidation": True}}, "spec.source.helm.skipSchemaValidation"),
        ({"helm": {"version": "v2"}}, "spec.source.helm.version"),
        ({"helm": {"valueFiles": ["https://example.com/v.yaml"]}}, "spec.source.helm.valueFiles[0]"),
        ({"helm": {"valueFiles": ["a.yaml", "$ref/v.yaml"]}}, "spec.source.helm.valueFiles[1]"),
        ({"helm": {"valueFiles": ["envs/*.yaml"]}}, "spec.source.helm.valueFiles[0]"),
        (
            {"helm": {"parameters": [{"name": "a", "value": "$ARGOCD_APP_NAME"}]}},
            "spec.source.helm.parameters[0].value",
        ),
        ({"kustomize": {"version": "v4"}}, "spec.source.kustomize.version"),
        (
            {"kustomize": {"commonAnnotationsEnvsubst": True}},
            "spec.source.kustomize.commonAnnotationsEnvsubst",
        ),
        ({"kustomize": {"images": ["a:${ARGOCD_APP_REVISION}"]}}, "spec.source.kustomize.images[0]"),
        ({"targetRevision": "1.*"}, "spec.source.targetRevision"),
        ({"targetRevision": ">=1.0 <2"}, "spec.source.targetRevision"),
    ],
)
def test_what_is_not_supported_yet_is_refused_by_its_path(fields: dict[str, Any], where: str) -> None:
    (problem,) = refused(**fields)

    assert problem.startswith(f"{where}: ")
    assert "not supported" in problem


@pytest.mark.parametrize(
    "fields",
    [
        {"chart": ""},
        {"ref": None},
        {"plugin": None},
        {"directory": {"jsonnet": {"tlas": [], "extVars": []}}},
        {"helm": {"releaseName": None}},
    ],
)
def test_an_empty_value_is_the_same_as_none(fields: dict[str, Any]) -> None:
    ApplicationSource.model_validate({**GIT, **fields})


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"pth": "x"}, "spec.source.pth: unknown field"),
        ({"helm": {"valueFile": []}}, "spec.source.helm.valueFile: unknown field"),
        ({"path": ""}, "spec.source.path: is required: '.' is the root of the repository"),
        ({"path": None}, "spec.source.path: is required: '.' is the root of the repository"),
        ({"path": "/app"}, "spec.source.path: must be relative to the root of the repository"),
        ({"path": "../app"}, "spec.source.path: '../app' leaves the repository"),
        ({"path": "a/../../b"}, "spec.source.path: 'a/../../b' leaves the repository"),
        ({"path": "a\0b"}, "spec.source.path: a path holds no control characters"),
        (
            {"targetRevision": "--upload-pack=x"},
            "spec.source.targetRevision: names a branch, a tag or a commit",
        ),
        ({"helm": {}, "kustomize": {}}, "spec.source: multiple application sources defined: Kustomize,Helm"),
        (
            {"helm": {"releaseName": "Shop_1"}},
            "spec.source.helm.releaseName: 'Shop_1' is no Helm release name",
        ),
        (
            {"helm": {"parameters": [{"name": "a", "value": True}]}},
            "spec.source.helm.parameters[0].value: Input should",
        ),
        ({"helm": {"kubeVersion": "latest"}}, "spec.source.helm.kubeVersion: String should match"),
        (
            {"kustomize": {"replicas": [{"name": "a", "count": "x"}]}},
            "spec.source.kustomize.replicas[0].count: Input",
        ),
        (
            {"kustomize": {"labelIncludeTemplates": True}},
            "spec.source.kustomize: labelIncludeTemplates needs",
        ),
        ({"directory": {"recurse": "yes"}}, "spec.source.directory.recurse: Input should be a valid boolean"),
        ({"repoURL": ""}, "spec.source.repoURL: String should have at least 1 character"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(fields: dict[str, Any], problem: str) -> None:
    assert any(found.startswith(problem) for found in refused(**fields)), refused(**fields)


def test_all_problems_are_named_at_once() -> None:
    assert len(refused(chart="x", helm={"version": "v2", "passCredentials": True})) == 3


def test_paths_are_normalised() -> None:
    assert [repository_path(path) for path in (".", "a//b/", "./a/./b", "a/../b")] == [".", "a/b", "a/b", "b"]
    assert repository_path("../c/d.yaml", relative_to="a/b") == "a/c/d.yaml"
    assert repository_path("/c.yaml", relative_to="a/b") == "c.yaml"


def test_a_source_without_a_revision_follows_the_default_branch() -> None:
    assert ApplicationSource.model_validate(GIT).revision == "HEAD"
    assert ApplicationSource.model_validate({**GIT, "targetRevision": "v1"}).revision == "v1"
