from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.rendering.repositories import Repository
from tests.integration.rendering.servers import (
    PASSWORD,
    Certificate,
    HttpsServer,
    SshServer,
    https_server,
    make_certificate,
    ssh_server,
)

from outrider_playground.kubernetes import SimulatedCluster

from .site import NAMESPACE, Site, over_https, over_ssh, running


@pytest.fixture
def served(tmp_path: Path) -> Repository:
    """A repository in the folder that the servers serve."""
    return Repository(tmp_path / "served" / "team" / "app.git")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def https(served: Repository, certificate: Certificate, tmp_path: Path) -> Iterator[HttpsServer]:
    with https_server(tmp_path / "served", certificate, password=PASSWORD) as server:
        yield server


@pytest.fixture
def ssh(served: Repository, tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path / "served") as server:
        yield server


@pytest.fixture
async def cluster(
    https: HttpsServer, ssh: SshServer, certificate: Certificate
) -> AsyncIterator[SimulatedCluster]:
    """A cluster with a Secret for each server."""
    async with SimulatedCluster() as cluster:
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        cluster.apply(over_https(certificate, f"{https.url}/team/app.git"))
        cluster.apply(over_ssh(ssh, ssh.url("team"), "repo-creds"))
        yield cluster


@pytest.fixture
async def site(tmp_path: Path, cluster: SimulatedCluster) -> AsyncIterator[Site]:
    async with running(tmp_path / "site", cluster) as site:
        yield site


@pytest.fixture
def url(https: HttpsServer) -> str:
    return f"{https.url}/team/app.git"
