"""Take in an export that came by another way than the link: a USB stick, a file share.

The client sends the file twice. The first time everything about it is checked: the hub's signature over the whole, the cluster, every
record as one from the bus, every bundle that is needed; nothing is stored unless all of it is right. The second time what is newer
than what is held is stored, record and bundle in one transaction each, and handed to the applications as what comes down the link is.
No more than the records that are needed and one bundle is in memory. Killed in between, the agent has some of the records, and
takes the others when the file comes again.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.commands.arguments import CannotDo
from edge_agent.replica.bundles import BUNDLE_MAX_BYTES
from outrider import delta, export_file
from outrider.codec import MalformedMessage
from outrider.export_file import BundlePart, End, Frame, Header, InvalidExport, Record
from outrider.identity.signatures import SIGNATURE_BYTES, ForgedRecord, unseal
from outrider.messages import ExportHeader, Generation
from outrider.names import AppName, from_token
from outrider.subjects import EXPORT, SETTINGS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

    from edge_agent.edge import Edge
    from edge_agent.local.server import Call
    from edge_agent.replica import Held
    from outrider.messages import Desired

log = structlog.get_logger()

STORED_WITHIN_S = 120.0
# A disk that is full gets room again, or somebody is told.


@dataclass
class Checked:
    """What an export holds for this edge, as far as it was read."""

    header: ExportHeader
    held: Mapping[AppName, Held]
    """What this edge holds."""
    newest: Generation
    """The newest generation that it knows of."""
    seen: dict[str, bytes] = field(default_factory=dict)
    """Digests of all sealed records, by application token."""
    wanted: dict[str, bytes] = field(default_factory=dict)
    """Sealed records above what is held, by application token."""
    needed: dict[bytes, list[str]] = field(default_factory=dict)
    """Which of them need a bundle that is not held, by its digest."""
    whole: set[bytes] = field(default_factory=set)
    """Bundles that are needed, and there."""
    sound: set[bytes] = field(default_factory=set)
    """Bundles that are held."""
    lost: set[bytes] = field(default_factory=set)
    """Bundles of what is held that are not held themselves: the replica has lost them."""
    skipped: bool = False
    """Whether a record was left aside, since this edge has seen newer ones and may have seen that one's end."""
    results: list[dict[str, Any]] = field(default_factory=list)
    """What becomes of each application."""

    @property
    def is_needed(self) -> bool:
        """Whether there is anything in it for this edge."""
        return bool(self.wanted or self.lost)

    def check_set(self) -> None:
        """See that the records are those that the hub sealed together. InvalidExport."""
        header = self.header
        if len(self.seen) != header.records or export_file.set_digest(self.seen) != header.set_digest:
            raise InvalidExport("is damaged: its records are not those that the hub sealed together")

    def check_whole(self) -> None:
        """See that nothing that is needed is missing. InvalidExport."""
        # One that was lost goes on being asked for by the link; the file may be of before it.
        missing = [digest for digest in self.needed if digest not in self.whole]
        if missing:
            apps = ", ".join(from_token(app) for app in self.needed[missing[0]])
            raise InvalidExport(f"is damaged: the bundle of {apps} is missing")


async def import_file(edge: Edge, call: Call) -> dict[str, Any]:
    """Take in the file that the client sends. CannotDo says why nothing of it, or not all, was taken."""
    beginnings = edge.inbound.beginnings
    try:
        checked = await _check(edge, call)
        header = checked.header
        if not checked.is_needed and header.generation < checked.newest:
            raise CannotDo(_older(checked))
        if checked.is_needed:
            await _store(checked, edge, call)
    except InvalidExport as error:
        raise CannotDo(f"the file {error}; nothing of it was taken") from error
    if edge.inbound.beginnings != beginnings:
        raise CannotDo("the agent's replica was damaged meanwhile, and is mended: import the file again")
    if not checked.skipped:
        edge.inbound.complete_up_to(header.generation)
    log.info("export taken in", generation=list(header.generation), records=len(checked.wanted))
    return {
        "cluster": header.cluster,
        "generation": list(header.generation),
        "made_at_ms": header.made_at_ms,
        "changed": len(checked.wanted),
        "mended": len(checked.lost & checked.whole),
        "applications": sorted(checked.results, key=lambda one: str(one["name"])),
    }


async def _check(edge: Edge, call: Call) -> Checked:
    """Read the file once and store nothing; no further than its records where none is wanted. InvalidExport, CannotDo."""
    async with aclosing(_frames(call)) as frames:
        first = await anext(frames, None)
        if not isinstance(first, Header):
            raise InvalidExport("is damaged: it does not begin with its header")
        header = _header(first.sealed, edge)
        checked = await asyncio.to_thread(_begun, header, edge)
        after_records = None
        async for frame in frames:
            if not isinstance(frame, Record):
                after_records = frame
                break
            await _take_record(frame, checked, edge)
        checked.check_set()
        if checked.is_needed and after_records is not None:
            await _check_bundles(after_records, frames, checked)
    return checked


async def _check_bundles(frame: Frame, frames: AsyncIterator[Frame], checked: Checked) -> None:
    """Read the rest of the file, which begins with `frame`; see that all that is needed is there and as it should be."""
    collector = Collector(lambda digest: digest in checked.needed or digest in checked.lost)
    while not isinstance(frame, End):
        if not isinstance(frame, BundlePart):
            raise InvalidExport("is damaged: its parts are not in order")
        if await collector.add(frame) is not None:
            checked.whole.add(frame.digest)
        frame = await anext(frames)
    async for _ in frames:
        raise InvalidExport("is damaged: something follows its end")
    checked.check_whole()


def _header(sealed: bytes, edge: Edge) -> ExportHeader:
    """Return the header if the hub of this edge sealed it for this cluster."""
    try:
        claimed = ExportHeader.unpack(sealed[SIGNATURE_BYTES:])
    except MalformedMessage as error:
        raise InvalidExport(f"has a header that can't be read: {error}") from error
    if claimed.cluster != edge.name:
        raise CannotDo(
            f"the file is for cluster {claimed.cluster[:63]!r}, and this is {edge.name!r}: "
            f"`outrider bundle export {edge.name}` at the hub makes the right one"
        )
    try:
        return ExportHeader.unpack(unseal(sealed, edge.hub_keys, edge.name, EXPORT))
    except ForgedRecord as error:
        raise CannotDo("the file is not signed by the hub of this agent; nothing of it was taken") from error


def _begun(header: ExportHeader, edge: Edge) -> Checked:
    held = {one.app: one for one in edge.replica.holdings.all()}
    newest = max(edge.inbound.frontier.complete, edge.replica.holdings.highest)
    return Checked(header, held, newest)


async def _take_record(frame: Record, checked: Checked, edge: Edge) -> None:
    app = AppName(from_token(frame.app))
    if frame.app in checked.seen or len(checked.seen) >= export_file.RECORDS_MAX:
        raise InvalidExport(f"is damaged: it names {app!r} twice, or too many applications")
    checked.seen[frame.app] = export_file.record_digest(frame.sealed)
    record = edge.inbound.verified(app, frame.sealed)
    if record is None:
        raise InvalidExport(f"is damaged: the record of {app!r} is not what the hub signed")
    held = checked.held.get(app)
    is_newer = edge.inbound.wants(app, record, held)
    if is_newer and held is None and checked.header.generation < checked.newest:
        is_newer, checked.skipped = False, True
    if app != SETTINGS or is_newer:
        checked.results.append(_result(app, record, held, is_newer=is_newer))
    if is_newer:
        checked.wanted[frame.app] = frame.sealed
    runs = held is not None and held.record.digest == record.digest
    if not record.digest or not (is_newer or runs) or await _is_held(record.digest, checked, edge):
        return
    if is_newer:
        checked.needed.setdefault(record.digest, []).append(frame.app)
    else:
        checked.lost.add(record.digest)


async def _is_held(digest: bytes, checked: Checked, edge: Edge) -> bool:
    """Say whether a bundle is held, and is what its name says."""
    if digest in checked.needed or digest in checked.lost:
        return False
    if digest not in checked.sound:
        if await asyncio.to_thread(edge.replica.bundles.get, digest) is None:
            return False
        checked.sound.add(digest)
    return True


def _result(app: AppName, record: Desired, held: Held | None, *, is_newer: bool) -> dict[str, Any]:
    result = "unchanged"
    if is_newer:
        result = "to be removed" if record.is_tombstone else "updated" if held else "new"
    return {
        "name": "the cluster's settings" if app == SETTINGS else app,
        "result": result,
        "revision": _revision(record),
        "before": _revision(held.record) if held else "",
    }


async def _store(checked: Checked, edge: Edge, call: Call) -> None:
    """Store what is wanted; read the file again for the bundles that are needed."""
    waiting = dict(checked.wanted)
    of_bundles = {app for apps in checked.needed.values() for app in apps}
    for app in sorted(waiting.keys() - of_bundles):
        await _offer(app, waiting.pop(app), None, edge)
    try:
        if waiting or checked.lost:
            await _store_with_bundles(waiting, checked, edge, call)
    except InvalidExport as error:
        raise CannotDo(
            f"the file {error}; it changed while it was read, and not all of it was taken"
        ) from error
    if waiting:
        apps = ", ".join(sorted(map(from_token, waiting)))
        raise CannotDo(f"the file changed while it was read: {apps} not taken; import it again")


async def _store_with_bundles(waiting: dict[str, bytes], checked: Checked, edge: Edge, call: Call) -> None:
    collector = Collector(lambda digest: digest in checked.needed or digest in checked.lost)
    async with aclosing(_frames(call)) as frames:
        async for frame in frames:
            data = await collector.add(frame) if isinstance(frame, BundlePart) else None
            if data is None or not isinstance(frame, BundlePart):
                continue
            for app in checked.needed.get(frame.digest, ()):
                if app in waiting:
                    await _offer(app, waiting.pop(app), data, edge)
            if frame.digest in checked.lost:
                await edge.inbound.bring(data)


async def _offer(token: str, sealed: bytes, bundle: bytes | None, edge: Edge) -> None:
    app = AppName(from_token(token))
    record = edge.inbound.verified(app, sealed)
    if record is None:
        raise CannotDo(f"the record of {app!r} can't be read any more")
    try:
        async with asyncio.timeout(STORED_WITHIN_S):
            await edge.inbound.offer(app, record, bundle).wait()
    except TimeoutError as error:
        raise CannotDo(
            f"{app!r} could not be stored within {STORED_WITHIN_S:g} s: is the disk full? "
            "What came before it was taken; import the file again"
        ) from error


async def _frames(call: Call) -> AsyncGenerator[Frame, None]:
    """Have the client send the file and yield its frames; InvalidExport unless it is whole."""
    reader = export_file.Reader()
    await call.ask_for_file()
    while True:
        chunk = await call.chunk()
        for frame in reader.feed(chunk.data):
            yield frame
        if chunk.last:
            reader.finish()
            return


class Collector:
    """Puts the bundles that are needed together from their parts, one at a time."""

    def __init__(self, is_needed: Callable[[bytes], bool]) -> None:
        self._is_needed = is_needed
        self._digest = b""
        self._parts = bytearray()

    async def add(self, part: BundlePart) -> bytes | None:
        """Take in a part; return the bundle's canonical bytes once it is whole, checked. InvalidExport."""
        if part.digest != self._digest:
            self._digest = part.digest
            self._parts.clear()
        if not self._is_needed(part.digest):
            return None
        self._parts += part.data
        if len(self._parts) > BUNDLE_MAX_BYTES:
            raise InvalidExport("is damaged: a bundle in it is larger than any is")
        if not part.last:
            return None
        frame = bytes(self._parts)
        self._digest = b""
        self._parts.clear()
        return await asyncio.to_thread(_unpacked, part.digest, frame)


def _unpacked(digest: bytes, frame: bytes) -> bytes:
    try:
        return delta.Delta(digest, None, frame).apply(None, max_bytes=BUNDLE_MAX_BYTES)
    except (delta.WrongBase, delta.TooLarge) as error:
        raise InvalidExport(f"is damaged: bundle {digest.hex()[:12]} is not what its name says") from error


def _revision(record: Desired) -> str:
    return record.revision.hex() if isinstance(record.revision, bytes) else record.revision


def _older(checked: Checked) -> str:
    made = ".".join(map(str, checked.header.generation))
    at = ".".join(map(str, checked.newest))
    return f"the file was made from generation {made}, and this edge is at {at}: there is nothing newer in it"
