"""Charts at the edge: from Helm repositories and registries, with the site's own credentials for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.rendering.chart_servers import Charts, archive, chart_files, charts_server
from tests.integration.rendering.repositories import Repository
from tests.integration.rendering.servers import PASSWORD, USERNAME, Certificate

from outrider_playground.kubernetes import SimulatedCluster

from .site import Site, secret


@pytest.fixture
def charts(tmp_path: Path, certificate: Certificate) -> Iterator[Charts]:
    with charts_server(tmp_path, certificate) as server:
        server.requires_login = True
        yield server


@pytest.fixture
async def shop(site: Site, cluster: SimulatedCluster, charts: Charts) -> Site:
    """A site that may read the chart repository and the registry."""
    access = {"username": USERNAME, "password": PASSWORD, "tlsCaCert": charts.certificate.pem}
    cluster.apply(secret("charts", url=charts.url, type="helm", **access))
    cluster.apply(secret("registry", "repo-creds", url=charts.registry, enableOCI="true", **access))
    return site


async def test_a_range_of_versions_of_a_chart_is_followed(shop: Site, charts: Charts) -> None:
    charts.publish("till", "1.0.0")
    shop.want("till", {"repoURL": charts.url, "chart": "till", "targetRevision": "1.*"})
    await shop.at("1.0.0")
    assert shop.names() == {"till-till"}

    charts.publish("till", "1.1.0")
    found = await shop.look()

    assert found["revisions"] == {charts.url: {"till 1.*": "1.1.0"}}
    assert shop.revision() == "1.1.0"


async def test_a_chart_of_a_registry_is_rendered(shop: Site, charts: Charts) -> None:
    charts.push("charts/till", "2.0.0", archive(chart_files("till", "2.0.0")))
    shop.want("till", {"repoURL": charts.registry, "chart": "till", "targetRevision": "2.*"})
    await shop.at("2.0.0")
    assert shop.manifests()[0]["data"]["version"] == "2.0.0"


async def test_charts_that_a_chart_in_git_depends_on_come_with_the_credentials_of_their_own_repository(
    shop: Site, charts: Charts, served: Repository, url: str
) -> None:
    charts.publish("base", "1.0.0")
    needs = f"dependencies: [{{name: base, version: 1.x.x, repository: {charts.url}}}]\n"
    commit = served.commit(chart_files("till", "0.1.0", extra=needs))
    shop.want("till", {"repoURL": url, "path": "till"})
    await shop.at(commit)
    assert shop.names() == {"till-till", "till-base"}


async def test_a_dependency_that_the_site_has_no_credentials_for_is_named(
    site: Site, charts: Charts, served: Repository, url: str
) -> None:
    charts.publish("base", "1.0.0")
    needs = f"dependencies: [{{name: base, version: 1.x.x, repository: {charts.url}}}]\n"
    served.commit(chart_files("till", "0.1.0", extra=needs))
    site.cluster.apply(secret("charts", url=charts.url, tlsCaCert=charts.certificate.pem))
    site.want("till", {"repoURL": url, "path": "till"})
    await site.until(site.error)
    assert "dependency base 1.x.x" in site.error()
    assert "asks for credentials, and none are known" in site.error()
