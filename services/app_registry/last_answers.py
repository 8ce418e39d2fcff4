"""What agents answered last when somebody looked: kept for the time when nobody answers.

Bucket `looks`, one value for the tree of an application, one for its differences, and one for each object that was looked at by itself.
Bounded thrice: an answer (larger ones are not kept), the single objects of an application (the oldest go), and the bucket as a whole
(the oldest go). Secrets are masked by the edge before they are answered. Nobody depends on what is here: an answer that could not be
stored is one that is not there.
"""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import structlog

from outrider import codec, delta
from outrider.bus import BusError
from outrider.bus.buckets import KeyValue
from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.codec import MalformedMessage
from outrider.names import AppName, ClusterName, token
from outrider.records import LookRecord
from outrider.topology import LOOKS

log = structlog.get_logger()

ANSWER_MAX_BYTES = 512 << 10
# Compressed.
ONE_MAX_BYTES = 64 << 10
# Compressed, of a single object.
SINGLES_MAX = 256
# Of one application.
UNPACKED_MAX_BYTES = 16 << 20
_ONE = "one"


class Kept(NamedTuple):
    """An answer, and when it was given."""

    answer: dict[str, Any]
    at_ms: int


class LastAnswers:
    """The bucket."""

    def __init__(self, js: JetStream, clock: Callable[[], datetime]) -> None:
        self._js, self._clock = js, clock
        self._bucket = KeyValue(js, LOOKS)

    async def keep(
        self, cluster: ClusterName, app: AppName, uid: bytes, verb: str, resource: Any, answer: dict[str, Any]
    ) -> None:
        """Keep an answer in place of the one before; `resource`: the object that was asked about, None for all."""
        frame = await asyncio.to_thread(_packed, answer)
        if len(frame) > (ONE_MAX_BYTES if resource else ANSWER_MAX_BYTES):
            log.info(
                "answer not kept: it is too large", cluster=cluster, app=app, verb=verb, bytes=len(frame)
            )
            return
        at_ms = int(self._clock().timestamp() * 1000)
        try:
            await self._bucket.put(_key(cluster, app, verb, resource), LookRecord(uid, at_ms, frame).pack())
            if resource:
                await self._purge(f"{cluster}.{token(app)}.{_ONE}.>", keep=SINGLES_MAX)
        except BusError as error:
            log.warning("answer not kept", cluster=cluster, app=app, verb=verb, reason=str(error))

    async def last(
        self, cluster: ClusterName, app: AppName, uid: bytes, verb: str, resource: Any = None
    ) -> Kept | None:
        """Return the last answer to a question; None if there is none, or it is another application's of that name."""
        entry = await current(self._js, LOOKS, _key(cluster, app, verb, resource))
        if entry.value is None:
            return None
        try:
            record = LookRecord.unpack(entry.value)
            answer = await asyncio.to_thread(_unpacked, record.frame)
        except (MalformedMessage, delta.WrongBase, delta.TooLarge) as error:
            log.warning("kept answer can't be read", cluster=cluster, app=app, verb=verb, reason=str(error))
            return None
        return Kept(answer, record.at_ms) if record.uid == uid and isinstance(answer, dict) else None

    async def forget_app(self, app: AppName) -> None:
        """Drop what was seen of an application, wherever it ran. Idempotent."""
        await self._purge(f"*.{token(app)}.>")

    async def forget_cluster(self, cluster: ClusterName) -> None:
        """Drop what was seen on a cluster. Idempotent."""
        await self._purge(f"{cluster}.>")

    async def _purge(self, keys: str, **more: int) -> None:
        body = {"filter": f"$KV.{LOOKS.name}.{keys}", **more}
        await self._js.api(f"STREAM.PURGE.{LOOKS.stream}", body)


def _key(cluster: ClusterName, app: AppName, verb: str, resource: Any) -> str:
    whole = f"{cluster}.{token(app)}"
    if not resource:
        return f"{whole}.{verb}"
    return f"{whole}.{_ONE}.{verb}-{hashlib.sha256(codec.canonical(resource)).hexdigest()[:16]}"


def _packed(answer: dict[str, Any]) -> bytes:
    return delta.compress_fast(codec.pack(answer))


def _unpacked(frame: bytes) -> Any:
    return codec.unpack(delta.decompress(frame, max_bytes=UNPACKED_MAX_BYTES), UNPACKED_MAX_BYTES)
