import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider import codec, delta
from outrider.codec import MalformedMessage
from outrider.identity import signatures
from outrider.messages import CommandReply, Desired, StatusBatch, StatusEntry
from outrider.names import AppName, InvalidName, app_name, cluster_name, from_token, token

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), values, max_size=6))
def test_equal_values_have_equal_bytes_whatever_their_order(value: dict[str, object]) -> None:
    shuffled = dict(reversed(value.items()))
    assert codec.canonical(shuffled) == codec.canonical(value)
    assert codec.unpack(codec.canonical(value)) == value


@given(st.binary(max_size=4096), st.binary(max_size=4096))
def test_a_delta_gives_back_exactly_the_new_value(new: bytes, old: bytes) -> None:
    sent = delta.Delta.between(new, old)
    assert sent.apply(old, max_bytes=8192) == new
    assert delta.Delta.between(new, old) == sent


@given(st.binary(min_size=64, max_size=2048), st.binary(min_size=1, max_size=32))
def test_a_patch_against_another_base_is_never_taken_for_the_value(new: bytes, salt: bytes) -> None:
    sent = delta.Delta(delta.digest(new), b"x" * 8, delta.compress(new, new + salt))
    with contextlib.suppress(delta.WrongBase):
        assert sent.apply(salt, max_bytes=8192) == new


def test_one_changed_image_in_a_large_bundle_is_a_patch_of_some_tens_of_bytes() -> None:
    manifests = [
        {"kind": "Deployment", "n": n, "image": "shop:1.0", "env": [str(n * 7919 + j) for j in range(80)]}
        for n in range(60)
    ]
    old = codec.canonical(manifests)
    manifests[30]["image"] = "shop:1.1"
    assert len(delta.Delta.between(codec.canonical(manifests), old).frame) < 64


def test_a_frame_that_announces_more_than_is_accepted_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(delta.TooLarge):
        delta.decompress(delta.compress(bytes(1 << 20)), max_bytes=1000)


def test_a_newer_version_of_a_message_is_refused_and_added_fields_are_ignored() -> None:
    with pytest.raises(codec.UnknownVersion, match="version 9"):
        Desired.unpack(codec.canonical([9, b"", 1, 1, {}]))
    assert (
        Desired.unpack(codec.canonical([1, b"u", 1, 2, {}, "r", b"d", None, None, False, "later"])).counter
        == 2
    )


@given(values)
def test_an_answer_may_hold_any_value(body: object) -> None:
    assert CommandReply.unpack(CommandReply(body).pack()) == CommandReply(body)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x91" * 5000,
        codec.canonical({}),
        codec.canonical([1]),
        codec.canonical([1, "u", 1, 1, {}]),
        bytes(2 << 20),
    ],
    ids=["empty", "reserved", "deep", "map", "short", "type", "large"],
)
def test_bytes_that_are_no_message_are_refused_by_one_error(data: bytes) -> None:
    with pytest.raises(codec.MalformedMessage):
        Desired.unpack(data)


def test_an_entry_of_a_status_batch_is_checked_before_it_is_used() -> None:
    assert StatusEntry.parse(["shop", b"d", None, b"f"]).app == "shop"
    with pytest.raises(codec.MalformedMessage):
        StatusEntry.parse(["shop", b"d"])


@pytest.mark.parametrize(
    "frame",
    [b"x", delta.compress(codec.pack({"a": 1})), delta.compress(bytes(2 << 20)), delta.compress(b"\xc1")],
)
def test_a_brief_batch_that_holds_no_entries_is_refused_by_one_error(frame: bytes) -> None:
    with pytest.raises(MalformedMessage):
        StatusBatch(1, 1, 1, b"", frame=frame).with_entries()


@pytest.mark.parametrize("after_ms", [0, 1, 3_000_000_000_000, -1, -86_400_000])
def test_a_brief_batch_says_what_the_batch_says(after_ms: int) -> None:
    entries = [
        [f"app{n}", bytes([n]) * 8, None if n % 2 else bytes([n + 1]) * 8, b"x" * n] for n in range(40)
    ]
    entries.append(["gone", b"", None, None])
    batch = StatusBatch(1_796_000_000_000, 1, 1_796_000_000_000 + after_ms, b"digest", entries)
    brief = StatusBatch.unpack(batch.brief().pack())
    assert len(brief.pack()) < len(batch.pack())
    known = brief.with_entries()
    assert (known.epoch, known.seq, known.observed_at_ms) == (batch.epoch, 1, batch.observed_at_ms)
    assert batch.set_digest.startswith(known.set_digest)
    assert known.set_digest
    for sent, read in zip(batch.entries, known.entries, strict=True):
        assert [*read[:2], read[3]] == [*sent[:2], sent[3]]
        assert (read[2] is None) == (sent[2] is None)
        assert (sent[2] or b"").startswith(read[2] or b"")


def test_a_record_holds_only_for_the_cluster_and_application_it_was_signed_for() -> None:
    seed = signatures.generate_seed()
    keys = [signatures.public_key(signatures.generate_seed()), signatures.public_key(seed)]
    record = signatures.seal(seed, "shop1", "till", b"body")
    assert signatures.unseal(record, keys, "shop1", "till") == b"body"
    for cluster, app, forged in [
        ("shop2", "till", record),
        ("shop1", "other", record),
        ("shop1", "till", record[:-1] + b"z"),
        ("shop1", "till", b"short"),
    ]:
        with pytest.raises(signatures.ForgedRecord):
            signatures.unseal(forged, keys, cluster, app)
    with pytest.raises(signatures.ForgedRecord):
        signatures.unseal(record, keys[:1], "shop1", "till")


@pytest.mark.parametrize(
    "name", ["*", ">", "a.b", "a b", "_INBOX", "A", "", "-a", "a-", "x" * 64, "shöp", "a\n", "$SYS"]
)
def test_a_name_that_could_reach_beyond_its_cluster_is_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        cluster_name(name)


def test_an_application_name_survives_being_a_subject_token() -> None:
    assert from_token(token(app_name("shop.till-2"))) == AppName("shop.till-2")
    assert "." not in token("a.b")
    with pytest.raises(InvalidName):
        app_name("a_b")
