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
    assert document.manifest["metadata"]["annotations"] == annotations
    assert document.warnings == [
        "metadata.annotations[argocd.argoproj.io/refresh]: has no effect yet",
        "metadata.annotations[outrider.dev/holdd]: unknown, so it has no effect",
    ]


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
            {"syncPolicy": {"retry": {"refresh": True}}},
            "spec.syncPolicy.retry.refresh: is not supported: an attempt always uses the newest revision; remove it",
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
            {"project": "team-a"},
            "spec.project: 'team-a' is not supported: there is only project 'default' yet",
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
            "spec.ignoreDifferences[0]: ignores nothing: give jsonPointers",
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
            "spec.source.plugin: is refused: a plugin is a program of Argo CD's repo server, and no program is started here for an "
            "application; use Helm, kustomize or Jsonnet, or render it before it is committed",
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
    [("jqPathExpressions", [".spec"]), ("managedFieldsManagers", ["kube-controller-manager"])],
)
def test_ways_of_ignoring_that_are_not_supported_yet_are_refused_by_name(field: str, value: Any) -> None:
    rule = {"kind": "Deployment", "jsonPointers": ["/spec/replicas"], field: value}
    assert refusal(with_spec(ignoreDifferences=[rule])) == [
        f"spec.ignoreDifferences[0].{field}: is not supported yet: use jsonPointers"
    ]


def test_all_problems_of_a_document_are_told_at_once() -> None:
    manifest = with_spec(project="x", sources=[{}, {"path": "a"}], destination={}, surce={})
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
        ("Replace=true", "not supported yet"),
        ("Force=true", "not supported yet"),
        ("ServerSideApply=false", "always applied by the server"),
        ("Prune=confirm", "not supported yet"),
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


def test_an_operation_is_refused_even_when_it_is_empty() -> None:
    operations: list[dict[str, Any]] = [{"sync": {}}, {}]
    for operation in operations:
        (problem,) = refusal({**GUESTBOOK, "operation": operation})
        assert "outrider app sync" in problem


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "apiVersion: is required"),
        ([], "must be a map, not a list"),
        ({"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet"}, "ApplicationSet is not supported yet"),
        ({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject"}, "AppProject is not supported yet"),
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
