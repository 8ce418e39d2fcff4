"""What a cluster should run, handed out for a file."""

from typing import Any

import pytest

from app_registry import exports
from outrider import codec, delta, export_file
from outrider.bus.objects import Objects
from outrider.bus.services import RequestRefused
from outrider.identity import credentials, signatures
from outrider.messages import Desired, ExportHeader
from outrider.names import ClusterName, from_token
from outrider.subjects import EXPORT
from outrider.topology import BUNDLES

from .conftest import Fleet, application, bundle, eventually


def opened(fleet: Fleet, sealed: bytes, cluster: str = "shop1") -> ExportHeader:
    """Return a header, checked as an agent checks it."""
    keys = credentials.load(fleet.hub.state / "credentials" / "person.creds").hub_keys
    return ExportHeader.unpack(signatures.unseal(sealed, list(keys), cluster, EXPORT))


async def settled(fleet: Fleet) -> Any:
    """Return an export once nothing changes any more."""
    answer: Any = None

    async def probe() -> bool:
        nonlocal answer
        try:
            answer = await fleet.ask("cluster.export", name="shop1")
        except RequestRefused as error:
            if exports.CHANGED not in str(error):
                raise
            return False
        return True

    await eventually(probe)
    return answer


async def test_an_export_is_the_set_that_the_edge_would_hold_sealed_as_a_whole(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge, "till")
    await served.deliver(edge, "menu", bundle("b"))
    answer = await served.ask("cluster.export", name="shop1")
    assert [app for app, _ in answer["records"]] == ["menu", "till"]
    assert (answer["next"], answer["lacking"], answer["generation"]) == ("", [], [1, 2])
    header = opened(served, answer["header"])
    assert (header.cluster, header.generation, header.records) == ("shop1", (1, 2), 2)
    digests = {app: export_file.record_digest(sealed) for app, sealed in answer["records"]}
    assert header.set_digest == export_file.set_digest(digests)
    for app, sealed in answer["records"]:
        record = Desired.unpack(signatures.unseal(sealed, edge.hub_keys, "shop1", from_token(app)))
        assert record == edge.held[from_token(app)]  # type: ignore[index]


async def test_a_header_is_of_its_cluster_alone_and_no_record(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    sealed = (await served.ask("cluster.export", name="shop1"))["header"]
    with pytest.raises(signatures.ForgedRecord):
        opened(served, sealed, "shop2")
    with pytest.raises(signatures.ForgedRecord):
        signatures.unseal(sealed, edge.hub_keys, "shop1", "till")
    with pytest.raises(codec.MalformedMessage):
        Desired.unpack(signatures.unseal(sealed, edge.hub_keys, "shop1", EXPORT))


async def test_a_large_export_comes_in_parts_of_one_set(
    served: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = await served.edge("shop1")
    for name in ("c", "a", "b"):
        await served.deliver(edge, name, bundle(name))
    monkeypatch.setattr(exports, "ANSWER_MAX_BYTES", 1)
    answer = await served.ask("cluster.export", name="shop1")
    header, came = opened(served, answer["header"]), list(answer["records"])
    while answer["next"]:
        answer = await served.ask(
            "cluster.export", name="shop1", after=answer["next"], generation=answer["generation"]
        )
        assert "header" not in answer
        assert len(answer["records"]) == 1
        came += answer["records"]
    assert [app for app, _ in came] == ["a", "b", "c"]
    digests = {app: export_file.record_digest(sealed) for app, sealed in came}
    assert header.set_digest == export_file.set_digest(digests)


async def test_parts_of_two_sets_are_never_handed_out_as_one(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge, "a", bundle("a"))
    answer = await served.ask("cluster.export", name="shop1")
    await served.deliver(edge, "b", bundle("b"))
    with pytest.raises(RequestRefused, match="changed while it was exported"):
        await served.ask("cluster.export", name="shop1", after="", generation=answer["generation"])


async def test_what_is_to_end_is_in_an_export_and_what_is_not_rendered_yet_is_named(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    await served.ask("app.apply", manifest=application("menu"))
    await served.ask("app.delete", name="till")
    app, _ = await edge.next()
    assert app == "till"
    answer = await settled(served)
    ((app, sealed),) = answer["records"]
    assert app == "till"
    assert Desired.unpack(sealed[signatures.SIGNATURE_BYTES :]).is_tombstone
    assert answer["lacking"] == ["menu"]


async def test_a_bundle_is_handed_out_as_it_is_stored_part_by_part(served: Fleet) -> None:
    manifests = [{"kind": "ConfigMap", "n": n, "noise": delta.digest(b"%d" % n).hex()} for n in range(40_000)]
    data = codec.canonical(manifests)
    frame, digest = delta.compress_fast(data), delta.digest(data)
    assert len(frame) > 1 << 20
    await Objects(served.renderer, BUNDLES).put(digest.hex(), frame)
    await Objects(served.renderer, BUNDLES).put(delta.digest(b"small").hex(), b"small")
    came, seq, answers = b"", 0, 0
    while True:
        answer = await served.ask("bundle.get", digest=digest, seq=seq)
        came, seq, answers = came + answer["data"], answer["next"], answers + 1
        if not seq:
            break
    assert came == frame
    assert answers > 2
    assert await served.ask("bundle.get", digest=delta.digest(b"small")) == {"data": b"small", "next": 0}


@pytest.mark.parametrize(
    ("verb", "arguments", "says"),
    [
        ("cluster.export", {"name": "nobody"}, "there is no cluster 'nobody'"),
        ("cluster.export", {"name": "shop1"}, "has nothing to run yet"),
        ("cluster.export", {"name": "shop1", "generation": "x"}, "generation: must be of type list"),
        ("bundle.get", {"digest": b"x"}, "digest: must be 32 bytes"),
        ("bundle.get", {"digest": b"x" * 32, "seq": -1}, "must not be negative"),
        ("bundle.get", {"digest": b"x" * 32}, "the hub has no bundle 787878787878"),
    ],
)
async def test_what_cant_be_handed_out_is_refused_in_a_sentence(
    served: Fleet, verb: str, arguments: dict[str, Any], says: str
) -> None:
    await served.edge("shop1")
    with pytest.raises(RequestRefused, match=says):
        await served.ask(verb, **arguments)


async def test_a_cluster_that_is_removed_is_not_exported(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    await served.ask("cluster.remove", name=ClusterName("shop1"), force=True)
    with pytest.raises(RequestRefused, match="there is no cluster"):
        await served.ask("cluster.export", name="shop1")
