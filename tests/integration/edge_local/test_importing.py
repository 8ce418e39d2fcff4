"""What comes by a USB stick: taken as if it had come down the link, or not at all."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from edge_agent.replica import opened
from outrider import codec, delta, export_file
from outrider.identity import signatures
from outrider_playground.waiting import eventually

from .conftest import WITHIN_S, Exporter, LocalSite, config_map

if TYPE_CHECKING:
    from collections.abc import Callable


async def taken(site: LocalSite, data: bytes) -> str:
    ended = await site.import_(data)
    assert ended.status == 0, ended
    return ended.stdout


async def refused(site: LocalSite, data: bytes, says: str) -> None:
    before = (await site.status())["link"]["generation"], await site.app("till")
    ended = await site.import_(data)
    assert ended.status == 1, ended
    assert says in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ((await site.status())["link"]["generation"], await site.app("till")) == before


async def test_an_agent_that_never_had_a_link_runs_what_a_file_brings(site: LocalSite) -> None:
    site.hub.desire("till", config_map("a", v="1"))
    site.hub.desire("menu", config_map("b", v="1"))
    site.hub.settings(timeZone="Europe/Berlin")
    async with site.agent():
        told = await taken(site, site.hub.file())
        assert "from generation 1.3: 3 records taken" in told
        lines = [line.split()[:2] for line in told.splitlines()[2:]]
        assert lines == [["menu", "new"], ["the", "cluster's"], ["till", "new"]]
        await eventually(lambda: site.live("a") == {"v": "1"} and site.live("b") == {"v": "1"}, WITHIN_S)
        assert (await site.status())["link"]["generation"] == [1, 3]
        assert "(Europe/Berlin)" in await site.done("hold", "--reason", "x")


async def test_a_file_that_comes_twice_changes_nothing_the_second_time(site: LocalSite) -> None:
    site.hub.desire("till", config_map("a", v="1"))
    async with site.agent():
        await taken(site, site.hub.file())
        told = await taken(site, site.hub.file())
        assert "0 records taken" in told
        assert told.splitlines()[2].split() == ["till", "unchanged", "r1"]


async def test_a_newer_file_takes_what_is_newer_and_ends_what_has_ended(site: LocalSite) -> None:
    site.hub.desire("till", config_map("a", v="1"))
    site.hub.desire("menu", config_map("b", v="1"))
    async with site.agent():
        await taken(site, site.hub.file())
        await eventually(lambda: site.live("a") == {"v": "1"} and site.live("b") == {"v": "1"}, WITHIN_S)
        site.hub.desire("till", config_map("a", v="2"))
        site.hub.end("menu")
        told = await taken(site, site.hub.file())
        assert [line.split() for line in told.splitlines()[2:]] == [
            ["menu", "to", "be", "removed", "r2", "->", "r4"],
            ["till", "updated", "r1", "->", "r3"],
        ]
        await eventually(lambda: site.live("a") == {"v": "2"} and site.live("b") is None, WITHIN_S)


async def test_an_older_file_is_refused_by_its_generation(site: LocalSite) -> None:
    site.hub.desire("till", config_map("a", v="1"))
    old = site.hub.file()
    site.hub.desire("till", config_map("a", v="2"))
    async with site.agent():
        await taken(site, site.hub.file())
        await site.until_synced("till")
        await refused(
            site,
            old,
            "the file was made from generation 1.1, and this edge is at 1.2: there is nothing newer in it",
        )
        # Nor does it bring back what was removed since.
        site.hub.end("till")
        await taken(site, site.hub.file())
        await eventually(lambda: site.live("a") is None, WITHIN_S)

        async def gone() -> bool:
            return await site.app("till") == {}

        await eventually(gone, WITHIN_S)
        await refused(site, old, "there is nothing newer in it")


def foreign(site: LocalSite) -> bytes:
    other = Exporter("shop2")
    other.desire("till", config_map("a", v="9"))
    return other.file()


def forged(site: LocalSite) -> bytes:
    other = Exporter(seed=signatures.generate_seed())
    other.desire("till", config_map("a", v="9"))
    return other.file()


def of_another_set(site: LocalSite) -> bytes:
    header = site.hub.header()
    site.hub.desire("menu", config_map("b", v="9"))
    return site.hub.file(header)


def with_a_record_left_out(site: LocalSite) -> bytes:
    site.hub.desire("till", config_map("a", v="9"))
    site.hub.desire("menu", config_map("b", v="9"))
    header = site.hub.header()
    del site.hub.records["menu"]
    return site.hub.file(header)


def with_an_older_record(site: LocalSite) -> bytes:
    site.hub.desire("menu", config_map("b", v="9"))
    old = site.hub.records["menu"]
    site.hub.desire("menu", config_map("b", v="10"))
    header = site.hub.header()
    site.hub.records["menu"] = old
    return site.hub.file(header)


def with_a_record_of_another_cluster(site: LocalSite) -> bytes:
    other = Exporter("shop2", counter=5)
    other.desire("menu", config_map("b", v="9"))
    site.hub.records["menu"] = other.records["menu"]
    return site.hub.file()


def without_a_bundle(site: LocalSite) -> bytes:
    site.hub.desire("menu", config_map("b", v="9"))
    return site.hub.file(without=tuple(site.hub.bundles))


def with_another_bundle(site: LocalSite) -> bytes:
    site.hub.desire("menu", config_map("b", v="9"))
    digest = list(site.hub.bundles)[-1]
    site.hub.bundles[digest] = codec.canonical([config_map("evil", v="1")])
    return site.hub.file()


def with_a_bomb(site: LocalSite) -> bytes:
    site.hub.desire("menu", config_map("b", v="9"))
    site.hub.bundles[list(site.hub.bundles)[-1]] = b"\0" * (65 << 20)
    return site.hub.file()


def cut_short(site: LocalSite) -> bytes:
    site.hub.desire("till", config_map("a", v="9"))
    return site.hub.file()[:-40]


def rotten(site: LocalSite) -> bytes:
    site.hub.desire("till", config_map("a", v="9"))
    data = bytearray(site.hub.file())
    data[-100] ^= 1
    return bytes(data)


def with_two_headers(site: LocalSite) -> bytes:
    site.hub.desire("till", config_map("a", v="9"))
    writer = export_file.Writer()
    first = writer.start(site.hub.header())
    second = export_file.Writer().start(site.hub.header())[len(export_file.MAGIC) + 1 :]
    return first + second


def empty(site: LocalSite) -> bytes:
    return b""


def an_archive(site: LocalSite) -> bytes:
    return b"PK\x03\x04" * 100


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (foreign, "the file is for cluster 'shop2', and this is 'shop1'"),
        (forged, "is not signed by the hub of this agent"),
        (of_another_set, "its records are not those that the hub sealed together"),
        (with_a_record_left_out, "its records are not those that the hub sealed together"),
        (with_an_older_record, "its records are not those that the hub sealed together"),
        (with_a_record_of_another_cluster, "the record of 'menu' is not what the hub signed"),
        (without_a_bundle, "the bundle of menu is missing"),
        (with_another_bundle, "is not what its name says"),
        (with_a_bomb, "is not what its name says"),
        (cut_short, "ends too early"),
        (rotten, "is damaged"),
        (with_two_headers, "is damaged"),
        (empty, "ends too early, after 0 bytes"),
        (an_archive, "is no export of a hub"),
    ],
)
async def test_a_file_that_is_not_whole_and_the_hubs_own_is_refused_before_anything_of_it_is_taken(
    site: LocalSite, made: Callable[[LocalSite], bytes], says: str
) -> None:
    site.hub.desire("till", config_map("a", v="1"))
    async with site.agent():
        await taken(site, site.hub.file())
        await site.until_synced("till")
        await refused(site, made(site), says)
        assert [one["name"] for one in (await site.status())["applications"]] == ["till"]
        assert site.live("a") == {"v": "1"}


def is_there(site: LocalSite, namespace: str) -> bool:
    return site.cluster.get("ConfigMap", "shared", namespace) is not None


async def test_a_bundle_that_several_applications_share_is_in_the_file_once_and_serves_all(
    site: LocalSite,
) -> None:
    for app in ("a", "b", "c"):
        site.hub.desire(app, {**config_map("shared", v="1" * 5000)}, destination={"namespace": f"shop-{app}"})
    data = site.hub.file()
    digests = [
        frame.digest
        for frame in export_file.Reader().feed(data)
        if isinstance(frame, export_file.BundlePart) and frame.last
    ]
    assert len(digests) == 1
    async with site.agent():
        assert "3 records taken" in await taken(site, data)
        for app in ("a", "b", "c"):
            await eventually(partial(is_there, site, f"shop-{app}"), WITHIN_S)


async def test_what_comes_while_the_site_holds_is_taken_and_waits(site: LocalSite) -> None:
    async with site.agent():
        await site.done("hold", "--reason", "stocktaking")
        site.hub.desire("till", config_map("a", v="1"))
        assert "1 record taken" in await taken(site, site.hub.file())
        await site.until_app("till", lambda app: "held by" in app["waits_for"])
        assert site.live("a") is None


async def test_a_file_comes_through_a_pipe_as_well(site: LocalSite) -> None:
    site.hub.desire("till", config_map("a", v="1"))
    async with site.agent():
        ended = await site("import", "-", stdin=site.hub.file())
        assert ended.status == 0
        assert "1 record taken" in ended.stdout
        missing = await site("import", site.folder / "nowhere.export")
        assert missing.status == 1
        assert "nowhere.export: No such file or directory" in missing.stderr


async def test_without_an_agent_a_file_is_not_taken_and_it_is_said_why(site: LocalSite) -> None:
    site.hub.desire("till", config_map("a", v="1"))
    ended = await site.import_(site.hub.file())
    assert ended.status == 1
    assert "no agent listens at" in ended.stderr


async def test_a_large_file_is_not_held_in_memory(site: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = [delta.digest(b"%d" % number).hex() for number in range(3000)]
    for number in range(24):
        manifests = [
            config_map(f"m{number}-{n}", v="".join(noise[n * 30 : n * 30 + 30]) + str(number))
            for n in range(100)
        ]
        site.hub.desire(f"app{number}", *manifests, syncPolicy={})
    data = site.hub.file()
    held: list[int] = []
    original = export_file.Reader.feed

    def feed(reader: export_file.Reader, piece: bytes) -> object:
        held.append(len(reader._rest))
        return original(reader, piece)

    monkeypatch.setattr(export_file.Reader, "feed", feed)
    async with site.agent():
        assert "24 records taken" in await taken(site, data)
    # Read twice, and at no time was more of it at hand than a frame.
    assert sum(held) < len(data)
    assert max(held) < 64 << 10


async def test_a_file_brings_back_a_bundle_that_the_replica_has_lost(site: LocalSite) -> None:
    site.hub.desire("till", config_map("a", v="1"))
    data = site.hub.file()
    async with site.agent():
        await taken(site, data)
        await site.until_synced("till")
    with opened(site.settings().replica) as database, database.transaction() as connection:
        connection.execute("DELETE FROM bundles")
    site.cluster.delete(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}
    )
    async with site.agent():
        told = await taken(site, data)
        assert "0 records taken, 1 lost bundle brought back" in told
        await eventually(lambda: site.live("a") == {"v": "1"}, WITHIN_S)


async def test_a_file_between_what_was_seen_and_what_was_missed_brings_back_nothing_that_has_ended(
    site: LocalSite,
) -> None:
    site.hub.desire("menu", config_map("b", v="1"))
    site.hub.desire("till", config_map("a", v="1"))
    between = site.hub.file()
    site.hub.end("till")
    site.hub.desire("menu", config_map("b", v="2"))
    async with site.agent():
        await taken(site, site.hub.file())
        await eventually(lambda: site.live("b") == {"v": "2"}, WITHIN_S)

        async def gone() -> bool:
            return await site.app("till") == {}

        await eventually(gone, WITHIN_S)
    with opened(site.settings().replica) as database:
        # As if the link had brought only the last of these records, and the agent knew that it had missed some.
        for name in ("complete_epoch", "complete_counter"):
            database.set_meta(name, 0)
    async with site.agent():
        await refused(site, between, "there is nothing newer in it")
        assert site.live("a") is None
