"""The digests by which two sides find out whether they hold the same Desired records."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from outrider import codec, delta
from outrider.messages import Desired, Generation
from outrider.names import AppName, token


class Holding(NamedTuple):
    """A record, as far as two sides compare it.

    A number alone does not tell records apart: a registry that lost its lease may have sent one to its edge that no stream kept,
    and the registry after it, which does not know of that, gives the number to another.
    """

    generation: Generation
    content: bytes

    @classmethod
    def of(cls, record: Desired) -> "Holding":
        """Return what is compared of a record."""
        said = content_of(
            record.uid, spec_digest(record.spec), record.revision, record.digest, record.cascade
        )
        return cls(record.generation, said)


def content_of(uid: bytes, spec: bytes, revision: str | bytes, digest: bytes | None, cascade: bool) -> bytes:
    """Return what a record says, apart from its number and how its bundle travels; `spec`: its digest."""
    return codec.pack([uid, spec, revision, digest, cascade])


def spec_digest(spec: dict[str, Any]) -> bytes:
    """Return 8 bytes that name a spec."""
    return delta.short(delta.digest(codec.canonical(spec)))


def holdings_digest(held: Mapping[AppName, Holding]) -> bytes:
    """Return 8 bytes over what is held, tombstones that are not carried out yet included."""
    return delta.set_digest(
        {token(app): b"%d.%d.%b" % (*one.generation, one.content) for app, one in held.items()}
    )


def generations_digest(held: Mapping[AppName, Generation]) -> bytes:
    """Return 8 bytes over the numbers of what is held."""
    return delta.set_digest({token(app): b"%d.%d" % generation for app, generation in held.items()})
