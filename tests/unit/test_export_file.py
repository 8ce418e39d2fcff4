"""The file of an export: read back as it was written, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider import export_file
from outrider.export_file import BundlePart, End, Frame, Header, InvalidExport, Reader, Record, Writer

DIGEST = b"d" * 32


def made() -> bytes:
    writer = Writer()
    return b"".join(
        [
            writer.start(b"sealed header"),
            writer.record("till", b"first" * 20),
            writer.record("menu", b"second" * 20),
            writer.part(DIGEST, b"half of " * 30, last=False),
            writer.part(DIGEST, b"a bundle" * 30, last=True),
            writer.end(),
        ]
    )


FILE = made()


def read(data: bytes, piece: int = 1 << 20) -> list[Frame]:
    reader, found = Reader(), []
    for start in range(0, len(data), piece):
        found += list(reader.feed(data[start : start + piece]))
    reader.finish()
    return found


@given(st.integers(1, 700))
def test_a_file_is_read_back_in_pieces_of_any_size(piece: int) -> None:
    frames = read(FILE, piece)
    assert frames[:-1] == [
        Header(b"sealed header"),
        Record("till", b"first" * 20),
        Record("menu", b"second" * 20),
        BundlePart(DIGEST, b"half of " * 30, False),
        BundlePart(DIGEST, b"a bundle" * 30, True),
    ]
    assert isinstance(frames[-1], End)


@given(st.integers(0, len(FILE) - 1))
def test_a_file_that_is_cut_short_anywhere_is_found_out(size: int) -> None:
    with pytest.raises(InvalidExport, match=r"ends too early|is no export"):
        read(FILE[:size])


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255), st.integers(1, 700))
def test_a_file_with_any_byte_changed_is_found_out(at: int, by: int, piece: int) -> None:
    changed = bytearray(FILE)
    changed[at] ^= by
    with pytest.raises(InvalidExport):
        read(bytes(changed), piece)


@given(st.binary(max_size=2000))
def test_what_is_no_export_is_not_read_as_one(data: bytes) -> None:
    with pytest.raises(InvalidExport):
        read(data)


def test_nothing_may_follow_the_end() -> None:
    with pytest.raises(InvalidExport, match="something follows its end"):
        read(FILE + b"x")
    with pytest.raises(InvalidExport, match="something follows its end"):
        read(FILE + FILE)


def test_another_version_is_named() -> None:
    other = bytearray(FILE)
    other[len(export_file.MAGIC)] = 2
    with pytest.raises(InvalidExport, match="of version 2, this agent reads version 1"):
        read(bytes(other))


def test_a_part_that_says_it_is_larger_than_any_is_not_waited_for() -> None:
    start = Writer().start(b"sealed header")
    with pytest.raises(InvalidExport, match="larger than any is"):
        list(Reader().feed(start + b"\xff\xff\xff\xff"))


def test_no_more_is_held_than_one_frame() -> None:
    writer, reader = Writer(), Reader()
    list(reader.feed(writer.start(b"sealed header")))
    for _ in range(64):
        list(reader.feed(writer.part(DIGEST, b"x" * (256 << 10), last=False)))
        assert len(reader._rest) == 0
    assert reader.size_bytes > 16 << 20


@given(
    st.dictionaries(st.text(max_size=9), st.binary(max_size=9)), st.text(max_size=9), st.binary(max_size=9)
)
def test_the_digest_of_a_set_tells_any_other_set(records: dict[str, bytes], name: str, sealed: bytes) -> None:
    def digest(of: dict[str, bytes]) -> bytes:
        return export_file.set_digest({app: export_file.record_digest(one) for app, one in of.items()})

    other = {**records, name: sealed}
    assert (digest(records) == digest(other)) == (records == other)
    assert digest(records) == digest(dict(reversed(records.items())))


def test_a_frame_is_cut_into_parts_of_which_the_last_is_marked() -> None:
    assert list(export_file.parts(b"", 4)) == [(b"", True)]
    assert list(export_file.parts(b"12345678", 4)) == [(b"1234", False), (b"5678", True)]
    assert list(export_file.parts(b"123456789", 4))[-1] == (b"9", True)
