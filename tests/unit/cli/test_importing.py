import base64
from typing import Any

import pytest

from outrider.repository_secrets import host_of
from outrider_cli.documents import Found, Place
from outrider_cli.importing.clusters import ClusterMap, Registered
from outrider_cli.importing.credentials import Carried, carried, hosts_of
from outrider_cli.importing.fitting import fit
from outrider_cli.importing.held import Held, sort
from outrider_cli.importing.report import Judged, clusters_of, destination_of, repositories_of, single
from outrider_cli.importing.secrets import ArgoCluster

ARGO = "argoproj.io/v1alpha1"
IN_CLUSTER = "https://kubernetes.default.svc"
CANARY = "s3cret-canary"


def application(name: str = "web", namespace: str = "argocd", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": ARGO,
        "kind": "Application",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://git.example.com/shops.git", "path": "web"},
            "destination": {"server": "https://10.0.0.1:6443", "namespace": "shop"},
            **spec,
        },
    }


def secret(kind: str, **values: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "x", "labels": {"argocd.argoproj.io/secret-type": kind}},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }


def held(*manifests: dict[str, Any]) -> Held:
    return sort(Found(Place("x", n), one) for n, one in enumerate(manifests, 1))


MAP = ClusterMap(
    given={"https://10.0.0.9": "kiosk"},
    here=[Registered("shop1", "https://10.0.0.1:6443"), Registered("shop2", ""), Registered("kiosk", "")],
    there=[
        ArgoCluster("in-cluster", IN_CLUSTER),
        ArgoCluster("store-1", "https://10.0.0.1:6443"),
        ArgoCluster("shop2", "https://10.0.0.2"),
        ArgoCluster("old kiosk", "https://10.0.0.9"),
    ],
)


@pytest.mark.parametrize(
    ("destination", "meant"),
    [
        ({"server": "https://10.0.0.1:6443/"}, {"server": "https://10.0.0.1:6443/"}),
        ({"name": "shop1"}, {"name": "shop1"}),
        ({"server": "https://10.0.0.2"}, {"name": "shop2"}),
        ({"name": "store-1"}, {"name": "shop1"}),
        ({"server": "https://10.0.0.9"}, {"name": "kiosk"}),
        ({"name": "old kiosk"}, {"name": "kiosk"}),
        ({"server": "https://10.9.9.9"}, {"server": "https://10.9.9.9"}),
        ({"server": IN_CLUSTER}, {"server": IN_CLUSTER}),
        ({"server": "{{server}}"}, {"server": "{{server}}"}),
    ],
)
def test_a_destination_becomes_the_cluster_that_is_registered_here(
    destination: dict[str, str], meant: dict[str, str]
) -> None:
    placed, said = MAP.placed({**destination, "namespace": "shop"})
    assert placed == {**meant, "namespace": "shop"}
    assert bool(said) == (meant != destination)


def test_what_the_person_says_of_a_cluster_comes_first() -> None:
    given = ClusterMap({"https://10.0.0.1:6443": "other", "in-cluster": "hub"}, MAP.here, MAP.there)
    assert given.placed({"server": "https://10.0.0.1:6443"})[0] == {"name": "other"}
    assert given.placed({"server": IN_CLUSTER})[0] == {"name": "hub"}


def test_a_project_allows_the_same_places_under_their_names_here() -> None:
    project = {
        "apiVersion": ARGO,
        "kind": "AppProject",
        "metadata": {"name": "shops"},
        "spec": {
            "destinations": [
                {"server": "https://10.0.0.2", "namespace": "*"},
                {"server": "https://*.example.com", "namespace": "x"},
                {"server": "!https://10.0.0.9", "namespace": "y"},
                {"name": "*", "namespace": "*"},
            ],
            "syncWindows": [{"kind": "allow", "clusters": ["store-1", "shop*", "https://10.0.0.2"]}],
        },
    }
    spec = fit(project, MAP).manifest["spec"]
    assert spec["destinations"] == [
        {"name": "shop2", "namespace": "*"},
        {"server": "https://*.example.com", "namespace": "x"},
        {"name": "!kiosk", "namespace": "y"},
        {"name": "*", "namespace": "*"},
    ]
    assert spec["syncWindows"][0]["clusters"] == ["shop1", "shop*", "shop2"]


def test_what_belongs_to_argo_cds_own_cluster_is_dropped_and_what_may_be_missed_is_said() -> None:
    manifest = application()
    manifest["metadata"] |= {
        "uid": "1",
        "ownerReferences": [{"kind": "ApplicationSet", "name": "shops"}],
        "annotations": {
            "argocd.argoproj.io/refresh": "hard",
            "argocd.argoproj.io/tracking-id": "parent:x",
            "notifications.argoproj.io/subscribe.on-sync-failed.slack": "ops",
        },
    }
    fitted = fit({**manifest, "status": {"sync": {}}, "operation": {"sync": {}}}, MAP)
    assert set(fitted.manifest) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(fitted.manifest["metadata"]) == {"name", "namespace", "annotations"}
    assert list(fitted.manifest["metadata"]["annotations"]) == [
        "notifications.argoproj.io/subscribe.on-sync-failed.slack"
    ]
    assert [one.partition(":")[0] for one in fitted.warnings] == [
        "metadata.ownerReferences",
        "operation",
        "metadata.annotations[notifications.argoproj.io/subscribe.on-sync-failed.slack]",
    ]


def test_an_app_of_apps_is_refused_by_what_it_holds() -> None:
    manifest = application()
    children = [{"group": "argoproj.io", "kind": "Application", "name": name} for name in ("a", "b")]
    (refusal,) = fit({**manifest, "status": {"resources": children}}, MAP).refusals
    assert refusal.startswith("status.resources: holds Application a and 1 more (app of apps)")


def test_automated_sync_is_turned_off_when_asked_to_and_nothing_else() -> None:
    policy = {"automated": {"prune": True}, "syncOptions": ["CreateNamespace=true"]}
    spec = fit(application(syncPolicy=policy), MAP, manual_sync=True).manifest["spec"]
    assert spec["syncPolicy"] == {**policy, "automated": {"prune": True, "enabled": False}}
    template = {"metadata": {"name": "x"}, "spec": application(syncPolicy=policy)["spec"]}
    manifest = {
        "apiVersion": ARGO,
        "kind": "ApplicationSet",
        "metadata": {"name": "s"},
        "spec": {"template": template},
    }
    fitted = fit(manifest, MAP, manual_sync=True).manifest["spec"]["template"]["spec"]
    assert fitted["syncPolicy"]["automated"]["enabled"] is False


@pytest.mark.parametrize("value", [None, 3, "x", [3], {"destination": 3, "sources": 7, "source": []}])
def test_what_is_no_application_at_all_is_left_for_the_hub_to_judge(value: Any) -> None:
    manifest = {**application(), "spec": value, "status": value, "operation": value}
    manifest["metadata"] |= {"annotations": value, "ownerReferences": value}
    fit(manifest, MAP)
    list(repositories_of(manifest))
    destination_of(manifest)


def test_repositories_are_found_in_one_source_and_in_many() -> None:
    manifest = application(sources=[{"repoURL": "https://a"}, {"repoURL": "https://b", "chart": "c"}])
    assert list(repositories_of(manifest)) == ["https://git.example.com/shops.git", "https://a", "https://b"]


def test_of_two_applications_of_one_name_in_two_namespaces_the_second_is_refused() -> None:
    both = [Judged(Found(Place("x", n), application(namespace=ns)), ns) for n, ns in enumerate(("a", "b"))]
    first, second = single(both)
    assert (first.verdict, second.verdict) == ("taken", "refused")
    assert "of namespace a" in second.refusals[0]


def test_clusters_are_told_with_what_they_are_called_here() -> None:
    manifests = [application(), application("b"), application("c", destination={"name": "nowhere"})]
    needs = clusters_of([Judged(Found(Place("x"), one)) for one in manifests], held(), list(MAP.here))
    assert [(one.destination, one.cluster, one.applications) for one in needs] == [
        ("nowhere", "", 1),
        ("https://10.0.0.1:6443", "shop1", 2),
    ]


def test_credentials_are_those_of_the_repository_or_else_of_the_longest_template() -> None:
    found = held(
        secret("repo-creds", url="https://git.example.com", password=CANARY, username="all"),
        secret("repo-creds", url="https://git.example.com/team", password=CANARY, username="team"),
        secret("repository", url="https://git.example.com/own.git", password=CANARY, username="own"),
        secret("repository", url="https://git.example.com/team/bare"),
    )

    def user(url: str) -> str | None:
        known = found.credentials_of(url)
        return known.secret.get("username") if known else None

    assert user("https://git.example.com/own") == "own"
    assert user("https://git.example.com/team/bare.git") == "team"
    assert user("https://git.example.com/x") == "all"
    assert user("https://other.example.com/x") is None


def test_nothing_secret_is_part_of_any_text() -> None:
    found = held(secret("repository", url="https://git.example.com/a", username="ci", password=CANARY))
    could = carried(found, "https://git.example.com/a")
    assert isinstance(could, Carried)
    assert could.secret == {"username": "ci", "password": CANARY}
    assert CANARY not in repr(found) + repr(could) + str(could)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"githubAppPrivateKey": CANARY, "githubAppID": "1"}, "a GitHub App"),
        ({"bearerToken": CANARY}, "a bearer token"),
        ({"sshPrivateKey": CANARY}, "knows no SSH key of git.example.com"),
    ],
)
def test_what_can_not_be_carried_over_is_said(values: dict[str, str], sentence: str) -> None:
    found = held(secret("repository", url="https://git.example.com/a", **values))
    could = carried(found, "https://git.example.com/a")
    assert isinstance(could, str)
    assert sentence in could
    assert CANARY not in could


def test_a_token_without_a_name_and_an_authority_of_ones_own_are_carried_over() -> None:
    maps = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-tls-certs-cm"},
        "data": {"git.example.com": "PEM"},
    }
    found = held(secret("repository", url="https://git.example.com/a", password=CANARY), maps)
    could = carried(found, "https://git.example.com/a")
    assert isinstance(could, Carried)
    assert could.secret == {"username": "git", "password": CANARY, "tls_ca": "PEM"}


def test_an_ssh_key_takes_the_keys_of_its_server_along_and_no_others() -> None:
    known = "# all\n[git.example.com]:2222,10.0.0.1 ssh-rsa A\nother.example.com ssh-rsa B\n|1|x|y ssh-rsa C"
    assert hosts_of(known, "git.example.com") == "[git.example.com]:2222,10.0.0.1 ssh-rsa A\n|1|x|y ssh-rsa C"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("git@git.example.com:team/a.git", "git.example.com"),
        ("ssh://git@git.example.com:22/a", "git.example.com"),
        ("https://Git.Example.com/a", "git.example.com"),
        ("registry.example.com/charts", "registry.example.com"),
    ],
)
def test_the_host_is_found_in_every_way_to_write_a_repository(url: str, host: str) -> None:
    assert host_of(url) == host


def test_what_says_nothing_here_is_counted() -> None:
    other = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    assert held(other, other, application()).other_kinds == {"Service": 2}
