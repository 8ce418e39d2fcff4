"""Which hosts a pool's renderer goes to: the private network that it stands in is not its pool's applications' to look around in."""

from tests.integration.pools.conftest import Site
from tests.integration.rendering.repositories import Repository
from tests.integration.rendering.servers import PASSWORD, USERNAME, Certificate, HttpsServer


def access(certificate: Certificate) -> dict[str, str]:
    return {"username": USERNAME, "password": PASSWORD, "tls_ca": certificate.pem}


async def test_a_private_host_is_reached_for_a_repository_that_was_given_to_the_pool_and_for_no_other(
    site: Site, https: HttpsServer, certificate: Certificate
) -> None:
    berlin = await site.add_pool("berlin")
    given, other = f"{https.url}/shops.git", f"{https.url}/other.git"
    await site.give(given, berlin, **access(certificate))
    async with site.rendering(berlin):
        await site.rendered(await site.want(given, "shop", berlin))
        asked = len(https.requests.lines)
        # As the second source of an application whose first one is the pool's.
        failed = await site.failed(await site.want(other, "shop", berlin))
        assert "inside a private network, which is not allowed here" in failed.error
        assert len(https.requests.lines) == asked


async def test_hosts_that_are_named_where_the_renderer_runs_are_the_only_ones(
    site: Site, https: HttpsServer, certificate: Certificate
) -> None:
    berlin, url = await site.add_pool("berlin"), f"{https.url}/shops.git"
    await site.give(url, berlin, **access(certificate))
    shop = await site.want(url, "shop", berlin)
    async with site.rendering(berlin, hosts=frozenset({"git.example.com"})):
        failed = await site.failed(shop)
        assert "host 127.0.0.1 is not among the allowed hosts" in failed.error
        assert https.requests.lines == []
    async with site.rendering(berlin, hosts=frozenset({"127.0.0.1"})):
        await site.rendered(shop)


async def test_files_of_the_machine_are_read_only_where_that_is_allowed(
    site: Site, repository: Repository
) -> None:
    berlin = await site.add_pool("berlin")
    await site.give(repository.url, berlin)
    shop = await site.want(repository.url, "shop", berlin)
    async with site.rendering(berlin):
        assert "file is not allowed here" in (await site.failed(shop)).error
    async with site.rendering(berlin, local_repositories=True):
        await site.rendered(shop)
