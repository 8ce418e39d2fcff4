"""A renderer next to a private Git server: what it renders arrives at the hub as if the hub had rendered it."""

from typing import Any

import pytest
from tests.integration.pools.conftest import CONFIG, Site
from tests.integration.rendering.repositories import Repository
from tests.integration.rendering.servers import PASSWORD, USERNAME, Certificate, HttpsServer, SshServer

from outrider import delta
from outrider.bus.services import RequestRefused
from outrider_playground.waiting import eventually


def access(certificate: Certificate) -> dict[str, str]:
    return {"username": USERNAME, "password": PASSWORD, "tls_ca": certificate.pem}


async def test_a_private_repository_over_https_is_rendered_with_credentials_sealed_to_its_pool(
    site: Site, https: HttpsServer, repository: Repository, certificate: Certificate
) -> None:
    berlin, url = await site.add_pool("berlin"), f"{https.url}/shops.git"
    await site.give(url, berlin, **access(certificate))
    async with site.rendering(berlin):
        shop = await site.want(url, "shop", berlin)
        first = await site.rendered(shop)
        assert [one["metadata"]["name"] for one in await site.manifests(first)] == ["a"]
        second = repository.commit({"shop/a.yaml": CONFIG % ("a", "2")})
        assert await site.ask(berlin, "refresh", url=url) == {"revisions": {url: {"main": second}}}
        record = await site.until(shop, lambda record: record.revision == second)
    # The hub made the patch from what it has.
    assert record.base == delta.short(first.digest)
    assert record.patch is not None
    assert len(record.patch) < 64


async def test_a_private_repository_over_ssh_is_rendered_too(
    site: Site, ssh: SshServer, repository: Repository
) -> None:
    berlin, url = await site.add_pool("berlin"), ssh.url("shops.git")
    await site.give(url, berlin, ssh_private_key=ssh.private_key, ssh_known_hosts=ssh.known_hosts)
    async with site.rendering(berlin):
        assert (await site.rendered(await site.want(url, "till", berlin))).objects == 1


async def test_another_pool_can_not_open_the_credentials(
    site: Site, https: HttpsServer, certificate: Certificate
) -> None:
    berlin, rome, url = await site.add_pool("berlin"), await site.add_pool("rome"), f"{https.url}/shops.git"
    await site.give(url, berlin, **access(certificate))
    async with site.rendering(rome):
        # As if somebody had moved the repository, and not given its credentials again.
        shop = await site.want(url, "shop", rome)
        assert "private network" in (await site.failed(shop)).error
        moved = {**access(certificate)}
        rome.sealing_key, key = berlin.sealing_key, rome.sealing_key
        await site.give(url, rome, **moved)
        rome.sealing_key = key
        record = await site.until(shop, lambda record: "can't be opened" in record.error)
        assert PASSWORD not in record.error
    assert https.requests.lines == []


async def test_an_error_is_named_and_the_last_good_rendering_stays(
    site: Site, https: HttpsServer, repository: Repository, certificate: Certificate
) -> None:
    berlin, url = await site.add_pool("berlin"), f"{https.url}/shops.git"
    await site.give(url, berlin, **access(certificate))
    async with site.rendering(berlin):
        shop = await site.want(url, "shop", berlin)
        good = await site.rendered(shop)
        bad = repository.commit({"shop/a.yaml": CONFIG % ("a", "[1")})
        await site.ask(berlin, "refresh", url=url)
        failed = await site.failed(shop)
        assert (failed.digest, failed.revision, failed.error_revision) == (good.digest, good.revision, bad)
        assert "shop/a.yaml" in failed.error
        repository.commit({"shop/a.yaml": CONFIG % ("a", "1")})
        await site.ask(berlin, "refresh", url=url)
        mended = await site.until(shop, lambda record: not record.error)
        assert mended.digest == good.digest


async def test_what_is_asked_of_the_pool_is_answered_by_its_renderer(
    site: Site, https: HttpsServer, repository: Repository, certificate: Certificate
) -> None:
    berlin, url = await site.add_pool("berlin"), f"{https.url}/shops.git"
    await site.give(url, berlin, **access(certificate))
    first = repository.commit({"shop/a.yaml": CONFIG % ("a", "1")})
    repository.commit({"shop/a.yaml": CONFIG % ("a", "2")})
    asked: dict[str, Any] = {"source": {"repoURL": url, "path": "shop"}, "revision": first}
    with pytest.raises(RequestRefused, match="no renderer of pool 'berlin' is connected"):
        await eventually_asked(site, berlin, **asked)
    async with site.rendering(berlin):
        shop = await site.want(url, "shop", berlin)
        await site.rendered(shop)
        answer = await site.ask(berlin, "render", **asked)
        assert answer["revision"] == first
        assert answer["digest"] != site.records[shop].digest
        with pytest.raises(RequestRefused, match="revision 'nowhere' does not exist"):
            await site.ask(berlin, "render", **{**asked, "revision": "nowhere"})
        with pytest.raises(RequestRefused, match="no application uses"):
            await site.ask(berlin, "refresh", url="https://example.com/x.git")


async def eventually_asked(site: Site, pool: Any, **arguments: Any) -> Any:
    """Ask once the gateway serves the pool."""
    from outrider.bus import NoResponders

    served = False

    async def is_served() -> bool:
        nonlocal served
        try:
            await site.ask(pool, "render", **arguments)
        except NoResponders:
            return False
        except RequestRefused:
            served = True
        return True

    await eventually(is_served)
    return await site.ask(pool, "render", **arguments)
