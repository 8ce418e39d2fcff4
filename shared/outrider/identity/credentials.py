"""The one file that a process needs to reach its hub: NATS user, servers, authority, the hub's signing keys.

It is a NATS credentials file, so that NATS's own tools read it too, followed by more PEM-like blocks. It holds a secret
seed: written with mode 0600, never logged.
"""

import base64
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outrider.bus.model import BusSettings, User
from outrider.identity.claims import InvalidJwt, decode, is_pool

_BLOCK = re.compile(r"-{5,6}BEGIN ([A-Z ]+)-{5,6}\s+(.*?)\s+-{5,6}END \1-{5,6}", re.DOTALL)
_JWT, _SEED, _HUB, _CERTIFICATE = "NATS USER JWT", "USER NKEY SEED", "OUTRIDER HUB", "CERTIFICATE"
_SEALING = "OUTRIDER SEALING KEY"


class InvalidCredentials(ValueError):
    """A file that is no credentials file; the message names the file and what is missing."""


@dataclass(frozen=True)
class Credentials:
    """Who we are and which hub we trust."""

    user: User
    servers: tuple[str, ...]
    ca_pem: str | None
    hub_keys: tuple[bytes, ...]
    # ed25519 keys by which the hub signs Desired records; two while one replaces the other
    sealing_key: bytes | None = field(default=None, repr=False)
    # of a delegated renderer: opens the credentials of its pool's repositories

    def format(self) -> str:
        """Return the file's text."""
        hub = {"servers": self.servers, "keys": [base64.b64encode(key).decode() for key in self.hub_keys]}
        encoded = base64.encodebytes(json.dumps(hub).encode()).decode().strip()
        # NATS's own files end their blocks with six dashes.
        blocks = [
            f"-----BEGIN {_JWT}-----\n{self.user.jwt}\n------END {_JWT}------\n",
            f"-----BEGIN {_SEED}-----\n{self.user.seed}\n------END {_SEED}------\n",
            f"-----BEGIN {_HUB}-----\n{encoded}\n-----END {_HUB}-----\n",
        ]
        if self.sealing_key is not None:
            key = base64.b64encode(self.sealing_key).decode()
            blocks.append(f"-----BEGIN {_SEALING}-----\n{key}\n-----END {_SEALING}-----\n")
        return "\n".join([*blocks, self.ca_pem or ""])

    def write(self, path: Path) -> None:
        """Write the file, readable by its owner alone, whole or not at all."""
        write_secret(path, self.format())


def write_secret(path: Path, text: str) -> None:
    """Write a file with mode 0600 and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def parse(text: str, source: str = "credentials") -> Credentials:
    """Return the credentials in a file's text; InvalidCredentials names `source` and the block that is missing."""
    blocks = {name: body for name, body in _BLOCK.findall(text)}
    for name in (_JWT, _SEED, _HUB):
        if name not in blocks:
            raise InvalidCredentials(
                f"{source} has no block {name!r}: it is not a file made by `outrider cluster add` or `outrider pool add`"
            )
    try:
        claims = decode(blocks[_JWT])
        user = User(str(claims["name"]), blocks[_JWT], blocks[_SEED], is_pool(claims))
        sealing_key = base64.b64decode(blocks[_SEALING]) if _SEALING in blocks else None
        hub: dict[str, Any] = json.loads(base64.b64decode(blocks[_HUB]))
        keys = tuple(base64.b64decode(key) for key in hub["keys"])
        servers = tuple(str(server) for server in hub["servers"])
    except (InvalidJwt, KeyError, TypeError, ValueError) as error:
        raise InvalidCredentials(f"{source} is damaged: {error}") from error
    certificates = [
        f"-----BEGIN {_CERTIFICATE}-----\n{body}\n-----END {_CERTIFICATE}-----\n"
        for block, body in _BLOCK.findall(text)
        if block == _CERTIFICATE
    ]
    return Credentials(user, servers, "".join(certificates) or None, keys, sealing_key)


def load(path: Path) -> Credentials:
    """Read a credentials file; InvalidCredentials if it can't be read or isn't one."""
    try:
        return parse(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidCredentials(f"can't read credentials {path}: {error}") from error


def bus_settings(path: Path, servers: tuple[str, ...] = ()) -> BusSettings:
    """Return how to connect with a credentials file; `servers` replaces those that it names. Read anew on each attempt."""
    first = load(path)

    def user() -> User:
        try:
            return load(path).user
        except InvalidCredentials:
            # Half-written or gone for a moment: what worked before is as good as anything.
            return first.user

    return BusSettings(servers=servers or first.servers, user=user, ca_pem=first.ca_pem)
