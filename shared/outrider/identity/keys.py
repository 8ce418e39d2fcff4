"""Key pairs in the two forms that Outrider uses: NATS nkeys (who may connect) and plain ed25519 (who signed a record)."""

import hmac
import os
from typing import Literal

import nkeys

Kind = Literal["operator", "account", "user"]
_PREFIX: dict[Kind, int] = {
    "operator": nkeys.PREFIX_BYTE_OPERATOR,
    "account": nkeys.PREFIX_BYTE_ACCOUNT,
    "user": nkeys.PREFIX_BYTE_USER,
}


class KeyPair:
    """An nkey pair. `seed` is secret: it goes into a credentials or key file, nowhere else."""

    def __init__(self, seed: str) -> None:
        self._pair = nkeys.from_seed(seed.encode())
        self.seed = seed
        self.public: str = self._pair.public_key.decode()

    def __repr__(self) -> str:
        return f"KeyPair({self.public})"

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte ed25519 signature of `data`."""
        signature: bytes = self._pair.sign(data)
        return signature


def derive(kind: Kind, secret: KeyPair, purpose: str) -> KeyPair:
    """Return the pair that a secret one has for a purpose: always the same, and no way back to the secret."""
    seed = hmac.digest(secret.seed.encode(), f"outrider {purpose}".encode(), "sha256")
    return KeyPair(nkeys.encode_seed(seed, _PREFIX[kind]).decode())


def generate(kind: Kind) -> KeyPair:
    """Make a fresh pair of the given kind."""
    return KeyPair(nkeys.encode_seed(os.urandom(32), _PREFIX[kind]).decode())
