"""The renderer as a whole, with sources in Git: the test stands in for the registry."""

import pytest
from tests.integration.repo_renderer.conftest import Registry

from outrider import delta, subjects
from outrider.bus.services import RequestRefused, ask
from outrider_playground.demo import content
from outrider_playground.waiting import eventually


async def test_a_source_is_rendered_once_and_again_only_when_what_it_reads_moves(registry: Registry) -> None:
    shop = await registry.want("shop")
    first = await registry.until(shop, lambda record: bool(record.digest))
    await eventually(registry.serves)
    assert {m["kind"] for m in await registry.manifests(first)} == {"Deployment", "Service", "ConfigMap"}
    registry.repository.commit({"README.md": "nothing that the shop reads"}, "Elsewhere")
    await registry.refresh()
    writes = registry.writes
    revision = registry.repository.replace("shop/deployment.yaml", ":1.0", ":1.1", "Shop 1.1")
    assert (await registry.refresh())["revisions"][registry.repository.url] == {"main": revision}
    second = await registry.until(shop, lambda record: record.revision == revision)
    assert registry.writes == writes + 1
    assert second.base == delta.short(first.digest)
    assert second.patch is not None
    assert len(second.patch) < 64
    assert "1.1" in str(await registry.manifests(second))


async def test_who_asks_for_a_look_while_one_is_under_way_is_told_of_the_one_after_it(
    registry: Registry,
) -> None:
    await registry.until(await registry.want("shop"), lambda record: bool(record.digest))
    await eventually(registry.serves)
    # Its record is written in the middle of a look.
    await registry.until(await registry.want("till"), lambda record: bool(record.digest))
    revision = registry.repository.replace("shop/deployment.yaml", ":1.0", ":1.1", "Shop 1.1")
    assert (await registry.refresh())["revisions"][registry.repository.url] == {"main": revision}


async def test_a_chart_asks_for_its_release_and_everything_else_does_not(registry: Registry) -> None:
    plain = await registry.want("signage")
    assert (await registry.until(plain, lambda record: True)).needs_release
    named = await registry.want("signage", {"app_name": "signage-7", "namespace": "lobby"})
    record = await registry.until(named, lambda record: bool(record.digest))
    (deployment,) = await registry.manifests(record)
    assert deployment["metadata"]["name"] == "signage-7"
    till = await registry.until(await registry.want("till"), lambda record: bool(record.digest))
    assert {m["metadata"]["name"] for m in await registry.manifests(till)} == {"demo-till"}


async def test_an_error_is_named_and_the_last_good_rendering_stays(registry: Registry) -> None:
    shop = await registry.want("shop")
    good = await registry.until(shop, lambda record: bool(record.digest))
    await eventually(registry.serves)
    bad = registry.repository.commit({"shop/menu.yaml": content.MENU + "  broken: [1\n"}, "A mistake")
    await registry.refresh()
    failed = await registry.until(shop, lambda record: bool(record.error))
    assert (failed.digest, failed.revision, failed.error_revision) == (good.digest, good.revision, bad)
    assert "shop/menu.yaml" in failed.error
    registry.repository.commit({"shop/menu.yaml": content.MENU}, "Mended")
    await registry.refresh()
    mended = await registry.until(shop, lambda record: not record.error)
    assert mended.digest == good.digest


async def test_a_path_or_a_revision_that_is_not_there_is_named(registry: Registry) -> None:
    path = await registry.until(await registry.want("shpo"), lambda record: bool(record.error))
    assert "shpo" in path.error
    revision = await registry.until(
        await registry.want("shop", targetRevision="mian"), lambda record: bool(record.error)
    )
    assert "main" in revision.error


async def test_one_broken_source_delays_no_other(registry: Registry) -> None:
    registry.repository.commit({"bad/x.yaml": "[" * 100_000}, "Hostile")
    bad, shop = await registry.want("bad"), await registry.want("shop")
    assert (await registry.until(shop, lambda record: bool(record.digest))).digest
    assert (await registry.until(bad, lambda record: bool(record.error))).error


async def test_a_repository_that_nobody_uses_is_refused_by_name(registry: Registry) -> None:
    await registry.until(await registry.want("shop"), lambda record: bool(record.digest))
    await eventually(registry.serves)
    with pytest.raises(RequestRefused, match="no application uses"):
        await ask(
            registry.connection, subjects.render("default", "refresh"), {"url": "https://example.com/x.git"}
        )
