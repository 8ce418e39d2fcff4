import copy
import datetime
from typing import Any

import pytest

from outrider.spec.document import MANIFEST_MAX_BYTES, Document, InvalidManifest, parse
from outrider.spec.sync_policy import SYNC_OPTIONS

GUESTBOOK: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {
        "name": "guestbook",
        "namespace": "argocd",
        "finalizers": ["resources-finalizer.argocd.argoproj.io"],
    },
    "spec": {
        "project": "default",
        "destination": {"name": "shop1", "namespace": "guestbook"},
        "source": {
            "repoURL": "https://github.com/argoproj/argocd-example-apps.git",
            "targetRevision": "HEAD",
            "path": "guestbook",
        },
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            "syncOptions": ["CreateNamespace=true"],
        },
    },
}


def with_spec(**fields: Any) -> dict[str, Any]:
    manifest = copy.deepcopy(GUESTBOOK)
    manifest["spec"].update(fields)
    return manifest


def refusal(manifest: object) -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        parse(manifest)
    return caught.value.problems


def accepted(manifest: object) -> Document:
    return parse(manifest)


def test_an_application_as_people_write_it_is_taken_as_it_is() -> None:
    document = accepted(GUESTBOOK)
    assert document.manifest == GUESTBOOK
    assert document.warnings == []
    assert document.application.metadata.cascades


def test_the_edge_is_told_only_what_it_needs_and_only_what_was_set() -> None:
    manifest = with_spec(info=[{"name": "owner", "value": "till team"}])
    assert accepted(manifest).application.spec.for_edge() == {
        "destination": {"namespace": "guestbook"},
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            "syncOptions": ["CreateNamespace=true"],
        },
    }


def test_an_empty_automated_block_still_turns_automated_sync_on() -> None:
    assert accepted(with_spec(syncPolicy={"automated": {}})).application.spec.for_edge()["syncPolicy"] == {
        "automated": {}
    }
    assert "syncPolicy" not in accepted(with_spec(syncPolicy={"automated": None})).application.spec.for_edge()


def test_what_kubectl_get_adds_is_ignored() -> None:
    pasted = copy.deepcopy(GUESTBOOK)
    pasted["metadata"] |= {
        "uid": "5", "resourceVersion": "77", "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "kubectl"}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "till"},
    }  # fmt: skip
    pasted["status"] = {"health": {"status": "Healthy"}}
    document = accepted(pasted)
    assert document.manifest["metadata"]["annotations"] == {"team": "till"}
    assert set(document.manifest["metadata"]) == {"name", "namespace", "finalizers", "annotations"}
    assert "status" not in document.manifest
    assert document.warnings == []


def test_annotations_are_kept_and_those_without_effect_are_warned_of() -> None:
    manifest = copy.deepcopy(GUESTBOOK)
    annotations = {
        "argocd.argoproj.io/manifest-generate-paths": ".",
        "argocd.argoproj.io/refresh": "hard",
        "outrider.dev/holdd": "1",
    }
    manifest["metadata"]["annotations"] = annotations
    document = accepted(manifest)
    del annotations["argocd.argoproj.io/refresh"]
    assert document.manifest["metadata"]["annotations"] == annotations
    assert document.warnings == ["metadata.annotations[outrider.dev/holdd]: unknown, so it has no effect"]


@pytest.mark.parametrize(("asked", "refresh"), [("hard", "hard"), ("normal", "normal"), ("true", "normal")])
def test_a_refresh_written_as_an_annotation_is_a_request_and_not_kept(asked: str, refresh: str) -> None:
    manifest = copy.deepcopy(GUESTBOOK)
    manifest["metadata"]["annotations"] = {"argocd.argoproj.io/refresh": asked}
    document = accepted(manifest)
    assert document.refresh == refresh
    assert "annotations" not in document.manifest["metadata"]
    assert accepted(GUESTBOOK).refresh == ""


def test_the_annotations_that_an_agent_has_to_know_are_told_apart() -> None:
    manifest = copy.deepcopy(GUESTBOOK)
    manifest["metadata"]["annotations"] = {
        "argocd.argoproj.io/skip-reconcile": "true",
        "argocd.argoproj.io/manifest-generate-paths": ".",
        "outrider.dev/sync-timeout": "10m",
        "team": "till",
    }
    assert accepted(manifest).application.metadata.for_edge() == {
        "argocd.argoproj.io/skip-reconcile": "true",
        "outrider.dev/sync-timeout": "10m",
    }
    manifest["metadata"]["annotations"]["outrider.dev/sync-timeout"] = "soon"
    assert "'soon' is no duration" in refusal(manifest)[0]


def test_an_application_is_urgent_or_not_and_nothing_else() -> None:
    manifest = copy.deepcopy(GUESTBOOK)
    for text in ("true", "false"):
        manifest["metadata"]["annotations"] = {"outrider.dev/urgent": text}
        assert accepted(manifest).application.metadata.for_edge() == {"outrider.dev/urgent": text}
    for text in ("yes", "True", ""):
        manifest["metadata"]["annotations"] = {"outrider.dev/urgent": text}
        assert 'outrider.dev/urgent is "true" or "false"' in refusal(manifest)[0]


@pytest.mark.parametrize(
    ("finalizers", "cascades", "propagation"),
    [
        ([], False, "foreground"),
        (["resources-finalizer.argocd.argoproj.io"], True, "foreground"),
        (["resources-finalizer.argocd.argoproj.io/foreground"], True, "foreground"),
        (["resources-finalizer.argocd.argoproj.io/background"], True, "background"),
    ],
)
def test_the_finalizer_says_whether_and_how_the_objects_go(
    finalizers: list[str], cascades: bool, propagation: str
) -> None:
    manifest = copy.deepcopy(GUESTBOOK)
    manifest["metadata"]["finalizers"] = finalizers
    metadata = accepted(manifest).application.metadata
    assert (metadata.cascades, metadata.propagation) == (cascades, propagation)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"syncPolicy": {"automated": {"prunee": True}}},
            "spec.syncPolicy.automated.prunee: unknown field; did you mean prune?",
        ),
        (
            {"syncPolicy": {"automated": {"prune": "yes"}}},
            "spec.syncPolicy.automated.prune: must be true or false, not the text 'yes'",
        ),
        (
            {"syncPolicy": {"automated": True}},
            "spec.syncPolicy.automated: must be a map, not true",
        ),
        (
            {"syncPolicy": {"retry": {"limit": "5"}}},
            "spec.syncPolicy.retry.limit: must be a whole number, not the text '5'",
        ),
        (
            {"syncPolicy": {"retry": {"backoff": {"duration": "5 sec"}}}},
            "spec.syncPolicy.retry.backoff.duration: '5 sec' is no duration: write 90, 30s, 1m30s or 500ms",
        ),
        (
            {"syncPolicy": {"managedNamespaceMetadata": {"labels": {"a b": "c"}}}},
            "spec.syncPolicy.managedNamespaceMetadata.labels.a b.[key]: 'a b' is no key: write team or example.com/team",
        ),
        (
            {"syncPolicy": {"syncOptions": "CreateNamespace=true"}},
            "spec.syncPolicy.syncOptions: must be a list, not the text 'CreateNamespace=true'",
        ),
        (
            {"destination": {"namespace": "a"}},
            "spec.destination: needs exactly one of name and server, and neither is given",
        ),
        (
            {"destination": {"name": "a", "server": "https://a"}},
            "spec.destination: needs exactly one of name and server, and both are given",
        ),
        (
            {"project": "Team_A"},
            "spec.project: project name 'Team_A' is not allowed: use lower-case letters, digits, '-' and '.', as in a DNS name",
        ),
        (
            {"sources": [{"repoURL": "https://a/b", "path": "a"}]},
            "spec: source and sources exclude one another: give one of them",
        ),
        (
            {"sourceHydrator": {"drySource": {"path": "a"}}},
            "spec.sourceHydrator: is not supported: it writes to the repository, and nothing here does; give spec.source",
        ),
        (
            {"ignoreDifferences": [{"kind": "Service"}]},
            "spec.ignoreDifferences[0]: ignores nothing: give jsonPointers, jqPathExpressions or managedFieldsManagers",
        ),
        (
            {"ignoreDifferences": [{"kind": "Service", "jsonPointers": ["spec"]}]},
            "spec.ignoreDifferences[0].jsonPointers[0]: 'spec' is no JSON pointer: write /spec/replicas, with ~1 for '/' and ~0 for '~'",
        ),
        (
            {"source": {"repoURL": "ext::sh -c x", "path": "."}},
            "spec.source: repoURL is refused: it holds a space, a control character or a backslash",
        ),
        (
            {"source": {"repoURL": "https://a/b", "path": ".", "plugin": {}}},
            "spec.source.plugin: is refused: a plugin is a program of Argo CD's repo server, and no program is started here for an application; use Helm, kustomize or Jsonnet, or render it before it is committed",
        ),
        ({"source": {"repoURL": "https://a/b"}}, "spec.source.path: is required: '.' is the root of the repository"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_by_its_full_path(fields: dict[str, Any], problem: str) -> None:
    found = refusal(with_spec(**fields))
    assert problem in found
    assert len(found) <= 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("jsonPointers", ["/spec/replicas"]),
        ("jqPathExpressions", [".spec.containers[].image"]),
        ("managedFieldsManagers", ["kube-controller-manager"]),
    ],
)
def test_each_way_of_ignoring_differences_travels_to_the_edge(field: str, value: Any) -> None:
    rule = {"kind": "Deployment", field: value}
    assert accepted(with_spec(ignoreDifferences=[rule])).application.spec.for_edge()["ignoreDifferences"] == [
        rule
    ]


def test_every_field_of_the_sync_policy_travels_as_it_was_written() -> None:
    policy = {
        "automated": {"prune": True, "selfHeal": True, "allowEmpty": True, "enabled": False},
        "retry": {
            "limit": -1,
            "refresh": True,
            "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"},
        },
        "managedNamespaceMetadata": {"labels": {"team": "till"}, "annotations": {"example.com/a": "b"}},
    }
    spec = accepted(with_spec(syncPolicy=policy, revisionHistoryLimit=3)).application.spec.for_edge()
    assert spec["syncPolicy"] == policy
    assert spec["revisionHistoryLimit"] == 3


def test_all_problems_of_a_document_are_told_at_once() -> None:
    manifest = with_spec(project="X", sources=[{}, {"path": "a"}], destination={}, surce={})
    manifest["metadata"]["name"] = "Upper_Case"
    found = refusal(manifest)
    assert [problem.split(":")[0] for problem in found] == [
        "metadata.name",
        "spec.project",
        "spec.destination",
        "spec.sources[0].repoURL",
        "spec.sources[0].path",
        "spec.sources[1].repoURL",
        "spec.surce",
    ]


@pytest.mark.parametrize(("name", "values"), SYNC_OPTIONS.items())
def test_every_sync_option_that_the_agent_honours_is_taken(name: str, values: tuple[str, ...]) -> None:
    for value in values:
        taken = accepted(with_spec(syncPolicy={"syncOptions": [f"{name}={value}"]}))
        assert taken.application.spec.for_edge()["syncPolicy"] == {"syncOptions": [f"{name}={value}"]}


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("CreateNamespce=true", "did you mean CreateNamespace?"),
        ("CreateNamespace", "write CreateNamespace=true"),
        ("CreateNamespace=yes", "is true or false, not 'yes'"),
        ("PrunePropagationPolicy=later", "foreground or background or orphan"),
    ],
)
def test_a_sync_option_that_would_not_be_honoured_is_refused_by_name(option: str, says: str) -> None:
    (problem,) = refusal(with_spec(syncPolicy={"syncOptions": [option]}))
    assert problem.startswith("spec.syncPolicy.syncOptions[0]: ")
    assert says in problem


def test_an_operation_is_a_request_for_a_sync_and_not_kept() -> None:
    operation = {
        "initiatedBy": {"username": "anybody"},
        "retry": {"limit": 2},
        "sync": {
            "revision": "v1",
            "prune": True,
            "syncStrategy": {"apply": {"force": True}},
            "syncOptions": ["Replace=true"],
            "resources": [{"kind": "ConfigMap", "name": "a"}],
        },
    }
    document = accepted({**GUESTBOOK, "operation": operation})
    assert document.manifest == GUESTBOOK
    assert document.application.operation is not None
    assert document.application.operation.arguments() == {
        "revision": "v1",
        "prune": True,
        "resources": [{"group": "", "kind": "ConfigMap", "name": "a", "namespace": ""}],
        "options": ["Replace=true", "Force=true"],
        "strategy": "apply",
        "retry_limit": 2,
    }


@pytest.mark.parametrize(
    ("sync", "says"),
    [
        ({"manifests": ["{}"]}, "operation.sync.manifests: is not taken: only what comes from Git is ever synced"),
        ({"source": {"repoURL": "https://a/b"}}, "operation.sync.source: is not taken"),
        ({"syncStrategy": {"apply": {}, "hook": {}}}, "operation.sync.syncStrategy: is either apply or hook"),
        ({"syncOptions": ["Force=maybe"]}, "Force is true or false, not 'maybe'"),
    ],
)  # fmt: skip
def test_an_operation_never_brings_its_own_manifests_or_source(sync: dict[str, Any], says: str) -> None:
    (problem,) = refusal({**GUESTBOOK, "operation": {"sync": sync}})
    assert says in problem


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "apiVersion: is required"),
        ([], "must be a map, not a list"),
        ({"apiVersion": "argoproj.io/v1", "kind": "AppProject"}, "use argoproj.io/v1alpha1"),
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}, "a Secret is never stored here"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-rbac-cm"}}, "rights at the hub come with"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, "the hub takes argocd-cm alone"),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, "metadata.name: has no name"),
        ({"apiVersion": "argoproj.io/v1", "kind": "Application"}, "use argoproj.io/v1alpha1"),
        ({"apiVersion": "apps/v1", "kind": "Deployment"}, "the text 'Deployment' of apiVersion the text 'apps/v1'"),
        ({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"}, "metadata: is required"),
    ],
)  # fmt: skip
def test_a_document_of_another_kind_is_refused_by_name(document: object, says: str) -> None:
    assert says in "; ".join(refusal(document))


def test_a_bomb_is_refused_before_it_is_looked_at() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert "nested deeper" in refusal(with_spec(source={"helm": {"valuesObject": deep}}))[0]
    assert "more than" in refusal(with_spec(source={"helm": {"valuesObject": {"a": [0] * 100_000}}}))[0]
    big = "x" * (MANIFEST_MAX_BYTES + 1)
    assert "larger than" in refusal(with_spec(info=[{"name": "a", "value": big}]))[0]


@pytest.mark.parametrize("value", [1 << 70, b"x", datetime.date(2026, 1, 1), {1: "a"}])
def test_a_value_that_is_no_json_is_refused_with_its_path(value: object) -> None:
    (problem,) = refusal(with_spec(info=[{"name": "a", "value": value}]))
    assert problem.startswith("spec.info[0].value: ")


@pytest.mark.parametrize("name", ["*", ">", "a b", "Shop", "a_b", "", "-a"])
def test_a_name_that_is_no_dns_name_is_refused(name: str) -> None:
    manifest = copy.deepcopy(GUESTBOOK)
    manifest["metadata"]["name"] = name
    assert refusal(manifest)[0].startswith("metadata.name: ")
    assert refusal(with_spec(destination={"name": name or "*"}))[0].startswith("spec.destination.name: ")


def test_a_finalizer_that_nothing_would_remove_is_refused() -> None:
    manifest = copy.deepcopy(GUESTBOOK)
    manifest["metadata"]["finalizers"] = ["example.com/wait"]
    (problem,) = refusal(manifest)
    assert "metadata.finalizers[0]: 'example.com/wait' is not supported" in problem


def test_a_chart_repository_may_be_all_that_a_host_has_and_a_git_repository_may_not() -> None:
    chart = {"repoURL": "https://charts.example.com", "chart": "redis", "targetRevision": "1.*"}
    manifest = copy.deepcopy(GUESTBOOK)
    manifest["spec"]["source"] = chart
    assert parse(manifest).application.spec.source is not None
    (problem,) = refusal(with_spec(source={"repoURL": "https://git.example.com", "path": "."}))
    assert (
        problem
        == "spec.source: repoURL is refused: https://git.example.com names a host and no Git repository on it"
    )
