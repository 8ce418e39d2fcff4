"""A hub's identity brought up to date: the names in its certificate, and the addresses that edges are told.

The authority and all keys are made once. Only the server's certificate is issued again, by that same authority, so edges that
were added before go on trusting the hub.
"""

import ipaddress
import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from outrider.identity import credentials, hub_state, tls
from outrider.identity.accounts import HUB_ROLES
from outrider.identity.credentials import write_secret
from outrider_cli.failure import Failed
from outrider_cli.state_folder import writing

THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
RENEW_BEFORE = timedelta(days=90)
# A hub that is started once a season still never shows an expired certificate.


@dataclass(frozen=True)
class Prepared:
    """What was done to the folder."""

    made: bool
    reissued: bool
    servers: tuple[str, ...]
    # by which edges that are added from now on reach the hub


def prepare(state: Path, hosts: tuple[str, ...], servers: tuple[str, ...]) -> Prepared:
    """Make the identity if there is none; bring names and addresses to what is given, keep them where nothing is given.

    `hosts` are names of this machine beside `localhost`, `servers` the URLs that edges are told. Failed if the folder can't be
    written, or holds what is no hub's.
    """
    names = list(dict.fromkeys((*hosts, *THIS_MACHINE)))
    with writing(state):
        try:
            made = hub_state.initialise(state, servers=servers or ("tls://localhost:4222",), hosts=names)
            reissued = not made and _bring_certificate(state, names if hosts else None, datetime.now(UTC))
            told = _bring_servers(state, servers)
        except (ValueError, TypeError, KeyError) as error:
            raise Failed(
                f"{state} holds a damaged identity ({error}): restore it from a backup, or choose another --state"
            ) from error
    return Prepared(made, reissued, told)


def _bring_certificate(state: Path, names: list[str] | None, now: datetime) -> bool:
    """Issue the server's certificate again if its names are others (None: keep them) or it ends soon."""
    folder = state / "nats" / "tls"
    certificate = x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())
    held = _names_in(certificate)
    wanted = names or held
    if set(wanted) == set(held) and certificate.not_valid_after_utc - now > RENEW_BEFORE:
        return False
    authority = tls.Pair(
        (folder / "authority.pem").read_text(), (state / hub_state.AUTHORITY_KEY).read_text()
    )
    issued = tls.make_server(authority, wanted, now)
    # The key first: a crash between the two leaves a pair that does not match, which the next start mends.
    write_secret(folder / "server-key.pem", issued.key)
    write_secret(folder / "server.pem", issued.certificate)
    return True


def _names_in(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def _bring_servers(state: Path, servers: tuple[str, ...]) -> tuple[str, ...]:
    """Tell edges that are added from now on, and people who copy the credentials, where the hub is."""
    file = state / "registry.json"
    keys = hub_state.RegistryKeys.load(file)
    if not servers or tuple(keys.servers) == servers:
        return tuple(keys.servers)
    for role in HUB_ROLES:
        held = state / "credentials" / f"{role}.creds"
        replace(credentials.load(held), servers=servers).write(held)
    write_secret(file, json.dumps(asdict(replace(keys, servers=list(servers))), indent=1))
    return servers


def told_servers(state: Path) -> tuple[str, ...]:
    """Return the servers that edges are told; none if the folder holds no hub yet."""
    try:
        return tuple(hub_state.RegistryKeys.load(state / "registry.json").servers)
    except (OSError, ValueError, TypeError):
        return ()


def is_elsewhere(server: str) -> bool:
    """Say whether a server's URL is of use to another machine."""
    return urlsplit(server).hostname not in THIS_MACHINE


def url_host(host: str) -> str:
    """Return a host as it stands in a URL: an IPv6 address in brackets."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host
