"""Answer edges: a part of a bundle, as a patch against one that the edge holds, or whole.

The edge asks part by part, so nothing is queued here for a slow link. The form is chosen on the first part and named in the
following requests: whichever renderer answers those, the parts fit together.
"""

import asyncio

import structlog

from outrider import delta, subjects
from outrider.bus import BusError, Connection, Message, NotFound
from outrider.codec import MalformedMessage
from outrider.messages import BundlePart, BundleRequest
from repo_renderer.bundles import Bundles

log = structlog.get_logger()

PART_MAX_BYTES = 256 << 10
# One frame on the link delays what is more urgent by no more than this takes.
HELD_MAX = 64
CONCURRENT_MAX = 32
# Requests that are worked on at a time: each may hold a bundle in memory.
QUEUE = "repo-renderer"


async def serve(connection: Connection, bundles: Bundles) -> None:
    """Serve `fleet.*.bundle` until cancelled, many edges at a time."""
    slots = asyncio.Semaphore(CONCURRENT_MAX)
    async with asyncio.TaskGroup() as tasks:

        async def spawn(message: Message) -> None:
            await slots.acquire()
            task = tasks.create_task(_answer(connection, bundles, message), name="serve a bundle")
            task.add_done_callback(lambda _: slots.release())

        await connection.subscribe(subjects.ALL_BUNDLE, spawn, queue=QUEUE)
        await asyncio.get_running_loop().create_future()


async def _answer(connection: Connection, bundles: Bundles, message: Message) -> None:
    cluster = subjects.cluster_of(message.subject)
    try:
        part = await _part(bundles, BundleRequest.unpack(message.data))
        await connection.publish(message.reply, part.pack())
    except MalformedMessage as error:
        log.warning("bundle request ignored", cluster=cluster, reason=str(error))
    except BusError as error:
        log.warning("bundle not served", cluster=cluster, reason=str(error))


async def _part(bundles: Bundles, request: BundleRequest) -> BundlePart:
    try:
        base, frame = await _form(bundles, request)
    except NotFound:
        return BundlePart()
    end = request.offset + max(1, min(request.limit, PART_MAX_BYTES))
    return BundlePart(len(frame), frame[request.offset : end], base)


async def _form(bundles: Bundles, request: BundleRequest) -> tuple[bytes | None, bytes]:
    """Return base and frame of the transfer; on the first part, the patch against the newest base held, if there is one."""
    candidates = [request.base] if request.base is not None else []
    if request.offset == 0:
        candidates = request.held[:HELD_MAX]
    for short in candidates:
        if not isinstance(short, bytes):
            raise MalformedMessage("BundleRequest.held: not digests")
        whole = bundles.by_short(short)
        patch = await bundles.patch(request.digest, whole) if whole is not None else None
        if patch is not None:
            return delta.short(short), patch
        if request.offset:
            raise NotFound("the base of this transfer is gone")
    return None, await bundles.frame(request.digest)
