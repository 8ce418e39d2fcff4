"""Documents as they are held, in memory and in the bucket: compressed, and patched without being unpacked first.

A document is held as an ordinary zstd frame. A patch is a frame of `outrider.delta`, which leaves out the magic number and has the
base as a raw dictionary: with the number put back, the two frames are a chain that zstd decodes in one call. That costs an
eighth of decoding the base, then making a decompressor with it as its dictionary.
"""

import threading

import zstandard

from outrider.codec import MalformedMessage
from outrider.delta import TooLarge, WrongBase
from outrider.records import StatusRecord

_MAGIC = zstandard.MAGIC_NUMBER.to_bytes(4, "little")
_LEVEL = -1
# Level 1 takes 12 % less memory and twice the time.


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


def received(frame: bytes, base: bytes | None, *, max_bytes: int) -> bytes:
    """Return the document in a frame of `outrider.delta`; `base` is the held document that it is a patch against.

    TooLarge if it announces more than `max_bytes`, WrongBase if it does not decode. The digest is the caller's to check.
    """
    whole = _MAGIC + frame
    try:
        size = zstandard.get_frame_parameters(whole).content_size
    except zstandard.ZstdError as error:
        raise WrongBase("not a frame") from error
    if size > max_bytes:
        raise TooLarge(f"{size} bytes announced, {max_bytes} are allowed")
    try:
        if base is None:
            return _contexts.decompressor.decompress(whole, max_output_size=max_bytes)
        return _contexts.decompressor.decompress_content_dict_chain([base, whole])
    except (zstandard.ZstdError, ValueError) as error:
        raise WrongBase("the frame does not decode against this base") from error
