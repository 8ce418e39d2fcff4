"""Large values over thin links: named by digest, sent as a patch against what the other side holds, or whole.

A patch is zstd with the base as a raw dictionary: what the base already says costs nearly nothing. Both directions use it
(bundles down, status documents up), and both check the digest of what comes out, so a wrong base can never become state.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import zstandard

DIGEST_BYTES = 32
SHORT_DIGEST_BYTES = 8
# Enough to recognise a base among what one edge holds. What is stored is checked by its whole digest.
PATCH_IS_GOOD = 10
# Times smaller than the value: manifests and status documents compress to a fifth or more by themselves.
LEVEL = 19
LEVEL_LARGE = 6
LEVEL_OFTEN = 9
# What an edge says all day: a patch of status is three bytes longer than at level 19, and takes a tenth of the CPU or less.
LEVEL_FAST = 3
LARGE_BYTES = 2 << 20
# Above this, level 19 costs more CPU at the hub than it saves on the link.


class WrongBase(ValueError):
    """The result does not have the digest that was announced: ask for the whole value."""


class TooLarge(ValueError):
    """The value says that it is larger than the receiver accepts."""


def digest(data: bytes) -> bytes:
    """Return the SHA-256 of `data`: 32 bytes."""
    return hashlib.sha256(data).digest()


def short(full_digest: bytes) -> bytes:
    """Return the first 8 bytes of a digest, by which a base is recognised."""
    return full_digest[:SHORT_DIGEST_BYTES]


def short_digest(data: bytes) -> bytes:
    """Return the first 8 bytes of the digest of `data`."""
    return hashlib.sha256(data).digest()[:SHORT_DIGEST_BYTES]


def compress(data: bytes, base: bytes | None = None, level: int = LEVEL) -> bytes:
    """Return `data` as a zstd frame (without its magic number), against `base` if there is one. Deterministic."""
    level = level if len(data) <= LARGE_BYTES else LEVEL_LARGE
    return _compressor(len(data), len(base or b""), level, _dictionary(base)).compress(data)


def compress_fast(data: bytes) -> bytes:
    """Return `data` as a frame that `decompress` reads, made with little CPU and memory: for an edge's own disk."""
    return _compressor(len(data), 0, LEVEL_FAST).compress(data)


def decompress(frame: bytes, base: bytes | None = None, *, max_bytes: int) -> bytes:
    """Invert `compress`. TooLarge if the frame announces more than `max_bytes`; WrongBase if it can't be decoded."""
    try:
        size = zstandard.get_frame_parameters(frame, format=zstandard.FORMAT_ZSTD1_MAGICLESS).content_size
        if size > max_bytes:
            raise TooLarge(f"{size} bytes announced, {max_bytes} are allowed")
        decompressor = zstandard.ZstdDecompressor(
            dict_data=_dictionary(base), format=zstandard.FORMAT_ZSTD1_MAGICLESS, max_window_size=1 << 27
        )
        return decompressor.decompress(frame, max_output_size=max_bytes)
    except zstandard.ZstdError as error:
        raise WrongBase("the frame does not decode against this base") from error


def window_bytes(frame: bytes) -> int:
    """Return how much memory it takes to decompress a frame, beside what comes out of it; WrongBase if it is none."""
    try:
        parameters = zstandard.get_frame_parameters(frame, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
    except zstandard.ZstdError as error:
        raise WrongBase("this is no frame") from error
    return int(parameters.window_size)


def _compressor(
    size: int, base_size: int, level: int, dictionary: zstandard.ZstdCompressionDict | None = None
) -> zstandard.ZstdCompressor:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level,
        source_size=size,
        dict_size=base_size,
        # The window must reach over the whole base, or patches miss what lies far back.
        window_log=max(10, min(27, (size + base_size).bit_length())),
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=True,
        write_checksum=False,
        write_dict_id=False,
    )
    return zstandard.ZstdCompressor(dict_data=dictionary, compression_params=parameters)


def _dictionary(base: bytes | None) -> zstandard.ZstdCompressionDict | None:
    return zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if base else None


@dataclass(frozen=True)
class Delta:
    """A value on its way: `frame` is whole when `base` is None, else a patch against the value with that short digest."""

    digest: bytes
    base: bytes | None
    frame: bytes

    @classmethod
    def between(cls, new: bytes, old: bytes | None, level: int = LEVEL) -> "Delta":
        """Return the smaller of patch and whole."""
        if old is None:
            return cls(digest(new), None, compress(new, level=level))
        patch = compress(new, old, level)
        if len(patch) * PATCH_IS_GOOD < len(new):
            # No whole can be smaller: the second compression is saved.
            return cls(digest(new), short(digest(old)), patch)
        whole = compress(new, level=level)
        if len(patch) < len(whole):
            return cls(digest(new), short(digest(old)), patch)
        return cls(digest(new), None, whole)

    def apply(self, base: bytes | None, *, max_bytes: int) -> bytes:
        """Return the value, checked against the digest. WrongBase or TooLarge when it can't be had from this base."""
        value = decompress(self.frame, base if self.base is not None else None, max_bytes=max_bytes)
        if digest(value)[: len(self.digest)] != self.digest:
            raise WrongBase("the digest differs from the announced one")
        return value


def set_digest(items: Mapping[str, bytes]) -> bytes:
    """Return 8 bytes over (name, digest) pairs: two sides that hold the same set compute the same."""
    hashed = hashlib.sha256()
    for name in sorted(items):
        hashed.update(name.encode() + b"\0" + items[name] + b"\0")
    return short(hashed.digest())
