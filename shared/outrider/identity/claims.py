"""NATS JWTs (version 2): encode and sign, decode. Shapes from the NATS JWT library's documented claims.

Decoding does not verify: it is for claims that the NATS server has verified (presence events) or that we made.
"""

import base64
import hashlib
import json
from datetime import datetime
from typing import Any, Literal

from outrider.identity.keys import KeyPair

ClaimsKind = Literal["operator", "account", "user"]
POOL_TAG = "pool"
# In the JWT of a delegated renderer, which is named after its pool: a cluster may have the same name.
_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}


class InvalidJwt(ValueError):
    """Text that is no NATS JWT."""


def _segment(value: Any) -> str:
    raw = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def encode(
    kind: ClaimsKind,
    *,
    subject: str,
    name: str,
    claims: dict[str, Any],
    issuer: KeyPair,
    issued_at: datetime,
    expires_s: int | None = None,
) -> str:
    """Return the signed JWT of `subject` (a public nkey); `claims` is the body of its `nats` part.

    `expires_s`: seconds after `issued_at`; None: never.
    """
    body: dict[str, Any] = {
        "iat": int(issued_at.timestamp()),
        "iss": issuer.public,
        "name": name,
        "sub": subject,
        "nats": {**claims, "type": kind, "version": 2},
    }
    if expires_s is not None:
        body["exp"] = body["iat"] + expires_s
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    body["jti"] = base64.b32encode(digest).rstrip(b"=").decode()
    signed = f"{_segment(_HEADER)}.{_segment(body)}"
    signature = base64.urlsafe_b64encode(issuer.sign(signed.encode())).rstrip(b"=").decode()
    return f"{signed}.{signature}"


def is_pool(claims: dict[str, Any]) -> bool:
    """Tell whether a user's claims are a delegated renderer's."""
    body = claims.get("nats")
    tags = body.get("tags") if isinstance(body, dict) else None
    return isinstance(tags, list) and POOL_TAG in tags


def decode(jwt: str) -> dict[str, Any]:
    """Return the claims of a JWT without verifying its signature; InvalidJwt if there are none."""
    try:
        part = jwt.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError) as error:
        raise InvalidJwt("not a NATS JWT") from error
    if not isinstance(claims, dict):
        raise InvalidJwt("not a NATS JWT")
    return claims
