"""A hub's secrets in its state folder: made once, never made twice, readable by their owner alone.

trust.json              every key of the hub: operator, accounts, signing keys
registry.json           what the app-registry needs of them
renderer.json           the key that opens repository credentials
credentials/*.creds     one identity a service, and `person.creds` for the command line
nats/auth.conf          operator, accounts: included by the server's configuration
nats/tls/*.pem          the server's certificate, and its authority
authority-key.pem       what signs the next server certificate
"""

import base64
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outrider.bus.model import User
from outrider.identity import claims, sealing, signatures, tls
from outrider.identity.accounts import HUB_ROLES, Trust
from outrider.identity.credentials import Credentials, write_secret
from outrider.identity.keys import KeyPair, generate

AUTHORITY_KEY = "authority-key.pem"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(frozen=True)
class RegistryKeys:
    """What the app-registry signs with."""

    trust: dict[str, Any]
    # seeds by name (`load_trust`): it issues clusters' users, and revokes them by a new account JWT
    desired_seed: str
    # base64: signs Desired records
    sealing_key: str
    # base64: the public key that repository credentials are sealed to
    claims_writer_jwt: str
    claims_writer_seed: str
    servers: list[str]
    ca_pem: str

    @classmethod
    def load(cls, path: Path) -> "RegistryKeys":
        """Read registry.json."""
        return cls(**json.loads(path.read_text()))


def dump_trust(trust: Trust) -> dict[str, Any]:
    """Return every seed of a trust, for its file."""
    return {
        "operator": trust.operator.seed,
        "system": trust.system.seed,
        "system_writer": trust.system_writer.seed,
        "hub": trust.hub.seed,
        "hub_roles": {role: key.seed for role, key in trust.hub_roles.items()},
        "fleet": trust.fleet.seed,
        "fleet_clusters": trust.fleet_clusters.seed,
    }


def load_trust(seeds: dict[str, Any]) -> Trust:
    """Invert `dump_trust`."""
    roles = {role: KeyPair(seeds["hub_roles"][role]) for role in HUB_ROLES}
    rest = {name: KeyPair(seed) for name, seed in seeds.items() if name != "hub_roles"}
    return Trust(hub_roles=roles, **rest)


def initialise(
    state: Path, *, servers: tuple[str, ...], hosts: list[str], now: datetime | None = None
) -> bool:
    """Make all identity material of a hub below `state`, unless it is there. Return whether it was made.

    What is there is kept, but for the rights of the hub's own services: those are of the version that runs.

    `servers` are the URLs by which edges reach the hub, `hosts` the names and addresses in the server's certificate.
    """
    now = now or datetime.now(UTC)
    if (state / "trust.json").exists():
        _renew_hub_account(state, now)
        return False
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o700)
    trust, desired_seed, sealing_key = Trust.generate(), signatures.generate_seed(), sealing.generate_key()
    authority = tls.make_authority(now)
    server = tls.make_server(authority, hosts, now)
    _write_nats(state / "nats", trust, authority, server, now)
    # Not below nats/, which whoever runs the server mounts.
    write_secret(state / AUTHORITY_KEY, authority.key)
    _write_credentials(state / "credentials", trust, servers, authority.certificate, desired_seed, now)
    writer = generate("user")
    keys = RegistryKeys(
        trust=dump_trust(trust),
        desired_seed=_b64(desired_seed),
        sealing_key=_b64(sealing.public_key(sealing_key)),
        claims_writer_jwt=trust.claims_writer_jwt(writer.public, now),
        claims_writer_seed=writer.seed,
        servers=list(servers),
        ca_pem=authority.certificate,
    )
    write_secret(state / "registry.json", json.dumps(asdict(keys), indent=1))
    write_secret(state / "renderer.json", json.dumps({"sealing_key": _b64(sealing_key)}))
    # Last: its presence says that all the rest is there.
    write_secret(state / "trust.json", json.dumps(dump_trust(trust), indent=1))
    return True


def _renew_hub_account(state: Path, now: datetime) -> None:
    """Have the server's configuration say what this version's services may do, if another version wrote it.

    The account of the clusters stays as it is: its newest JWT, with every key that was revoked, is at the server.
    """
    config = state / "nats" / "auth.conf"
    trust = load_trust(json.loads((state / "trust.json").read_text()))
    lines = config.read_text().splitlines(keepends=True)
    mark = f"  {trust.hub.public}: "
    for index, line in enumerate(lines):
        if not line.startswith(mark):
            continue
        held = line.removeprefix(mark).strip()
        # A server keeps the later one of two: a clock that was set back must not make this the earlier.
        after = datetime.fromtimestamp(int(claims.decode(held)["iat"]) + 1, UTC)
        fresh = trust.account_jwts(max(now, after))[trust.hub.public]
        if _says(held) != _says(fresh):
            lines[index] = f"{mark}{fresh}\n"
            write_secret(config, "".join(lines))
        return


def _says(jwt: str) -> object:
    """Return what a JWT says, without when it was issued."""
    return claims.decode(jwt).get("nats")


def _write_nats(folder: Path, trust: Trust, authority: tls.Pair, server: tls.Pair, now: datetime) -> None:
    accounts = "\n".join(f"  {key}: {jwt}" for key, jwt in trust.account_jwts(now).items())
    auth = (
        f"operator: {trust.operator_jwt(now)}\n"
        f"system_account: {trust.system.public}\n"
        f"resolver_preload: {{\n{accounts}\n}}\n"
    )
    write_secret(folder / "auth.conf", auth)
    write_secret(folder / "tls" / "authority.pem", authority.certificate)
    write_secret(folder / "tls" / "server.pem", server.certificate)
    write_secret(folder / "tls" / "server-key.pem", server.key)


def _write_credentials(
    folder: Path, trust: Trust, servers: tuple[str, ...], ca_pem: str, desired_seed: bytes, now: datetime
) -> None:
    for role in HUB_ROLES:
        key = generate("user")
        user = User(role, trust.hub_user_jwt(role, key.public, now), key.seed)
        hub_keys = (signatures.public_key(desired_seed),)
        Credentials(user, servers, ca_pem, hub_keys).write(folder / f"{role}.creds")
