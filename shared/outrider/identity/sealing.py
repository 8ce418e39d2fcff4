"""Secrets of repositories, sealed to the renderers that need them (NaCl sealed boxes): the registry stores what it can't read."""

import json
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox


class CannotOpen(ValueError):
    """Sealed to another key, or damaged."""


def generate_key() -> bytes:
    """Make a renderer's 32-byte private key."""
    return bytes(PrivateKey.generate())


def public_key(private_key: bytes) -> bytes:
    """Return the key to seal to."""
    return bytes(PrivateKey(private_key).public_key)


def seal(secret: dict[str, Any], to: bytes) -> bytes:
    """Return `secret` readable by the holder of the private key only."""
    return SealedBox(PublicKey(to)).encrypt(json.dumps(secret).encode())


def unseal(sealed: bytes, private_key: bytes) -> dict[str, Any]:
    """Return what was sealed; CannotOpen otherwise."""
    try:
        opened: dict[str, Any] = json.loads(SealedBox(PrivateKey(private_key)).decrypt(sealed))
    except CryptoError as error:
        raise CannotOpen("sealed to another key, or damaged") from error
    return opened
