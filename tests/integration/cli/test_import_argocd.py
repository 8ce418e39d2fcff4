import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cli.conftest import Ended, Outrider
from tests.integration.cli.services import Services
from tests.integration.cli.test_applications import SETTINGS, application, application_set, project
from tests.integration.cli.test_whole_path import kubectl
from tests.unit.cli.test_importing import CANARY, secret

from outrider.identity import sealing
from outrider_playground.kubernetes import SimulatedCluster

URL = "https://git.example.com/shops.git"


def listed(*manifests: dict[str, Any]) -> bytes:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}).encode()


def argo(name: str, server: str = "https://10.0.0.1:6443", **spec: Any) -> dict[str, Any]:
    manifest = application(name, destination={"server": server, "namespace": "shop"}, **spec)
    manifest["metadata"] |= {"namespace": "argocd", "uid": "1", "managedFields": [{}], "resourceVersion": "3"}
    return {**manifest, "status": {"sync": {"status": "Synced"}}}


@pytest.fixture
def everything() -> bytes:
    return listed(
        argo("web"),
        argo("odd"),
        argo("far", "https://10.9.9.9"),
        application_set("shops"),
        project("tills"),
        SETTINGS,
        secret("cluster", name="store-1", server="https://10.0.0.1:6443", config=CANARY),
        secret("repository", url=URL, username="ci", password=CANARY),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}},
    )


async def imported(outrider: Outrider, stdin: bytes, *options: object) -> Ended:
    ended = await outrider("import", "argocd", "-f", "-", *options, stdin=stdin)
    assert CANARY not in ended.stdout + ended.stderr
    return ended


async def test_the_report_says_of_each_object_what_becomes_of_it_before_anything_is_done(
    services: Services, outrider: Outrider, everything: bytes
) -> None:
    services.clusters["store-1"] = {"name": "store-1", "server": ""}
    services.refused = {"odd": "spec.sourceHydrator: is not supported"}
    ended = await imported(outrider, everything, "--dry-run")
    assert ended.status == 1
    assert (services.applications, services.others, services.repositories) == ({}, {}, {})
    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert "project/tills taken" in lines
    assert "application/odd argocd refused spec.sourceHydrator: is not supported" in lines
    expected = (
        "application/web argocd taken, but spec.destination: https://10.0.0.1:6443 is cluster store-1 here"
    )
    assert expected in lines
    assert f"{URL} 3 password lacks credentials: `outrider repo add`, or --with-credentials" in lines
    assert any(line.startswith("https://10.9.9.9 1 not registered") for line in lines)
    assert "Left out, being nothing of Argo CD's: 1 Service" in lines


async def test_what_is_taken_is_written_and_doing_it_again_changes_nothing(
    services: Services, outrider: Outrider, everything: bytes
) -> None:
    services.clusters["store-1"] = {"name": "store-1", "server": ""}
    first = await imported(outrider, everything, "--yes", "--cluster-map", "https://10.9.9.9=store-1")
    assert first.status == 0, first.stderr
    assert "project/tills created" in first.stdout
    assert "Argo CD goes on managing" in first.stderr
    assert {one["spec"]["destination"]["name"] for one in services.applications.values()} == {"store-1"}
    assert set(services.applications["web"]) == {"apiVersion", "kind", "metadata", "spec"}
    assert services.applications["web"]["metadata"] == {"name": "web", "namespace": "argocd"}
    again = await imported(outrider, everything, "--yes", "--cluster-map", "https://10.9.9.9=store-1")
    results = [
        line.split()[1]
        for line in again.stdout.splitlines()
        if line.split()[1:2] in (["created"], ["unchanged"])
    ]
    assert results == ["unchanged"] * 6


async def test_what_is_refused_is_left_out_and_the_rest_is_taken(
    services: Services, outrider: Outrider, everything: bytes
) -> None:
    services.refused = {"odd": "spec.sourceHydrator: is not supported"}
    ended = await imported(outrider, everything, "--yes", "-o", "json")
    assert ended.status == 1
    assert sorted(services.applications) == ["far", "web"]
    report = json.loads(ended.stdout)
    verdicts = {one["object"]: one["verdict"] for one in report["objects"]}
    assert (verdicts["application/odd"], verdicts["application/web"]) == ("refused", "taken")
    assert {one["result"] for one in report["outcomes"]} == {"created"}


async def test_what_an_application_can_not_be_stored_without_is_told(
    services: Services, outrider: Outrider
) -> None:
    objects = listed(
        argo("alone", project="nowhere"),
        argo("here", "https://kubernetes.default.svc"),
        argo("till", project="tills"),
        project("tills"),
    )
    services.refused = {"tills": "spec.signatureKeys: is not taken"}
    ended = await imported(outrider, objects, "--yes")
    assert ended.status == 1
    assert services.applications == {}
    assert "spec.project: there is no project 'nowhere' here, and none is imported" in ended.stdout
    assert "--cluster-map https://kubernetes.default.svc=NAME" in ended.stdout
    assert "spec.project: project 'tills' is refused" in ended.stdout


async def test_credentials_are_carried_over_sealed_and_only_when_asked_to(
    services: Services, outrider: Outrider, everything: bytes
) -> None:
    await imported(outrider, everything, "--yes")
    assert services.repositories == {}
    ended = await imported(outrider, everything, "--yes", "--with-credentials")
    assert f"repository/{URL} added" in ended.stdout
    assert CANARY not in repr(services.asked)
    held = services.repositories[URL]
    assert held["public"] == {"kind": "password", "username": "ci"}
    assert sealing.unseal(held["sealed"], services.sealing_key) == {"username": "ci", "password": CANARY}
    asked = len(services.asked)
    await imported(outrider, everything, "--yes", "--with-credentials")
    assert not any(subject.endswith("repo.add") for subject, _ in services.asked[asked:])


async def test_files_and_folders_are_read_and_what_can_not_be_read_is_told(
    services: Services, outrider: Outrider, everything: bytes, tmp_path: Path
) -> None:
    folder = tmp_path / "argocd"
    folder.mkdir()
    (folder / "all.json").write_bytes(everything)
    (folder / "bad.yaml").write_text("kind: [")
    ended = await outrider("import", "argocd", "-f", folder, "--dry-run")
    assert ended.status == 1
    assert "bad.yaml" in ended.stdout
    assert "application/web" in ended.stdout


async def test_nothing_is_written_where_nobody_can_be_asked(
    services: Services, outrider: Outrider, everything: bytes, tmp_path: Path
) -> None:
    (tmp_path / "all.json").write_bytes(everything)
    ended = await outrider("import", "argocd", "-f", tmp_path / "all.json")
    assert ended.status == 1
    assert "give --yes, or --dry-run" in ended.stderr
    assert services.applications == {}
    assert (await outrider("import", "argocd", "-f", "-", stdin=everything)).status == 2


async def test_what_can_not_be_meant_is_a_usage_error(outrider: Outrider) -> None:
    for options in (
        ["-f", "x.yaml", "--context", "a"],
        ["--cluster-map", "shop1"],
        ["--cluster-map", "https://10.0.0.1=Not A Name"],
    ):
        assert (await outrider("import", "argocd", *options)).status == 2


async def test_terminal_escapes_in_argo_cds_objects_are_written_out(
    services: Services, outrider: Outrider
) -> None:
    evil = "\x1b[2Jx\u202e"
    manifest = argo("web", server=evil, source={"repoURL": evil})
    manifest["metadata"]["namespace"] = evil
    services.refused = {"other": evil}
    for output in ("table", "json", "yaml"):
        ended = await imported(outrider, listed(manifest, argo("other")), "--yes", "-o", output)
        assert not {"\x1b", "\u202e"} & set(ended.stdout + ended.stderr)


def definition(plural: str, kind: str) -> dict[str, Any]:
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.argoproj.io"},
        "spec": {"group": "argoproj.io", "scope": "Namespaced", "names": names, "versions": [version]},
    }


@pytest.fixture
async def argo_cd(tmp_path: Path) -> AsyncIterator[Path]:
    """Return the kubeconfig of a cluster that Argo CD could run in."""
    kubeconfig = tmp_path / "kubeconfig"
    elsewhere = argo("elsewhere")
    elsewhere["metadata"] = {"name": "elsewhere", "namespace": "team"}
    web = argo("web", project="tills")
    for one in (elsewhere, web):
        one["metadata"] = {key: one["metadata"][key] for key in ("name", "namespace")}
    found = [
        {**secret("repository", url=URL, username="ci", password=CANARY), "type": "Opaque"},
        {**secret("cluster", name="store-1", server="https://10.0.0.1:6443"), "type": "Opaque"},
    ]
    for number, one in enumerate(found):
        one["metadata"] |= {"name": f"s{number}", "namespace": "argocd"}
    labels = {"app.kubernetes.io/part-of": "argocd"}
    settings = {**SETTINGS, "metadata": {"name": "argocd-cm", "namespace": "argocd", "labels": labels}}
    tills = {**project("tills"), "metadata": {"name": "tills", "namespace": "argocd"}}
    async with SimulatedCluster() as cluster:
        cluster.write_kubeconfig(kubeconfig)
        for name in ("argocd", "team"):
            await kubectl(tmp_path, "create", "namespace", name, stdin="")
        for batch in (
            [definition("applications", "Application"), definition("appprojects", "AppProject")],
            [web, elsewhere, tills, settings, *found],
        ):
            status, _, stderr = await kubectl(
                tmp_path, "create", "--validate=false", "-f", "-", stdin=listed(*batch).decode()
            )
            assert status == 0, stderr
        yield kubeconfig


async def test_objects_are_read_from_the_cluster_that_argo_cd_runs_in(
    services: Services, outrider: Outrider, argo_cd: Path
) -> None:
    services.clusters["store-1"] = {"name": "store-1", "server": ""}
    ended = await outrider("import", "argocd", "--kubeconfig", argo_cd, "--yes", "--with-credentials")
    assert ended.status == 0, ended.stderr
    assert CANARY not in ended.stdout + ended.stderr + repr(services.asked)
    assert "note: applicationsets.argoproj.io can't be read" in ended.stderr
    assert list(services.applications) == ["web"]
    assert services.applications["web"]["spec"]["destination"] == {"name": "store-1", "namespace": "shop"}
    assert "uid" not in services.applications["web"]["metadata"]
    assert sorted(services.others) == [("AppProject", "tills"), ("ConfigMap", "argocd-cm")]
    assert list(services.repositories) == [URL]
    everywhere = await outrider("import", "argocd", "--kubeconfig", argo_cd, "-A", "--yes")
    assert everywhere.status == 0
    assert sorted(services.applications) == ["elsewhere", "web"]


async def test_a_cluster_that_can_not_be_read_is_told_in_one_sentence(
    services: Services, outrider: Outrider, argo_cd: Path, tmp_path: Path
) -> None:
    ended = await outrider("import", "argocd", "--kubeconfig", tmp_path / "none")
    assert (ended.status, ended.stdout) == (1, "")
    assert ended.stderr.startswith("Error: can't read Argo CD's applications: ")
    assert (
        "context" in (await outrider("import", "argocd", "--kubeconfig", argo_cd, "--context", "no")).stderr
    )
