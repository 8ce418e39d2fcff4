import re
from typing import Any

import pytest
from pydantic import ValidationError

from outrider.spec.references import referred_source
from outrider.spec.source import ApplicationSource, Origin, SourceKind, problems, repository_path
from outrider.spec.sources import check_source, check_sources

GIT = {"repoURL": "https://example.com/team/app.git", "path": "app"}


def refused(**fields: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        ApplicationSource.model_validate({**GIT, **fields})
    return list(problems(caught.value))


def test_every_supported_field_of_argo_cd_is_accepted_under_its_own_name() -> None:
    helm = {
        "releaseName": "shop",
        "valueFiles": ["values.yaml", "../shared.yaml", "/root.yaml", "envs/*.yaml", "$ARGOCD_APP_NAME.yaml"],
        "values": "a: 1",
        "valuesObject": {"a": {"b": [1, None]}},
        "parameters": [{"name": "a", "value": "$ARGOCD_APP_NAME", "forceString": True}],
        "fileParameters": [{"name": "a", "path": "file"}],
        "ignoreMissingValueFiles": True,
        "skipCrds": True,
        "skipTests": True,
        "namespace": "ns",
        "kubeVersion": "1.31.0",
        "apiVersions": ["acme.io/v1/Shop"],
        "version": "v3",
        "passCredentials": True,
        "skipSchemaValidation": True,
    }
    kustomize = {
        "namePrefix": "a-",
        "nameSuffix": "-b",
        "namespace": "ns",
        "images": ["nginx:1"],
        "replicas": [{"name": "web", "count": 3}, {"name": "db", "count": "2"}],
        "commonLabels": {"a": "b"},
        "commonAnnotations": {"a": "b"},
        "commonAnnotationsEnvsubst": True,
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
        "jsonnet": {
            "extVars": [{"name": "a", "value": "1", "code": True}],
            "tlas": [{"name": "b", "value": "$ARGOCD_APP_NAME"}],
            "libs": ["vendor"],
        },
    }
    for tool, options in (("helm", helm), ("kustomize", kustomize), ("directory", directory)):
        source = ApplicationSource.model_validate({**GIT, tool: options})
        assert source.explicit_kind == SourceKind(tool.capitalize())
        assert ApplicationSource.model_validate(source.model_dump(by_alias=True)) == source


@pytest.mark.parametrize(
    ("fields", "where", "reason"),
    [
        ({"plugin": {}}, "spec.source.plugin", "no program is started here for an application"),
        ({"plugin": {"name": "x"}}, "spec.source.plugin", "no program is started here for an application"),
        ({"helm": {"version": "v2"}}, "spec.source.helm.version", "not supported"),
        (
            {"helm": {"valueFiles": ["https://example.com/v.yaml"]}},
            "spec.source.helm.valueFiles[0]",
            "belongs to no revision",
        ),
        ({"kustomize": {"version": "v4"}}, "spec.source.kustomize.version", "kubectl's kustomize"),
        ({"targetRevision": "a..*b"}, "spec.source.targetRevision", "no range of versions"),
        (
            {"tagPrefix": "app/", "targetRevision": "main"},
            "spec.source.targetRevision",
            "a range of versions",
        ),
        (
            {"directory": {"jsonnet": {"libs": ["../x"]}}},
            "spec.source.directory.jsonnet.libs[0]",
            "leaves the repository",
        ),
        ({"ref": "a/b"}, "spec.source.ref", "letters, digits"),
    ],
)
def test_what_is_refused_is_named_by_its_path_with_a_reason(
    fields: dict[str, Any], where: str, reason: str
) -> None:
    (problem,) = refused(**fields)

    assert problem.startswith(f"{where}: ")
    assert reason in problem


@pytest.mark.parametrize("revision", ["1.2.*", ">=1.2 <2", "^1", "*", "v1.2.3", "main", "feature/x"])
def test_a_revision_of_git_is_a_branch_a_tag_a_commit_or_a_range_of_versions(revision: str) -> None:
    assert ApplicationSource.model_validate({**GIT, "targetRevision": revision}).revision == revision
    if revision not in ("main", "feature/x"):
        tagged = ApplicationSource.model_validate({**GIT, "targetRevision": revision, "tagPrefix": "app/"})
        assert tagged.revision == f"app/:{revision}"


CHART = {"repoURL": "https://charts.example.com", "chart": "shop", "targetRevision": "1.*"}


def test_a_chart_lies_in_a_helm_repository_or_a_registry_and_an_artifact_in_a_registry() -> None:
    found = {
        (source.origin, source.address, source.folder, source.explicit_kind)
        for source in (
            ApplicationSource.model_validate(fields)
            for fields in (
                CHART,
                {**CHART, "repoURL": "registry.example.com/charts"},
                {**CHART, "repoURL": "oci://registry.example.com/charts", "path": "."},
                {"repoURL": "oci://registry.example.com/shop", "targetRevision": "latest", "path": "deploy"},
            )
        )
    }
    assert found == {
        (Origin.CHART, "https://charts.example.com", ".", SourceKind.HELM),
        (Origin.OCI, "oci://registry.example.com/charts", ".", SourceKind.HELM),
        (Origin.OCI, "oci://registry.example.com/shop", "deploy", None),
    }


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"targetRevision": ""}, "spec.source.targetRevision: is required"),
        ({"targetRevision": "latest"}, "spec.source.targetRevision: 'latest' is no version"),
        ({"path": "app"}, "spec.source.path: and chart exclude one another"),
        ({"kustomize": {}}, "spec.source: a chart is rendered by Helm"),
        ({"ref": "values"}, "spec.source: ref is for a Git repository"),
        ({"chart": "../x"}, "spec.source.chart: '../x' is no chart's name"),
        ({"chart": "a/../x"}, "spec.source.chart: 'a/../x' is no chart's name"),
        ({"tagPrefix": "a/"}, "spec.source.tagPrefix: is for tags of a Git repository"),
    ],
)
def test_what_does_not_fit_a_chart_is_named(fields: dict[str, Any], problem: str) -> None:
    assert any(found.startswith(problem) for found in refused(**{**CHART, "path": "", **fields}))


def several(*sources: dict[str, Any]) -> Any:
    return check_sources([ApplicationSource.model_validate(source) for source in sources])


VALUES = {"repoURL": "https://example.com/values.git", "ref": "values"}


def test_value_files_come_from_another_source_by_its_ref() -> None:
    several({**CHART, "helm": {"valueFiles": ["$values/a/*.yaml", "own.yaml"]}}, VALUES)
    assert referred_source("$values/a/b.yaml") == ("values", "a/b.yaml")
    assert referred_source("$ARGOCD_APP_NAME/b.yaml") is None
    assert referred_source("${values}/b.yaml") is None
    assert referred_source("a/$values/b.yaml") is None


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        (
            [{**CHART, "helm": {"valueFiles": ["$vlues/a.yaml"]}}, VALUES],
            "refers to source 'vlues', which no source has as its ref; there are values",
        ),
        (
            [{**CHART, "helm": {"fileParameters": [{"name": "a", "path": "$values/a"}]}}],
            "refers to source 'values'",
        ),
        ([GIT, VALUES, VALUES], "two sources have ref 'values'"),
        ([VALUES], "none of the sources gives manifests"),
        ([], "holds 0 sources"),
    ],
)
def test_sources_that_do_not_fit_together_are_refused(sources: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        several(*sources)


def test_a_single_source_refers_to_no_other() -> None:
    with pytest.raises(ValueError, match=r"give both in spec\.sources"):
        check_source(ApplicationSource.model_validate({**CHART, "helm": {"valueFiles": ["$values/a.yaml"]}}))
    with pytest.raises(ValueError, match="path is required"):
        check_source(ApplicationSource.model_validate(VALUES))


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
            "spec.source.targetRevision: names a branch, a tag, a commit or a version",
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
    assert len(refused(tagPrefix="-", plugin={}, helm={"version": "v2"})) == 3


def test_paths_are_normalised() -> None:
    assert [repository_path(path) for path in (".", "a//b/", "./a/./b", "a/../b")] == [".", "a/b", "a/b", "b"]
    assert repository_path("../c/d.yaml", relative_to="a/b") == "a/c/d.yaml"
    assert repository_path("/c.yaml", relative_to="a/b") == "c.yaml"


def test_a_source_without_a_revision_follows_the_default_branch() -> None:
    assert ApplicationSource.model_validate(GIT).revision == "HEAD"
    assert ApplicationSource.model_validate({**GIT, "targetRevision": "v1"}).revision == "v1"
