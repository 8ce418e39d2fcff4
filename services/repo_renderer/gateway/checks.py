"""What a renderer may write, checked: it may have been stolen. Pure.

A pool's renderer decides what its own applications run, and can't be kept from that. It is kept from all else: what it writes has
the form that it should have, is no larger than it has to be, and says nothing about anybody else's.
"""

import re
from dataclasses import replace
from typing import Any

import msgpack

from outrider import delta
from outrider.bus.services import RequestRefused
from outrider.records import ArchiveRecord, RenderingRecord

RECORD_MAX_BYTES = 64 << 10
ERROR_MAX_CHARS = 4096
REVISION_MAX_CHARS = 32 * 256
# 32 sources, each at a tag as long as tags get.
WARNINGS_MAX = 16
WARNING_MAX_CHARS = 1024
OBJECTS_MAX = 100_000
FIELDS_MAX = 256
# Of one manifest, on its top level.
REVISIONS_MAX = 10_000
URL_MAX_CHARS = 2048
_WARNING_TYPE = re.compile(r"[A-Z][A-Za-z]{0,63}")
_IDENTITY = re.compile(r"[0-9a-f]{64}")
_FINGERPRINT = re.compile(r"[0-9a-f]{0,64}")


def rendering(value: bytes) -> RenderingRecord:
    """Return a rendering record without its patch, which is made here; RequestRefused if it can't be one."""
    if len(value) > RECORD_MAX_BYTES:
        raise RequestRefused(f"the record has {len(value)} bytes, {RECORD_MAX_BYTES} are allowed")
    record = RenderingRecord.unpack(value)
    _digest(record.digest, may_be_empty=True)
    _objects(record.objects)
    if not _FINGERPRINT.fullmatch(record.fingerprint):
        raise RequestRefused("fingerprint: is no digest")
    return replace(
        record,
        base=None,
        patch=None,
        revision=_text(record.revision, REVISION_MAX_CHARS),
        error_revision=_text(record.error_revision, REVISION_MAX_CHARS),
        error=_text(record.error, ERROR_MAX_CHARS),
        warnings=_warnings(record.warnings),
    )


def archived(value: bytes) -> ArchiveRecord:
    """Return an archive record; RequestRefused if it can't be one."""
    if len(value) > RECORD_MAX_BYTES:
        raise RequestRefused(f"the record has {len(value)} bytes, {RECORD_MAX_BYTES} are allowed")
    record = ArchiveRecord.unpack(value)
    _digest(record.digest)
    _objects(record.objects)
    return replace(record, warnings=_warnings(record.warnings))


def identity(key: str) -> str:
    """Return the identity of a rendering, as its key in the archive."""
    if not _IDENTITY.fullmatch(key):
        raise RequestRefused("key: is no digest of 64 hexadecimal digits")
    return key


def bundle(frame: bytes, digest: bytes, max_bytes: int) -> None:
    """Raise RequestRefused if a frame is not the bundle of that digest: a list of manifests, in a form that costs an edge nothing."""
    try:
        data = delta.decompress(frame, max_bytes=max_bytes)
    except (delta.WrongBase, delta.TooLarge) as error:
        raise RequestRefused(f"bundle {digest.hex()}: {error}") from error
    if delta.digest(data) != digest:
        raise RequestRefused(f"bundle {digest.hex()}: what was sent has another digest")
    if delta.window_bytes(frame) > max(2 * len(data), 1 << 17):
        raise RequestRefused(f"bundle {digest.hex()}: unpacking it would take more memory than it holds")
    if not _is_list_of_maps(data):
        raise RequestRefused(f"bundle {digest.hex()}: holds no list of manifests")


def _is_list_of_maps(data: bytes) -> bool:
    """Look through msgpack without building what it says: a few bytes may stand for millions of objects."""
    reader = msgpack.Unpacker(max_buffer_size=len(data) or 1)
    reader.feed(data)
    try:
        count = reader.read_array_header()
        for _ in range(min(count, OBJECTS_MAX)):
            for _ in range(2 * min(reader.read_map_header(), FIELDS_MAX)):
                reader.skip()
    except (ValueError, msgpack.exceptions.UnpackException, msgpack.exceptions.StackError):
        return False
    return bool(reader.tell() == len(data))


def refreshed(body: Any) -> dict[str, Any]:
    """Return the answer to a refresh: {revisions: {url: {revision: what it stands for}}}."""
    revisions = body.get("revisions") if isinstance(body, dict) else None
    if not isinstance(revisions, dict):
        raise RequestRefused("the pool's renderer gave no answer that can be read")
    found: dict[str, dict[str, str]] = {}
    count = 0
    for url, heads in revisions.items():
        count += len(heads) if isinstance(heads, dict) else REVISIONS_MAX + 1
        if count > REVISIONS_MAX:
            raise RequestRefused("the pool's renderer gave no answer that can be read")
        found[_text(url, URL_MAX_CHARS)] = {
            _text(name, REVISION_MAX_CHARS): _text(head, ERROR_MAX_CHARS) for name, head in heads.items()
        }
    return {"revisions": found}


def rendered(body: Any) -> dict[str, Any]:
    """Return the answer to a rendering on request: {digest, revision}."""
    match body:
        case {"digest": bytes(digest), "revision": str(revision)}:
            return {"digest": _digest(digest), "revision": _text(revision, REVISION_MAX_CHARS)}
    raise RequestRefused("the pool's renderer gave no answer that can be read")


def error(text: str) -> str:
    """Return a sentence of a renderer, as long as sentences are."""
    return _text(text, ERROR_MAX_CHARS)


def _text(value: object, max_chars: int) -> str:
    return value[:max_chars] if isinstance(value, str) else ""


def _digest(digest: bytes, *, may_be_empty: bool = False) -> bytes:
    if len(digest) != delta.DIGEST_BYTES and not (may_be_empty and not digest):
        raise RequestRefused(f"digest: has {len(digest)} bytes instead of {delta.DIGEST_BYTES}")
    return digest


def _objects(count: int) -> None:
    if not 0 <= count <= OBJECTS_MAX:
        raise RequestRefused(f"objects: {count} is no number of objects")


def _warnings(warnings: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for one in warnings[:WARNINGS_MAX]:
        match one:
            case [str(kind), str(message)] if _WARNING_TYPE.fullmatch(kind):
                kept.append([kind, message[:WARNING_MAX_CHARS]])
            case _:
                raise RequestRefused("warnings: each is a type and a message")
    return kept
