"""ApplicationSet: taken and kept as it is, its shape checked."""

import copy
from typing import Any

import pytest

from outrider.spec.document import InvalidManifest, parse

TEMPLATE: dict[str, Any] = {
    "metadata": {"name": "{{.name}}-till", "labels": {"region": "{{.metadata.labels.region}}"}},
    "spec": {
        "project": "{{.project}}",
        "source": {"repoURL": "{{.url}}"},
        "destination": {"name": "{{.name}}"},
    },
}
GIT: dict[str, Any] = {
    "repoURL": "https://git.example.com/shops.git",
    "revision": "HEAD",
    "directories": [{"path": "apps/*"}, {"path": "apps/old", "exclude": True}],
    "requeueAfterSeconds": 60,
    "pathParamPrefix": "shop",
    "values": {"a": "b"},
}
SET: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "ApplicationSet",
    "metadata": {"name": "tills", "namespace": "argocd"},
    "spec": {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "generators": [
            {"clusters": {"selector": {"matchLabels": {"tier": "shop"}}, "values": {"a": "b"}}},
            {"list": {"elements": [{"name": "shop1"}], "elementsYaml": "- a: b"}, "selector": {"matchLabels": {"a": "b"}}},
            {"matrix": {"generators": [{"git": GIT}, {"merge": {"mergeKeys": ["name"], "generators": [{"clusters": {}}, {"list": {}}]}}]}},
        ],
        "template": TEMPLATE,
        "templatePatch": "spec: {}",
        "syncPolicy": {"preserveResourcesOnDeletion": True, "applicationsSync": "create-update"},
        "strategy": {
            "type": "RollingSync",
            "rollingSync": {"steps": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}], "maxUpdate": "25%"}, {"maxUpdate": 0}]},
        },
        "preservedFields": {"annotations": ["team"], "labels": ["team"]},
        "ignoreApplicationDifferences": [{"name": "a", "jsonPointers": ["/spec/info"], "jqPathExpressions": [".spec"]}],
    },
}  # fmt: skip


def with_spec(**fields: Any) -> dict[str, Any]:
    manifest = copy.deepcopy(SET)
    manifest["spec"].update(fields)
    return manifest


def test_a_set_as_people_write_it_is_kept_as_it_is_and_its_author_is_told_that_nothing_is_generated() -> None:
    document = parse(SET)
    assert (document.kind, document.name, document.manifest) == ("ApplicationSet", "tills", SET)
    (warning,) = document.warnings
    assert "applications are not generated from it yet" in warning


@pytest.mark.parametrize("rare", ["pullRequest", "scmProvider", "clusterDecisionResource", "plugin"])
def test_a_rare_generator_is_kept_with_a_warning_that_names_it(rare: str) -> None:
    document = parse(with_spec(generators=[{rare: {"github": {"owner": "a"}}}]))
    assert document.warnings[1] == f"spec.generators[0].{rare}: kept; nothing generates from it"


def test_rare_fields_of_other_generators_are_kept_with_a_warning_too() -> None:
    generators = [
        {"clusters": {"flatList": True}},
        {"list": {"elements": [{"a": "b"}], "template": TEMPLATE}},
    ]
    strategy = {"deletionOrder": "Reverse"}
    document = parse(with_spec(generators=generators, strategy=strategy, applyNestedSelectors=True))
    assert [warning.split(":")[0] for warning in document.warnings[1:]] == [
        "spec.generators[0].clusters.flatList",
        "spec.generators[1].list.template",
        "spec.strategy.deletionOrder",
        "spec.applyNestedSelectors",
    ]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"generators": []}, "spec.generators: "),
        ({"generators": [{}]}, "needs exactly one of list, clusters, git, matrix, merge, and none is given"),
        ({"generators": [{"list": {}, "clusters": {}}]}, "and 2 are given"),
        ({"generators": [{"git": {"repoURL": "https://a/b"}}]}, "finds nothing: give directories or files"),
        ({"generators": [{"cluster": {}}]}, "unknown field; did you mean clusters?"),
        (
            {"generators": [{"matrix": {"generators": [{"list": {}}]}}]},
            "spec.generators[0].matrix.generators",
        ),
        ({"strategy": {"type": "Slowly"}}, "spec.strategy.type"),
        ({"template": {"metadata": {}}}, "spec.template.spec: is required"),
        ({"goTemplat": True}, "spec.goTemplat: unknown field; did you mean goTemplate?"),
    ],
)
def test_what_no_generator_could_use_is_refused_by_its_path(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        parse(with_spec(**fields))
    assert any(says in problem for problem in caught.value.problems), caught.value.problems


def test_generators_are_combined_two_levels_deep_and_no_deeper() -> None:
    combined: dict[str, Any] = {"list": {}}
    for _ in range(2):
        combined = {"matrix": {"generators": [combined, {"list": {}}]}}
    assert parse(with_spec(generators=[combined])).name == "tills"
    with pytest.raises(InvalidManifest, match="more than two levels deep"):
        parse(with_spec(generators=[{"matrix": {"generators": [combined, {"list": {}}]}}]))
