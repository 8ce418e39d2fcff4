"""AppProject: every field is honoured or refused by name."""

import copy
from typing import Any

import pytest

from outrider.spec.document import Document, InvalidManifest, parse

PROJECT: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {
        "name": "shops",
        "namespace": "argocd",
        "finalizers": ["resources-finalizer.argocd.argoproj.io"],
    },
    "spec": {
        "description": "Everything in shops",
        "sourceRepos": ["https://git.example.com/*", "!https://git.example.com/secret"],
        "destinations": [
            {"server": "*", "namespace": "shop-*"},
            {"name": "!bar*", "namespace": "!kube-system"},
        ],
        "clusterResourceWhitelist": [{"group": "", "kind": "Namespace", "name": "shop-*"}],
        "clusterResourceBlacklist": [{"group": "*", "kind": "Node"}],
        "namespaceResourceWhitelist": [{"group": "apps", "kind": "*"}],
        "namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}],
        "orphanedResources": {"warn": False, "ignore": [{"kind": "ConfigMap", "name": "kube-root-ca.crt"}]},
        "syncWindows": [
            {
                "kind": "allow",
                "schedule": "0 22 * * MON-FRI",
                "duration": "1h30m",
                "applications": ["*"],
                "clusters": ["shop*"],
                "namespaces": ["shop-*"],
                "manualSync": True,
                "timeZone": "Europe/Berlin",
                "andOperator": True,
                "syncOverrun": True,
                "description": "at night",
            }
        ],
    },
}


def with_spec(**fields: Any) -> dict[str, Any]:
    manifest = copy.deepcopy(PROJECT)
    manifest["spec"].update(fields)
    return manifest


def accepted(manifest: dict[str, Any]) -> Document:
    return parse(manifest)


def refusal(manifest: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        parse(manifest)
    return caught.value.problems


def test_a_project_as_people_write_it_is_taken_as_it_is() -> None:
    document = accepted(PROJECT)
    assert (document.kind, document.name, document.warnings) == ("AppProject", "shops", [])
    assert document.manifest == PROJECT
    with pytest.raises(TypeError, match="AppProject shops is no Application"):
        _ = document.application


def test_roles_and_source_namespaces_are_kept_and_their_author_is_told_what_they_do() -> None:
    role = {
        "name": "ci",
        "policies": ["p, proj:shops:ci, applications, sync, shops/*, allow"],
        "groups": ["a"],
    }
    document = accepted(with_spec(roles=[role], sourceNamespaces=["team-*"]))
    assert document.manifest["spec"]["roles"] == [role]
    assert [warning.split(":")[0] for warning in document.warnings] == ["spec.roles", "spec.sourceNamespaces"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"signatureKeys": [{"keyID": "4AEE18F83AFDEB23"}]}, "spec.signatureKeys: is not taken: commits' signatures"),
        ({"sourceIntegrity": {"git": {"policies": []}}, "x": 1}, "spec.x: unknown field"),
        ({"sourceIntegrity": {"git": {"policies": [{}, 1]}}}, "spec.sourceIntegrity: is not taken"),
        ({"destinationServiceAccounts": [{"server": "*"}]}, "spec.destinationServiceAccounts: is not taken: the agent"),
        ({"permitOnlyProjectScopedClusters": True}, "spec.permitOnlyProjectScopedClusters: is not taken"),
        ({"sourceRepo": ["*"]}, "spec.sourceRepo: unknown field; did you mean sourceRepos?"),
        ({"sourceRepos": ["!*"]}, "spec.sourceRepos[0]: '!*' refuses everything"),
        ({"sourceRepos": ["https://[a"]}, "spec.sourceRepos[0]: 'https://[a' is no pattern: it has a '[' without a ']'"),
        ({"sourceRepos": ["a", "a"]}, "spec: sourceRepos has 'a' twice"),
        ({"roles": [{"name": "a"}, {"name": "a"}]}, "spec: roles has 'a' twice"),
        ({"destinations": [{"namespace": "a"}]}, "spec.destinations[0]: matches no cluster"),
        ({"clusterResourceWhitelist": [{"group": "*"}]}, "spec.clusterResourceWhitelist[0].kind: is required"),
    ],
)  # fmt: skip
def test_a_field_that_would_promise_what_nobody_checks_is_refused(
    fields: dict[str, Any], problem: str
) -> None:
    found = refusal(with_spec(**fields))
    assert any(one.startswith(problem) for one in found), found


def test_a_field_that_is_refused_is_let_through_where_it_says_nothing() -> None:
    fields = {"signatureKeys": [], "permitOnlyProjectScopedClusters": False, "destinationServiceAccounts": []}
    assert accepted(with_spec(**fields)).name == "shops"


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ("* * * *", "write five fields"),
        ("60 * * * *", "'60' is no minute (0 to 59)"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 0 0 * *", "'0' is no day of the month (1 to 31)"),
        ("0 0 * foo *", "'foo' is no month"),
        ("0 0 * * 7", "'7' is no day of the week (0 to 6)"),
        ("5-2 * * * *", "'5-2' is no minute"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("*-5 * * * *", "'*-5' is no minute"),
        ("@every 5m", "write five fields"),
        ("CRON_TZ=Mars/Base 0 0 * * *", "'Mars/Base' is no time zone"),
    ],
)
def test_a_schedule_that_no_edge_could_read_is_refused_where_it_is_written(schedule: str, says: str) -> None:
    window = {"kind": "deny", "schedule": schedule, "duration": "1h", "applications": ["*"]}
    (problem,) = refusal(with_spec(syncWindows=[window]))
    assert problem.startswith("spec.syncWindows[0].schedule: ")
    assert says in problem


@pytest.mark.parametrize(
    "schedule",
    [
        "0 2 * * *",
        "*/15 8-18 1,15 JAN-mar SUN",
        "0/10 * ? * 0-6",
        "@daily",
        "CRON_TZ=Europe/Berlin 0 2 * * *",
    ],
)
def test_schedules_are_taken_in_every_form_that_edges_read(schedule: str) -> None:
    window = {"kind": "deny", "schedule": schedule, "duration": "1h", "applications": ["*"]}
    assert accepted(with_spec(syncWindows=[window])).warnings == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "maybe"}, "spec.syncWindows[0].kind: is 'allow' or 'deny', not the text 'maybe'"),
        ({"duration": "2 hours"}, "spec.syncWindows[0].duration: '2 hours' is no duration: write 2h, 90m or 1h30m"),
        ({"timeZone": "Mars/Base"}, "spec.syncWindows[0].timeZone: 'Mars/Base' is no time zone"),
        ({"applications": [], "clusters": [], "namespaces": []}, "spec.syncWindows[0]: selects nothing"),
    ],
)  # fmt: skip
def test_a_window_that_says_nothing_clear_is_refused(change: dict[str, Any], problem: str) -> None:
    window = {**PROJECT["spec"]["syncWindows"][0], **change}
    (found,) = refusal(with_spec(syncWindows=[window]))
    assert found.startswith(problem)
