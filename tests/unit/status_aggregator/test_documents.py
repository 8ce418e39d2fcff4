import contextlib
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.status_aggregator.edge_model import operation, status

from outrider import codec, delta
from outrider.codec import MalformedMessage
from status_aggregator import frames
from status_aggregator.document import listed, reported, whole
from status_aggregator.edge import Known, Marks
from status_aggregator.words import Gone, Refused, Said, Standing, Word, troubled

GOOD = status("Degraded", message="crash loop", operation=operation("Failed"))


def received(frame: bytes, base: bytes | None, *, max_bytes: int) -> bytes:
    frames.unpacked_bytes(frame, max_bytes=max_bytes)
    return frames.received([frame], base)


@given(st.binary(min_size=1, max_size=3000), st.binary(min_size=1, max_size=3000))
def test_a_patch_on_a_held_document_gives_what_the_shared_codec_gives(new: bytes, old: bytes) -> None:
    sent = delta.Delta.between(new, old)
    base = frames.hold(old) if sent.base is not None else None
    assert received(sent.frame, base, max_bytes=4096) == sent.apply(old, max_bytes=4096) == new
    assert frames.unpack(frames.hold(new)) == new


@given(st.binary(max_size=3000), st.binary(min_size=1, max_size=3000))
def test_a_document_that_is_only_wrapped_is_a_base_as_one_that_is_compressed(old: bytes, new: bytes) -> None:
    wrapped = frames.wrap(old)
    assert frames.unpack(wrapped) == old
    assert frames.unpack(frames.packed(wrapped, len(old))) == old
    if old:
        patch = delta.compress(new, old)
        assert received(patch, wrapped, max_bytes=4096) == new


@given(st.lists(st.binary(min_size=1, max_size=2000), min_size=2, max_size=6), st.booleans())
def test_frames_that_follow_one_another_are_unpacked_together(documents: list[bytes], is_whole: bool) -> None:
    first, *others = documents
    patches = [delta.compress(new, old) for old, new in zip(documents, others, strict=False)]
    if is_whole:
        assert frames.received([delta.compress(first), *patches], None) == documents[-1]
    else:
        assert frames.received(patches, frames.wrap(first)) == documents[-1]


def test_a_document_that_was_written_is_held_compressed() -> None:
    document = codec.canonical(GOOD)
    wrapped = frames.wrap(document)
    assert frames.packed(wrapped, len(document)) == frames.hold(document)
    assert len(frames.hold(document)) < len(document) < len(wrapped)
    assert frames.packed(frames.hold(document), len(document)) == frames.hold(document)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_frame_are_refused_by_the_two_errors_that_are_handled(frame: bytes) -> None:
    for base in (None, frames.hold(b"base")):
        # A few happen to be one.
        with contextlib.suppress(delta.WrongBase, delta.TooLarge):
            assert len(received(frame, base, max_bytes=100)) <= 100


def test_a_frame_without_its_size_is_refused_before_it_is_unpacked() -> None:
    import zstandard

    parameters = zstandard.ZstdCompressionParameters(
        format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False
    )
    sent = zstandard.ZstdCompressor(compression_params=parameters).compress(b"x" * 50)
    with pytest.raises((delta.TooLarge, delta.WrongBase)):
        received(sent, None, max_bytes=100)


def test_what_decides_is_read_without_reading_the_rest() -> None:
    marks = Marks.of(listed(codec.canonical({**GOOD, "resources": [1]})))
    assert marks == Marks("Synced", "Degraded", "Failed", "2026-01-01T10:00:00Z")
    assert Marks.of(listed(codec.canonical(status()))).phase == ""


@given(
    st.binary(max_size=64)
    | st.recursive(st.none() | st.text(), lambda v: st.dictionaries(st.text(), v)).map(codec.canonical)
)
def test_whatever_is_no_status_document_is_refused_by_one_error(data: bytes) -> None:
    for read in (listed, whole):
        with pytest.raises(MalformedMessage):
            read(data)


@pytest.mark.parametrize(
    "part",
    [
        {"sync": {"status": "Synced", "revision": 7}},
        {"sync": "Synced"},
        {"health": {"status": "Healthy", "message": 1}},
        {"conditions": {}},
        {"conditions": ["text"]},
        {"conditions": [{"type": 1}]},
        {"operationState": {"phase": "Resting"}},
        {"operationState": {"phase": "Failed", "message": []}},
    ],
)
def test_every_field_that_the_hub_works_with_is_checked(part: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage, match="status document"):
        listed(codec.canonical({**GOOD, **part}))


@pytest.mark.parametrize(
    "part",
    [
        {"resources": None},
        {"resources": [{"kind": 3}]},
        {"resources": [{"kind": "Pod", "health": {"status": "Fine"}}]},
        {"operationState": {"phase": "Failed", "syncResult": []}},
        {"operationState": {"phase": "Failed", "syncResult": {"resources": [1]}}},
        {"summary": []},
        {"summary": {"images": [1]}},
    ],
)
def test_details_that_cannot_be_read_hide_themselves_and_not_the_state(part: dict[str, Any]) -> None:
    hides_its_details(codec.canonical({**GOOD, **part}))


def test_what_is_not_known_and_cannot_be_read_hides_itself_and_not_the_state() -> None:
    packed = codec.canonical(GOOD)
    # One more field, whose text is no text.
    hides_its_details(bytes([packed[0] + 1]) + packed[1:] + b"\xa3odd\xa1\xff")


def hides_its_details(document: bytes) -> None:
    shown = whole(document)
    assert (shown["sync"], shown["health"]) == (GOOD["sync"], {"status": "Degraded"})
    assert [one["type"] for one in shown["conditions"]] == ["StatusError"]


def test_fields_that_are_not_known_are_kept() -> None:
    assert whole(codec.canonical({**GOOD, "history": [1]}))["history"] == [1]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (status("Degraded", message="crash loop"), "crash loop"),
        ({**GOOD, "conditions": [{"type": "SyncError", "message": "no rights"}]}, "no rights"),
        (status("Degraded", message="crash loop", operation=operation("Failed")), "it failed"),
        (status("Progressing", message="1 of 2", operation=operation("Running")), "1 of 2"),
        (status(), ""),
    ],
)
def test_a_list_shows_what_a_person_needs_to_know_first(document: dict[str, Any], message: str) -> None:
    assert reported(listed(codec.canonical(document))).message == message


def word(document: Any, at_ms: int) -> Word:
    packed = codec.canonical(document)
    return Word(Known(b"", b"", frames.hold(packed), len(packed)), at_ms, at_ms)


OLD, NEW = word(status(), 1), word(GOOD, 2)
TOO_LARGE, SHAPELESS = Refused("document too large", 3), Refused("not a status document", 9)


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        ([OLD, NEW], (NEW, None)),
        ([OLD, SHAPELESS], (OLD, SHAPELESS)),
        ([OLD, SHAPELESS, NEW], (NEW, None)),
        ([SHAPELESS], (None, SHAPELESS)),
        ([OLD, TOO_LARGE, SHAPELESS], (OLD, SHAPELESS)),
        ([OLD, SHAPELESS, TOO_LARGE], (OLD, TOO_LARGE)),
        ([OLD, Gone()], (Gone(), None)),
        ([OLD, Gone(), SHAPELESS], (Gone(), SHAPELESS)),
        ([Gone(), NEW], (NEW, None)),
    ],
)
def test_of_all_that_was_said_the_newest_good_word_stands(said: list[Said], stands: tuple[Any, Any]) -> None:
    assert reduce(Standing.then, said, Standing()) == Standing(*stands)


def test_a_document_that_says_a_newer_one_cannot_be_taken_says_it_once_and_keeps_the_rest() -> None:
    once = troubled("till", codec.canonical(GOOD), "document too large")
    twice = troubled("till", once, "document too large")
    assert once == twice
    value = whole(once)
    assert (value["health"], value["resources"]) == (GOOD["health"], GOOD["resources"])
    assert not reported(listed(once)).is_newest
    assert reported(listed(troubled("till", b"", "document too large"))).health == "Unknown"
