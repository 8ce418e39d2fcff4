"""Identities of edge clusters and of pools' renderers: issued here, revoked here.

A user's JWT is signed by one of FLEET's scoped keys, so the server fills in what it may do. A key is revoked by a new JWT of the
FLEET account that lists it; the server drops its connections when it takes that. Revoked keys are kept in bucket `registry`,
written before the account's JWT is pushed, and the JWT is made from all of them: a crash in between is mended at the next
start, and so is what another version of the hub allowed its edges.
"""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from outrider import codec
from outrider.bus import BusError, BusSettings, RequestTimedOut, connected
from outrider.bus.buckets import KeyValue
from outrider.bus.entries import all_current, current
from outrider.bus.jetstream import JetStream
from outrider.bus.model import User
from outrider.identity import claims, hub_state, signatures
from outrider.identity.accounts import cluster_user_jwt, pool_user_jwt
from outrider.names import ClusterName, PoolName
from outrider.topology import REGISTRY

log = structlog.get_logger()

CLAIMS_UPDATE = "$SYS.REQ.CLAIMS.UPDATE"
TIMEOUT_S = 20.0
_REVOKED = "revoked."
_ISSUED = "issued"
# When the newest account JWT was issued.
FOR_EVER_S = 253_402_300_799
# The end of the year 9999. A key that was revoked is never issued again, so whatever was issued for it is void: by a clock that
# has been set back since, it may have been issued later than now.


@dataclass(frozen=True)
class Issued:
    """All that an edge or a renderer needs to reach this hub and to trust it; the key is its own."""

    jwt: str
    servers: list[str]
    ca_pem: str
    hub_keys: list[bytes]

    def answer(self) -> dict[str, Any]:
        """Return what whoever asked is told."""
        return {"jwt": self.jwt, "servers": self.servers, "ca_pem": self.ca_pem, "hub_keys": self.hub_keys}


class Identities:
    """Issues and revokes."""

    def __init__(
        self,
        keys: hub_state.RegistryKeys,
        js: JetStream,
        bus: BusSettings,
        clock: Callable[[], datetime],
    ) -> None:
        """`bus` says how to reach the servers; the account JWT is pushed over a connection of its own."""
        self._keys, self._js, self._clock = keys, js, clock
        self._trust = hub_state.load_trust(keys.trust)
        self._bus = BusSettings(
            servers=bus.servers,
            user=lambda: User("registry", keys.claims_writer_jwt, keys.claims_writer_seed),
            ca_pem=bus.ca_pem,
        )
        self._bucket = KeyValue(js, REGISTRY)
        self._pushing = asyncio.Lock()
        self._issued_at_s = int(claims.decode(keys.claims_writer_jwt)["iat"])
        # The server's configuration is as old as this.

    @property
    def desired_seed(self) -> bytes:
        """The secret that signs Desired records."""
        return base64.b64decode(self._keys.desired_seed)

    @property
    def sealing_key(self) -> bytes:
        """The public key that repository credentials are sealed to."""
        return base64.b64decode(self._keys.sealing_key)

    def issue(self, cluster: ClusterName, public_key: str) -> Issued:
        """Issue a cluster's user for its own key."""
        jwt = cluster_user_jwt(
            cluster,
            public_key,
            signing_key=self._trust.fleet_clusters,
            fleet_account=self._trust.fleet.public,
            now=self._clock(),
        )
        return self._issued(jwt)

    def issue_pool(self, pool: PoolName, public_key: str) -> Issued:
        """Issue the user of a pool's renderers for their own key."""
        jwt = pool_user_jwt(
            pool,
            public_key,
            signing_key=self._trust.fleet_pools,
            fleet_account=self._trust.fleet.public,
            now=self._clock(),
        )
        return self._issued(jwt)

    def _issued(self, jwt: str) -> Issued:
        hub_keys = [signatures.public_key(self.desired_seed)]
        return Issued(jwt, list(self._keys.servers), self._keys.ca_pem, hub_keys)

    async def is_revoked(self, public_key: str) -> bool:
        """Whether a key was revoked: it may never be issued again."""
        return (await current(self._js, REGISTRY, _REVOKED + public_key)).value is not None

    async def revoke(self, holder: ClusterName | PoolName, public_key: str) -> None:
        """Void a key's JWTs and drop its connections. Idempotent. BusError: try again."""
        at_s = int(self._clock().timestamp())
        await self._bucket.put(_REVOKED + public_key, codec.canonical([holder, at_s]))
        await self.push()
        log.info("identity revoked", holder=holder)

    async def push_again(self) -> None:
        """Push once, whatever time it takes: a crash may have come between a key's revocation and its push, or an upgrade."""
        while True:
            try:
                await self.push()
            except BusError as error:
                log.warning("revocations not pushed", reason=str(error))
                await self._js.connection.pause()
            else:
                return

    async def push(self) -> None:
        """Give the server FLEET's JWT: what this version allows its users, and every revoked key."""
        async with self._pushing:
            jwt = self._trust.fleet_jwt(await self._next_issue(), await self._revoked())
            try:
                async with asyncio.timeout(TIMEOUT_S), connected(self._bus) as connection:
                    answer = await connection.request(CLAIMS_UPDATE, jwt.encode(), timeout_s=TIMEOUT_S)
            except TimeoutError as error:
                raise RequestTimedOut(CLAIMS_UPDATE, TIMEOUT_S) from error
            _check(answer.data)

    async def _next_issue(self) -> datetime:
        """Return when an account JWT is issued: after the ones before it, in whole seconds, whatever the clock says.

        Of two JWTs a server keeps the later one, and of two of the same second its configuration's: the one without revocations.
        """
        stored = (await current(self._js, REGISTRY, _ISSUED)).value
        before_s = max(self._issued_at_s, codec.unpack(stored) if stored is not None else 0)
        self._issued_at_s = max(int(self._clock().timestamp()), before_s) + 1
        await self._bucket.put(_ISSUED, codec.canonical(self._issued_at_s))
        return datetime.fromtimestamp(self._issued_at_s, UTC)

    async def _revoked(self) -> dict[str, int]:
        """Return every revoked key with the Unix time up to which its JWTs are void."""
        entries = await all_current(self._js, REGISTRY, f"{_REVOKED}*")
        return {key.removeprefix(_REVOKED): FOR_EVER_S for key in entries}


def _check(answer: bytes) -> None:
    """Raise BusError if a server's answer to an account JWT is no success."""
    parsed: dict[str, Any] = json.loads(answer)
    if "error" in parsed or parsed.get("data", {}).get("code") != 200:
        reason = parsed.get("error") or parsed.get("data")
        raise BusError(f"the server did not take FLEET's JWT: {reason}")
