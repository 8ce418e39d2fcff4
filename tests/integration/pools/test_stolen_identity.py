"""A stolen identity of a pool, in the hands of somebody who speaks its protocol: what it can reach is what its own applications run."""

import asyncio
import os
from typing import Any

import pytest
from tests.integration.pools.conftest import Pool, Site

from outrider import codec, delta, subjects
from outrider.bus import BusError, NotFound, WrongRevision
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.services import RequestRefused
from outrider.pool_messages import (
    CHUNK_MAX_BYTES,
    RENDERINGS,
    REPOSITORIES,
    RUN_BYTES,
    SOURCES,
    ArchiveAnswer,
    ArchiveRead,
    ArchiveWrite,
    AskedAnswer,
    BundleChunk,
    BundleOffer,
    BundleState,
    EntriesRequest,
    KeysAnswer,
    KeysRequest,
    RecordWrite,
    Stored,
    TableAnswer,
    TableRequest,
    TurnAnswer,
    TurnRequest,
    unpacked,
)
from outrider.records import ArchiveRecord, RenderingRecord, repository_key
from outrider.topology import ARCHIVE, POOLS
from outrider_playground.waiting import eventually
from repo_renderer.bundles import BUNDLE_MAX_BYTES
from repo_renderer.delegate.gateway import Gateway, Refused
from repo_renderer.gateway.session import IN_HAND_MAX
from repo_renderer.gateway.turns import RENDERERS_MAX

URL = "https://git.example.com/shops.git"
OTHER_URL = "https://git.example.com/rome.git"
KEY = "0" * 64


async def turn(thief: Gateway, name: str = "thief") -> bool:
    return (await thief.ask("turn", TurnRequest(thief.run, name), TurnAnswer)).works


async def waiting(thief: Gateway, name: str, *, works: bool = False) -> TurnAnswer:
    """Ask as a renderer does that knows all: answered once its turn changes, or something is asked of it."""
    digests: dict[str, bytes] = {}
    while True:
        asked = TurnRequest(thief.run, name, works=works, digests=digests)
        answer = await thief.wait_for("turn", asked, TurnAnswer)
        if answer.works != works or answer.asked:
            return answer
        digests = answer.digests


async def entries_of(thief: Gateway, table: str, count: int) -> list[Any]:
    """Return what a table holds, once it holds so much."""
    entries: list[Any] = []

    async def all_there() -> bool:
        answer = await thief.ask("table", TableRequest(thief.run, table), TableAnswer)
        entries[:] = unpacked(answer.frame)
        return len(entries) >= count

    await eventually(all_there)
    return entries


async def store(thief: Gateway, manifests: Any) -> bytes:
    """Bring a bundle to the hub as a renderer does."""
    data = codec.canonical(manifests)
    frame, digest = delta.compress(data), delta.digest(data)
    state = await thief.ask("offer", BundleOffer(thief.run, digest, len(frame)), BundleState)
    if not state.is_stored:
        state = await thief.ask("chunk", BundleChunk(thief.run, digest, 0, frame), BundleState)
    assert state.is_stored
    return digest


async def send(thief: Gateway, digest: bytes, frame: bytes) -> BundleState:
    """Offer a frame as the bundle of a digest, and send it in parts."""
    state = await thief.ask("offer", BundleOffer(thief.run, digest, len(frame)), BundleState)
    while not state.is_stored:
        part = frame[state.offset : state.offset + CHUNK_MAX_BYTES]
        state = await thief.ask("chunk", BundleChunk(thief.run, digest, state.offset, part), BundleState)
    return state


MANIFEST = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


async def two_pools(site: Site) -> tuple[Pool, Pool, str, str]:
    """Return two pools, each with a source: what the second one's is must never be seen by the first."""
    berlin, rome = await site.add_pool("berlin"), await site.add_pool("rome")
    await site.give(URL, berlin, username="of-berlin")
    await site.give(OTHER_URL, rome, username="of-rome")
    mine = await site.want(URL, "shop", berlin)
    other = await site.want(OTHER_URL, "till", rome)
    return berlin, rome, mine, other


async def test_it_sees_the_sources_and_repositories_of_its_own_pool_and_no_key_of_another(site: Site) -> None:
    berlin, _, mine, other = await two_pools(site)
    hubs_own = await site.want("https://git.example.com/hub.git", "hub", None)
    async with site.asking(berlin) as thief:
        for table, keys in ((SOURCES, {mine}), (REPOSITORIES, {repository_key(URL)}), (RENDERINGS, set())):
            entries = await entries_of(thief, table, len(keys))
            assert {key for key, _, _ in entries} == keys
            assert "rome" not in repr(entries)
            listed = await thief.ask("keys", KeysRequest(thief.run, table), KeysAnswer)
            assert len(unpacked(listed.frame)) == len(entries)
            asked = EntriesRequest(thief.run, table, [*keys, other, hubs_own, "x", 1, None])
            named = await thief.ask("entries", asked, TableAnswer)
            assert unpacked(named.frame) == entries


async def test_it_writes_no_record_of_a_source_that_is_not_its_pools(site: Site) -> None:
    berlin, _, mine, other = await two_pools(site)
    hubs_own = await site.want("https://git.example.com/hub.git", "hub", None)
    async with site.asking(berlin) as thief:
        assert await turn(thief)
        digest = await store(thief, [MANIFEST])
        value = RenderingRecord("main", digest, objects=1, fingerprint="ab").pack()
        for key in (other, hubs_own, "x", "", f"{mine}.more", "*", "gateway.lease"):
            with pytest.raises(Refused, match="none of this pool's"):
                await thief.ask("record", RecordWrite(thief.run, key, value), Stored)
        await thief.ask("record", RecordWrite(thief.run, mine, value), Stored)
    await site.rendered(mine)
    assert set(site.records) == {mine}


async def test_what_it_writes_has_the_form_and_size_that_it_should_have(site: Site) -> None:
    berlin, _, mine, _ = await two_pools(site)
    async with site.asking(berlin) as thief:
        assert await turn(thief)
        digest = await store(thief, [MANIFEST])
        for field, record in (
            ("digest", RenderingRecord("main", b"short")),
            ("not at the hub", RenderingRecord("main", os.urandom(32))),
            ("objects", RenderingRecord("main", digest, objects=-1)),
            ("fingerprint", RenderingRecord("main", digest, fingerprint="x" * 1000)),
            ("warnings", RenderingRecord("main", digest, warnings=[["x y", "z"]])),
            ("warnings", RenderingRecord("main", digest, warnings=[1])),
            ("bytes", RenderingRecord("main", digest, error="x" * 100_000)),
        ):
            with pytest.raises(Refused, match=field):
                await thief.ask("record", RecordWrite(thief.run, mine, record.pack()), Stored)
        for garbage in (b"", b"\xc1", b"\x90", codec.pack([99, "x"]), codec.pack({"a": 1})):
            with pytest.raises(Refused):
                await thief.ask("record", RecordWrite(thief.run, mine, garbage), Stored)
        liar = RenderingRecord(
            "r" * 9000, digest, b"12345678", b"patch", 1, "e" * 5000, changed_at_ms=1, fingerprint="ab"
        )
        await thief.ask("record", RecordWrite(thief.run, mine, liar.pack()), Stored)
    stored = await site.rendered(mine)
    # A patch is the hub's own work, and so is the time; texts are as long as texts of this kind are.
    assert (stored.base, stored.patch) == (None, None)
    assert (len(stored.error), len(stored.revision)) == (4096, 8192)
    assert stored.changed_at_ms > 1


async def test_a_record_that_was_written_since_is_not_written_over(site: Site) -> None:
    berlin, _, mine, _ = await two_pools(site)
    async with site.asking(berlin) as thief:
        assert await turn(thief)
        digest = await store(thief, [MANIFEST])
        value = RenderingRecord("main", digest, objects=1).pack()
        first = await thief.ask("record", RecordWrite(thief.run, mine, value), Stored)
        with pytest.raises(WrongRevision):
            await thief.ask("record", RecordWrite(thief.run, mine, value), Stored)
        await thief.ask("record", RecordWrite(thief.run, mine, value, first.revision), Stored)


async def test_what_it_says_of_a_rendering_counts_for_its_own_pool_alone(site: Site) -> None:
    berlin, rome, _, _ = await two_pools(site)
    async with site.asking(berlin) as thief, site.asking(rome) as victim:
        assert await turn(thief)
        digest = await store(thief, [MANIFEST])
        poison = ArchiveRecord(digest, 1).pack()
        await thief.ask("archive", ArchiveWrite(thief.run, KEY, poison), Stored)
        assert (await thief.ask("archived", ArchiveRead(thief.run, KEY), ArchiveAnswer)).value == poison
        assert (await victim.ask("archived", ArchiveRead(victim.run, KEY), ArchiveAnswer)).value is None
        for key in (f"rome.{KEY}", "*", ">", "", "gateway.lease", KEY[:-1], KEY + "0", "../" + KEY):
            with pytest.raises(Refused, match="key"):
                await thief.ask("archive", ArchiveWrite(thief.run, key, poison), Stored)
            with pytest.raises(Refused, match="key"):
                await thief.ask("archived", ArchiveRead(thief.run, key), ArchiveAnswer)
        absent = ArchiveRecord(os.urandom(32), 1).pack()
        with pytest.raises(Refused, match="not at the hub"):
            await thief.ask("archive", ArchiveWrite(thief.run, KEY, absent), Stored)
    # Nor for the hub's own renderer, whose keys have no pool.
    archive = KeyValue(JetStream(site.renderer), ARCHIVE)
    with pytest.raises(NotFound):
        await archive.get(KEY)


async def test_a_bundle_that_is_not_what_it_is_said_to_be_is_not_stored(site: Site) -> None:
    berlin, _, _, _ = await two_pools(site)
    data = codec.canonical([{**MANIFEST, "data": {"x": "y" * 300}}])
    # By hand: a window of 128 MiB for some hundred bytes, not compressed.
    header = bytes([0b01000000, (27 - 10) << 3]) + (len(data) - 256).to_bytes(2, "little")
    wide = header + (len(data) << 3 | 1).to_bytes(3, "little") + data
    assert delta.decompress(wide, max_bytes=1000) == data
    inflated = delta.compress(bytes(BUNDLE_MAX_BYTES + 1))
    async with site.asking(berlin) as thief:
        assert await turn(thief)
        for reason, digest, frame in (
            ("has another digest", os.urandom(32), delta.compress(data)),
            ("bytes announced", os.urandom(32), inflated),
            ("does not decode", delta.digest(data), delta.compress(data)[:-1]),
            (
                "no list of manifests",
                delta.digest(codec.canonical({"a": 1})),
                delta.compress(codec.canonical({"a": 1})),
            ),
            (
                "no list of manifests",
                delta.digest(codec.canonical([1])),
                delta.compress(codec.canonical([1])),
            ),
            ("more memory", delta.digest(data), wide),
        ):
            with pytest.raises(Refused, match=reason):
                await send(thief, digest, frame)
            # It is forgotten: nothing is left to be gone on with.
            state = await thief.ask("offer", BundleOffer(thief.run, digest, len(frame)), BundleState)
            assert state == BundleState(0)
        await send(thief, delta.digest(data), delta.compress(data))


async def test_parts_of_a_bundle_are_bounded_and_come_in_order(site: Site) -> None:
    berlin, _, _, _ = await two_pools(site)
    async with site.asking(berlin) as thief:
        assert await turn(thief)
        digest = os.urandom(32)
        for total in (0, -1, BUNDLE_MAX_BYTES + 1, 1 << 62):
            with pytest.raises(Refused, match="bundle"):
                await thief.ask("offer", BundleOffer(thief.run, digest, total), BundleState)
        with pytest.raises(Refused, match="digest"):
            await thief.ask("offer", BundleOffer(thief.run, b"short", 10), BundleState)
        await thief.ask("offer", BundleOffer(thief.run, digest, 10), BundleState)
        with pytest.raises(Refused, match="larger"):
            await thief.ask("chunk", BundleChunk(thief.run, digest, 0, bytes(11)), BundleState)
        for offset in (5, -1, 1 << 62):
            state = await thief.ask("chunk", BundleChunk(thief.run, digest, offset, b"x"), BundleState)
            assert state == BundleState(0)
        assert await thief.ask(
            "chunk", BundleChunk(thief.run, digest, 0, b"12345"), BundleState
        ) == BundleState(5)
        # Of one that was never offered, or given up for others, nothing is kept.
        never = await thief.ask("chunk", BundleChunk(thief.run, os.urandom(32), 0, b"x"), BundleState)
        assert never == BundleState(0)
        for _ in range(2):
            await thief.ask("offer", BundleOffer(thief.run, os.urandom(32), 10), BundleState)
        assert await thief.ask("offer", BundleOffer(thief.run, digest, 10), BundleState) == BundleState(0)


async def test_it_can_not_fill_the_hubs_stores(hub_site: Site) -> None:
    berlin, rome, _, _ = await two_pools(hub_site)
    async with (
        hub_site.gateway(pool_bytes_per_day=1 << 20),
        hub_site.asking(berlin) as thief,
        hub_site.asking(rome) as victim,
    ):
        assert await turn(thief)
        assert await turn(victim)
        for number in range(2):
            data = codec.canonical([{**MANIFEST, "data": {"x": os.urandom(400 << 10), "n": number}}])
            await send(thief, delta.digest(data), delta.compress(data))
        with pytest.raises(Refused, match="has added 1048576 bytes to the hub's stores within a day"):
            await thief.ask("offer", BundleOffer(thief.run, os.urandom(32), 400 << 10), BundleState)
        # What is small goes on, until that is spent, too; nobody else is concerned.
        digest = await store(thief, [MANIFEST])
        record = ArchiveRecord(digest, 1, [["Warned", "x" * 1024]] * 16).pack()

        async def spent() -> bool:
            try:
                await thief.ask("archive", ArchiveWrite(thief.run, os.urandom(32).hex(), record), Stored)
            except Refused:
                return True
            return False

        await eventually(spent)
        await victim.ask("archive", ArchiveWrite(victim.run, KEY, record), Stored)
        other = codec.canonical([{**MANIFEST, "data": {"x": os.urandom(400 << 10)}}])
        await send(victim, delta.digest(other), delta.compress(other))


async def test_of_several_renderers_only_the_one_whose_turn_it_is_may_write(site: Site) -> None:
    berlin, _, mine, _ = await two_pools(site)
    async with site.asking(berlin) as works, site.asking(berlin) as waits:
        assert await turn(works, "one")
        standing_by = asyncio.create_task(waiting(waits, "two"))
        digest = await store(works, [MANIFEST])
        record = RenderingRecord("main", digest, objects=1).pack()
        for verb, request in (
            ("record", RecordWrite(waits.run, mine, record)),
            ("archive", ArchiveWrite(waits.run, KEY, ArchiveRecord(digest, 1).pack())),
            ("offer", BundleOffer(waits.run, os.urandom(32), 10)),
            ("chunk", BundleChunk(waits.run, os.urandom(32), 0, b"x")),
            ("answer", AskedAnswer(waits.run, 1, {})),
        ):
            with pytest.raises(BusError, match="another renderer of this pool works"):
                await waits.ask(verb, request, Stored)
        await works.ask("turn", TurnRequest(works.run, "one", leaves=True), TurnAnswer)
        assert (await standing_by).works


async def test_it_can_not_claim_more_renderers_than_are_of_use(site: Site) -> None:
    berlin, _, _, _ = await two_pools(site)
    async with site.asking(berlin) as thief, asyncio.TaskGroup() as tasks:
        runs = [os.urandom(RUN_BYTES) for _ in range(RENDERERS_MAX)]
        waiting = [
            tasks.create_task(thief.wait_for("turn", TurnRequest(run, f"n{n}", works=n == 0), TurnAnswer))
            for n, run in enumerate(runs)
        ]
        await site.presence(berlin, lambda record: len(record.renderers) == RENDERERS_MAX)
        with pytest.raises(Refused, match="renderers of this pool are connected already"):
            await turn(thief, "one more")
        for task in waiting:
            task.cancel()


async def test_a_flood_of_it_is_refused_and_holds_up_nobody_else(site: Site) -> None:
    berlin, rome, _, other = await two_pools(site)
    async with site.asking(berlin) as thief, site.asking(rome) as victim:
        answer = await thief.ask("turn", TurnRequest(thief.run, "thief"), TurnAnswer)
        waits = TurnRequest(thief.run, "thief", works=True, digests=answer.digests).pack()
        subject = subjects.gateway(berlin.name, "turn")
        async with asyncio.TaskGroup() as tasks:
            held = [
                tasks.create_task(thief.connection.request(subject, waits, timeout_s=60))
                for _ in range(IN_HAND_MAX)
            ]

            async def refused() -> bool:
                try:
                    await thief.ask("keys", KeysRequest(thief.run, SOURCES), KeysAnswer)
                except BusError as error:
                    return "too many requests of this pool at a time" in str(error)
                return False

            await eventually(refused)
            assert await turn(victim)
            listed = await victim.ask("keys", KeysRequest(victim.run, SOURCES), KeysAnswer)
            assert [key for key, _ in unpacked(listed.frame)] == [other]
            for task in held:
                task.cancel()


async def test_words_that_are_none_are_refused_and_change_nothing(site: Site) -> None:
    berlin, _, mine, _ = await two_pools(site)
    async with site.asking(berlin) as thief:
        assert await turn(thief)
        with pytest.raises(Refused, match="knows no request 'delete'"):
            await thief.ask("delete", KeysRequest(thief.run, SOURCES), KeysAnswer)
        for table in ("applications", "clusters", "", "../sources"):
            with pytest.raises(Refused, match="no table"):
                await thief.ask("table", TableRequest(thief.run, table), TableAnswer)
        for run in (b"", b"x" * 7, b"x" * 1000):
            with pytest.raises(Refused, match="run"):
                await thief.ask("keys", KeysRequest(run, SOURCES), KeysAnswer)
        for verb in (
            "turn",
            "table",
            "keys",
            "entries",
            "record",
            "archived",
            "archive",
            "offer",
            "chunk",
            "answer",
        ):
            for garbage in (
                b"",
                b"\xc1",
                b"\x90",
                b"\x91\x01",
                os.urandom(50),
                b"\x91" * 2000,
                codec.pack([1] * 50),
            ):
                subject = subjects.gateway(berlin.name, verb)
                answer = await thief.connection.request(subject, garbage, timeout_s=10)
                assert answer.headers.get("Nats-Service-Error-Code") == "400", (verb, garbage)
        await thief.ask("answer", AskedAnswer(thief.run, 12345, {"digest": b"x"}), Stored)
        assert await store(thief, [MANIFEST])
    assert mine not in site.records


async def test_an_answer_that_is_none_is_not_handed_to_who_asked(site: Site) -> None:
    berlin, _, _, _ = await two_pools(site)
    async with site.asking(berlin) as thief:
        assert await turn(thief)
        for verb, body in (
            ("render", None),
            ("render", {"digest": "text", "revision": "main"}),
            ("render", {"digest": b"short", "revision": "main"}),
            ("refresh", []),
            ("refresh", {"revisions": {URL: "main"}}),
            ("refresh", {"revisions": {URL: {str(n): "x" for n in range(20_000)}}}),
        ):
            asking = asyncio.create_task(site.ask(berlin, verb))
            given = await waiting(thief, "thief", works=True)
            ((number, asked, _),) = given.asked
            assert asked == verb
            await thief.ask("answer", AskedAnswer(thief.run, number, body), Stored)
            with pytest.raises(RequestRefused, match=r"no answer that can be read|digest"):
                await asking


async def test_its_identity_ends_with_its_pool(site: Site) -> None:
    berlin, _, mine, _ = await two_pools(site)
    async with site.asking(berlin) as thief:
        assert await turn(thief)
        await site.bucket(POOLS).delete(berlin.name)

        async def refused() -> bool:
            try:
                async with asyncio.timeout(1):
                    await thief.ask("keys", KeysRequest(thief.run, SOURCES), KeysAnswer)
            except (BusError, TimeoutError):
                return True
            return False

        await eventually(refused)
    assert mine not in site.records
