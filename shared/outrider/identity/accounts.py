"""The trust of one hub: operator -> accounts SYS, HUB, FLEET -> users.

JetStream lives in HUB alone, so an edge or pool identity cannot reach its API whatever the server's permission checks miss.
What may pass between the two accounts is listed here, subject by subject, as exports and imports. Presence comes from the
system account as one exported subject a direction, for FLEET only.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outrider import subjects
from outrider.identity import claims, roles
from outrider.identity.keys import KeyPair, derive, generate
from outrider.names import cluster_name, pool_name
from outrider.topology import Role

HUB_ROLES: tuple[Role, ...] = ("registry", "renderer", "aggregator", "person")
PRESENCE_CONNECTED = "presence.connected"
PRESENCE_DISCONNECTED = "presence.disconnected"
PRESENCE_CONNECTIONS = "presence.connections"

_NO_LIMIT: dict[str, Any] = {
    "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": 0,
}  # fmt: skip
_JETSTREAM: dict[str, Any] = {
    "mem_storage": 0, "disk_storage": -1, "streams": -1, "consumer": -1,
    "max_ack_pending": -1, "mem_max_stream_bytes": -1, "disk_max_stream_bytes": -1, "max_bytes_required": True,
}  # fmt: skip


@dataclass(frozen=True)
class Trust:
    """Every secret key of a hub. Whoever holds this is the hub: it stays in the state folder, readable by its owner."""

    operator: KeyPair
    system: KeyPair
    system_writer: KeyPair
    hub: KeyPair
    hub_roles: dict[Role, KeyPair]
    fleet: KeyPair
    fleet_clusters: KeyPair

    @property
    def fleet_pools(self) -> KeyPair:
        """The key that signs the users of delegated renderers: a hub of any age has it without being given one."""
        return derive("account", self.fleet_clusters, "pools")

    @classmethod
    def generate(cls) -> "Trust":
        """Make the keys of a hub that has none."""
        return cls(
            operator=generate("operator"),
            system=generate("account"),
            system_writer=generate("account"),
            hub=generate("account"),
            hub_roles={role: generate("account") for role in HUB_ROLES},
            fleet=generate("account"),
            fleet_clusters=generate("account"),
        )

    def operator_jwt(self, now: datetime) -> str:
        """Return the operator's JWT: the root that the server's configuration names."""
        body = {"system_account": self.system.public}
        return claims.encode(
            "operator",
            subject=self.operator.public,
            name="outrider",
            claims=body,
            issuer=self.operator,
            issued_at=now,
        )

    def account_jwts(self, now: datetime, revoked: dict[str, int] | None = None) -> dict[str, str]:
        """Return account public key -> JWT. `revoked`: user public key -> Unix time up to which its JWTs are void."""
        bodies = [
            ("SYS", self.system, _system(self)),
            ("HUB", self.hub, _hub(self)),
            ("FLEET", self.fleet, _fleet(self, revoked or {})),
        ]
        return {
            key.public: claims.encode(
                "account", subject=key.public, name=name, claims=body, issuer=self.operator, issued_at=now
            )
            for name, key, body in bodies
        }

    def fleet_jwt(self, now: datetime, revoked: dict[str, int]) -> str:
        """Return FLEET's JWT with the given revocations."""
        return self.account_jwts(now, revoked)[self.fleet.public]

    def hub_user_jwt(self, role: Role, public_key: str, now: datetime) -> str:
        """Issue a user for a hub service or a person."""
        return _user_jwt(role, public_key, self.hub_roles[role], self.hub.public, now)

    def claims_writer_jwt(self, public_key: str, now: datetime) -> str:
        """Issue the user that may push account JWTs, which is how a cluster is revoked."""
        return _user_jwt("registry", public_key, self.system_writer, self.system.public, now)


def cluster_user_jwt(
    cluster: str, public_key: str, *, signing_key: KeyPair, fleet_account: str, now: datetime
) -> str:
    """Issue an edge cluster's user; InvalidName if its name could stand for more than one subject token."""
    return _user_jwt(cluster_name(cluster), public_key, signing_key, fleet_account, now)


def pool_user_jwt(
    pool: str, public_key: str, *, signing_key: KeyPair, fleet_account: str, now: datetime
) -> str:
    """Issue the user of a pool's delegated renderers; InvalidName as for clusters. Its tag tells it from a cluster's."""
    return _user_jwt(pool_name(pool), public_key, signing_key, fleet_account, now, [claims.POOL_TAG])


def _user_jwt(
    name: str,
    public_key: str,
    signing_key: KeyPair,
    account: str,
    now: datetime,
    tags: list[str] | None = None,
) -> str:
    # Signed by a scoped key, a user's own permissions must be empty: the key's template is what holds.
    body = {"pub": {}, "sub": {}, "issuer_account": account, **({"tags": tags} if tags else {})}
    return claims.encode(
        "user", subject=public_key, name=name, claims=body, issuer=signing_key, issued_at=now
    )


def _scope(key: KeyPair, role: str, permissions: roles.Permissions) -> dict[str, Any]:
    return {"kind": "user_scope", "key": key.public, "role": role, "template": permissions.template()}


def _system(trust: Trust) -> dict[str, Any]:
    fleet = trust.fleet.public
    exports = [
        {"name": "connected", "subject": f"$SYS.ACCOUNT.{fleet}.CONNECT", "type": "stream"},
        {"name": "disconnected", "subject": f"$SYS.ACCOUNT.{fleet}.DISCONNECT", "type": "stream"},
        {
            "name": "connections",
            "subject": f"$SYS.REQ.ACCOUNT.{fleet}.CONNZ",
            "type": "service",
            "response_type": "Stream",
        },
    ]
    scope = _scope(trust.system_writer, "claims", roles.CLAIMS_WRITER)
    return {"exports": exports, "limits": _NO_LIMIT, "signing_keys": [scope]}


def _hub(trust: Trust) -> dict[str, Any]:
    system, fleet = trust.system.public, trust.fleet.public
    events = f"$SYS.ACCOUNT.{fleet}"
    imports = [
        _import("stream", f"{events}.CONNECT", system, PRESENCE_CONNECTED),
        _import("stream", f"{events}.DISCONNECT", system, PRESENCE_DISCONNECTED),
        _import("service", f"$SYS.REQ.ACCOUNT.{fleet}.CONNZ", system, PRESENCE_CONNECTIONS),
        _import("service", subjects.ALL_COMMANDS, fleet),
        _import("stream", subjects.ALL_REPLIES, fleet),
    ]
    exports = [
        {"name": "desired", "subject": subjects.ALL_DESIRED, "type": "stream"},
        *(_service(s) for s in (subjects.ALL_RESYNC, subjects.ALL_STATUS, subjects.ALL_JOURNAL)),
        {**_service(subjects.ALL_BUNDLE), "response_type": "Stream"},
        _service(subjects.ALL_GATEWAY),
    ]
    scopes = [_scope(key, role, roles.hub_role(role)) for role, key in trust.hub_roles.items()]
    return {
        "imports": imports,
        "exports": exports,
        "limits": {**_NO_LIMIT, **_JETSTREAM},
        "signing_keys": scopes,
    }


def _fleet(trust: Trust, revoked: dict[str, int]) -> dict[str, Any]:
    hub = trust.hub.public
    imports = [
        _import("stream", subjects.ALL_DESIRED, hub),
        *(
            _import("service", subject, hub)
            for subject in (
                subjects.ALL_RESYNC,
                subjects.ALL_STATUS,
                subjects.ALL_JOURNAL,
                subjects.ALL_BUNDLE,
                subjects.ALL_GATEWAY,
            )
        ),
    ]
    exports = [
        _service(subjects.ALL_COMMANDS),
        {"name": "replies", "subject": subjects.ALL_REPLIES, "type": "stream"},
    ]
    return {
        "imports": imports,
        "exports": exports,
        "limits": _NO_LIMIT,
        "signing_keys": [
            _scope(trust.fleet_clusters, "cluster", roles.CLUSTER),
            _scope(trust.fleet_pools, "pool", roles.POOL),
        ],
        "revocations": revoked,
    }


def _service(subject: str) -> dict[str, Any]:
    return {"name": subject, "subject": subject, "type": "service", "response_type": "Singleton"}


def _import(kind: str, subject: str, account: str, local: str | None = None) -> dict[str, Any]:
    entry = {"name": subject, "subject": subject, "account": account, "type": kind}
    return {**entry, "local_subject": local} if local else entry
