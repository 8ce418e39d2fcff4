"""Documents as they are held, in memory and in the bucket: compressed, and patched without being unpacked first.

A document is held as an ordinary zstd frame. One that has just come is wrapped in a frame as it is: in a storm most are replaced
before they are written, and compressing costs more than any other step of folding. A patch is a frame of `outrider.delta`, which
leaves out the magic number and has the base as a raw dictionary: with the number put back, the two frames are a chain that zstd
decodes in one call. That costs an eighth of decoding the base, then making a decompressor with it as its dictionary.
"""

import threading

import zstandard

from outrider.codec import MalformedMessage
from outrider.delta import TooLarge, WrongBase
from outrider.records import StatusRecord

_MAGIC = zstandard.MAGIC_NUMBER.to_bytes(4, "little")
_LEVEL = -1
# Level 1 takes 12 % less memory and twice the time.
WRAPPED_MAX_BYTES = 16 << 10
_SMALL_BYTES = 256
_ONE_BYTE, _TWO_BYTES, _HEADER_MAX_BYTES = 0x20, 0x60, 14
# RFC 8878, Frame_Header_Descriptor: a single segment, and how many bytes its size has. Two hold what is below 64 KiB.


class _Contexts(threading.local):
    """zstd's working memory, made once a thread: making it costs more than a small document."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


def hold(document: bytes) -> bytes:
    """Return a document's frame."""
    # Copied, since what zstandard returns keeps the room for what did not compress.
    return bytes(memoryview(_contexts.compressor.compress(document)))


def wrap(document: bytes) -> bytes:
    """Return a document's frame, uncompressed where it is small: `packed` makes up for that."""
    size = len(document)
    if size > WRAPPED_MAX_BYTES:
        return hold(document)
    block = (size << 3 | 1).to_bytes(3, "little")
    if size < _SMALL_BYTES:
        return b"".join((_MAGIC, bytes((_ONE_BYTE, size)), block, document))
    head = bytes((_TWO_BYTES,)) + (size - _SMALL_BYTES).to_bytes(2, "little")
    return b"".join((_MAGIC, head, block, document))


def packed(frame: bytes, size_bytes: int) -> bytes:
    """Return the frame of `hold` for one of `wrap`, or of `hold`; `size_bytes`: the document's."""
    return hold(unpack(frame)) if len(frame) > size_bytes else frame


def unpack(held: bytes) -> bytes:
    """Invert `hold`."""
    return _contexts.decompressor.decompress(held)


def document_of(record: StatusRecord) -> bytes:
    """Return the document in a stored record; MalformedMessage if it does not decode."""
    if not record.frame:
        return record.document
    try:
        return unpack(record.frame)
    except zstandard.ZstdError as error:
        raise MalformedMessage("StatusRecord.frame: does not decode") from error


def received(frames: list[bytes], base: bytes | None) -> bytes:
    """Return the document in the last of some frames of `outrider.delta`, each a patch against the one before.

    `base`: the held document that the first is a patch against, None if it is whole. WrongBase if one does not decode. The sizes
    (`unpacked_bytes`) and the digest are the caller's to check.
    """
    chain: list[bytes | bytearray | memoryview] = [_MAGIC + frame for frame in frames]
    try:
        if base is not None:
            chain.insert(0, base)
        elif len(chain) == 1:
            return _contexts.decompressor.decompress(chain[0])
        return _contexts.decompressor.decompress_content_dict_chain(chain)
    except (zstandard.ZstdError, ValueError) as error:
        raise WrongBase("the frame does not decode against this base") from error


def unpacked_bytes(frame: bytes, *, max_bytes: int) -> int:
    """Return how large the content of a frame of `outrider.delta` says it is; TooLarge if that is more, WrongBase if it is none."""
    if len(frame) > _HEADER_MAX_BYTES and frame[0] == _TWO_BYTES:
        # Nearly all are like that, and each change of a fleet has one.
        size = int.from_bytes(frame[1:3], "little") + _SMALL_BYTES
    else:
        try:
            size = zstandard.get_frame_parameters(_MAGIC + frame).content_size
        except zstandard.ZstdError as error:
            raise WrongBase("not a frame") from error
    if size > max_bytes:
        raise TooLarge(f"{size} bytes announced, {max_bytes} are allowed")
    return size
