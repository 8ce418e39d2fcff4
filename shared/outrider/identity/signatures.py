"""Signatures of Desired records: who holds only the bus can neither forge a record nor move it to another cluster.

What is signed is the context and the body. The context (cluster and application, from the subject) is not sent twice.
"""

from functools import lru_cache

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

SIGNATURE_BYTES = 64
_DOMAIN = b"outrider desired record\0"


class ForgedRecord(ValueError):
    """A record whose signature is not the hub's for this cluster and application. Count it, never apply it."""


def generate_seed() -> bytes:
    """Make the 32-byte secret of a hub's signing key."""
    return bytes(SigningKey.generate())


def public_key(seed: bytes) -> bytes:
    """Return the 32-byte public key that edges check against."""
    return bytes(SigningKey(seed).verify_key)


@lru_cache(maxsize=4)
def _signing_key(seed: bytes) -> SigningKey:
    # Making one costs more than signing with it.
    return SigningKey(seed)


def _signed(cluster: str, app: str, body: bytes) -> bytes:
    # Names hold no NUL (they are DNS names), so the parts can't be shifted against one another.
    return b"\0".join((_DOMAIN, cluster.encode(), app.encode(), body))


def seal(seed: bytes, cluster: str, app: str, body: bytes) -> bytes:
    """Return signature and body as one record."""
    return _signing_key(seed).sign(_signed(cluster, app, body)).signature + body


def unseal(record: bytes, keys: list[bytes], cluster: str, app: str) -> bytes:
    """Return the body of a record signed by one of `keys` for this cluster and application; ForgedRecord otherwise."""
    signature, body = record[:SIGNATURE_BYTES], record[SIGNATURE_BYTES:]
    if len(signature) < SIGNATURE_BYTES:
        raise ForgedRecord("shorter than a signature")
    for key in keys:
        try:
            VerifyKey(key).verify(_signed(cluster, app, body), signature)
        except BadSignatureError:
            continue
        return body
    raise ForgedRecord("signed by none of the hub's keys for this cluster and application")
