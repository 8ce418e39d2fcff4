"""`outrider bundle`: what a cluster should run, as a file for where no link reaches.

The hub answers part by part, and the file is put together here: the records first, all of them before anything is written, then each
bundle that they name, once, checked. What the agent needs to trust it is the hub's own: the header and each record are sealed there.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from outrider_cli import completion
from outrider_cli.asking import asking
from outrider_cli.cluster_names import checked_name
from outrider_cli.failure import Failed, Refused, note
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outrider.export_file import Writer
    from outrider.messages import ExportHeader
    from outrider_cli.hub import Hub

ATTEMPTS = 5
# While commits come in: each begins anew with the newest.
BUNDLE_MAX_BYTES = 64 << 20
FOR_OWNER = 0o600
CHANGED = "changed while it was exported"


@click.group()
def bundle() -> None:
    """Carry what a cluster should run to where no link reaches."""


@bundle.command()
@click.argument("name", metavar="CLUSTER", callback=checked_name, shell_complete=completion.clusters)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file, for its owner alone, instead of to standard output.",
)
@hub_option
def export(name: str, out: Path | None, state: Path | None) -> None:
    """Export all that CLUSTER should run, for `outrider agent import FILE` on its site.

    The file holds manifests, Secrets among them where Git has them: keep it as you would keep those.
    """
    if out is None and sys.stdout.isatty():
        raise click.UsageError("standard output is a terminal: write `> FILE`, or give --out FILE")
    asking(state, lambda hub: _export(hub, name, out))


@dataclass(frozen=True)
class Gathered:
    """A cluster's records, as the hub sealed them together."""

    header: ExportHeader
    sealed_header: bytes
    records: list[tuple[str, bytes]]
    lacking: list[str]

    @property
    def digests(self) -> list[bytes]:
        """Every bundle that a record names, once."""
        from outrider.identity.signatures import SIGNATURE_BYTES
        from outrider.messages import Desired

        found = (Desired.unpack(sealed[SIGNATURE_BYTES:]).digest for _, sealed in self.records)
        return list(dict.fromkeys(digest for digest in found if digest))


async def _export(hub: Hub, name: str, out: Path | None) -> None:
    from outrider import export_file

    gathered = await _gathered(hub, name)
    writer = export_file.Writer()
    with _opened(out) as file:
        file.write(writer.start(gathered.sealed_header))
        for app, sealed in gathered.records:
            file.write(writer.record(app, sealed))
        for digest in gathered.digests:
            await _copy(hub, digest, writer, file)
        file.write(writer.end())
        file.flush()
    generation = ".".join(map(str, gathered.header.generation))
    if gathered.lacking:
        note(
            f"warning: nothing is known yet of what {', '.join(gathered.lacking)} should be: not in the file"
        )
    note(
        f"{name}: {len(gathered.records)} records and {len(gathered.digests)} bundles, generation {generation}, "
        f"{writer.size_bytes} bytes; next: outrider agent import FILE   (on its site)"
    )


async def _gathered(hub: Hub, name: str) -> Gathered:
    """Return a cluster's records; those of one moment, however many answers they take."""
    for _ in range(ATTEMPTS):
        try:
            found = await _once(hub, name)
        except Refused as error:
            if CHANGED not in str(error):
                raise
            continue
        if found is not None:
            return found
    raise Failed(f"what {name} should run keeps changing: try again when fewer commits come in")


async def _once(hub: Hub, name: str) -> Gathered | None:
    from outrider import export_file
    from outrider.identity.signatures import SIGNATURE_BYTES
    from outrider.messages import ExportHeader

    answer = await hub.registry("cluster.export", name=name)
    sealed, lacking = bytes(answer["header"]), [str(app) for app in answer["lacking"]]
    records = list(_records(answer))
    while answer["next"]:
        answer = await hub.registry(
            "cluster.export", name=name, after=answer["next"], generation=answer["generation"]
        )
        records += _records(answer)
    header = ExportHeader.unpack(sealed[SIGNATURE_BYTES:])
    digests = {app: export_file.record_digest(record) for app, record in records}
    if len(records) != header.records or export_file.set_digest(digests) != header.set_digest:
        return None
    return Gathered(header, sealed, records, lacking)


def _records(answer: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    for app, sealed in answer["records"]:
        yield str(app), bytes(sealed)


async def _copy(hub: Hub, digest: bytes, writer: Writer, file: BinaryIO) -> None:
    """Write one bundle; Failed if what the hub holds is not what its name says."""
    from outrider import delta, export_file

    frame, seq = bytearray(), 0
    while True:
        answer = await hub.registry("bundle.get", digest=digest, seq=seq or None)
        frame += answer["data"]
        if len(frame) > BUNDLE_MAX_BYTES:
            raise Failed(f"bundle {digest.hex()[:12]} is larger than any is")
        seq = int(answer["next"])
        if not seq:
            break
    try:
        delta.Delta(digest, None, bytes(frame)).apply(None, max_bytes=BUNDLE_MAX_BYTES)
    except (delta.WrongBase, delta.TooLarge) as error:
        raise Failed(f"bundle {digest.hex()[:12]} is damaged at the hub: refresh its application") from error
    file.writelines(writer.part(digest, data, last=last) for data, last in export_file.parts(bytes(frame)))


@contextmanager
def _opened(out: Path | None) -> Iterator[BinaryIO]:
    """Give where to write: a file that is there whole or not at all, or standard output."""
    if out is None:
        yield sys.stdout.buffer
        return
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, FOR_OWNER)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(out)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise Failed(f"can't write {out}: {error.strerror}") from error
