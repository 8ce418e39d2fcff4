"""Repository URLs: which are taken, and for which hosts.

A URL comes from whoever may write an Application. It is taken apart here, by a list of what is allowed, and only the parts are
used from then on: a Git library's own idea of a URL (`ext::` runs a program, a host `-oProxyCommand=…` is an option of ssh, a bare
path is a local repository) never sees it.
"""

import ipaddress
import re
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from outrider.rendering.git.errors import AddressRefused

URL_MAX_CHARS = 2048
_DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22, "oci": 443}

_TUNNELS = tuple(ipaddress.ip_network(text) for text in ("64:ff9b::/96", "2002::/16", "2001::/32"))
# IPv6 addresses that a gateway turns into IPv4 ones, private ones too.

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*\.?"
)
_USER = re.compile(r"[A-Za-z0-9_.+][A-Za-z0-9_.+@-]{0,127}")
_SCP = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>[^@/:\[\]]+|\[[0-9A-Fa-f:.]+\]):(?P<path>[^:].*)")


@dataclass(frozen=True)
class Address:
    """A repository's URL, taken apart. `path` is as the server gets it; `host` is empty for a local repository."""

    scheme: str
    host: str
    port: int
    path: str
    username: str = ""

    @property
    def canonical(self) -> str:
        """The same text for every spelling of this address; it holds no secret."""
        if self.scheme == "file":
            return f"file://{self.path}"
        user = f"{self.username}@" if self.username else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{user}{host}{port}/{self.path.removeprefix('/')}"


@dataclass(frozen=True)
class AddressPolicy:
    """Which addresses may be used.

    The default is for one person's own machine. `locked_down` is for a hub that takes Applications from many: no local files, no
    unencrypted transport, nothing inside the network that the hub stands in.
    """

    schemes: frozenset[str] = frozenset({"https", "oci", "ssh", "file"})
    private_networks: bool = True
    hosts: frozenset[str] = field(default_factory=frozenset)
    # Empty: any host. A name with a leading dot allows every name below it.
    vouched: frozenset[str] = field(default_factory=frozenset)
    # Hosts that are allowed besides, wherever they are.

    @classmethod
    def locked_down(cls, hosts: frozenset[str] = frozenset()) -> "AddressPolicy":
        """Allow https, oci (which is https) and ssh to public hosts alone, or to `hosts` alone wherever they are."""
        return cls(frozenset({"https", "oci", "ssh"}), private_networks=bool(hosts), hosts=hosts)

    def vouching(self, url: str) -> "AddressPolicy":
        """Return the policy for a repository whose host somebody vouches for who may."""
        host = parse_address(url).host
        return replace(self, vouched=self.vouched | {host}) if host else self

    def check(self, url: str) -> Address:
        """Return the address of `url`; AddressRefused if it is none that may be used."""
        address = parse_address(url)
        if address.scheme not in self.schemes:
            allowed = ", ".join(sorted(self.schemes))
            raise AddressRefused(url, f"{address.scheme} is not allowed here (allowed: {allowed})")
        if address.host and self.hosts and not self._allows_host(address.host):
            raise AddressRefused(url, f"host {address.host} is not among the allowed hosts")
        return address

    def _allows_host(self, host: str) -> bool:
        if host in self.vouched:
            return True
        parents = {host[index:] for index, char in enumerate(host) if char == "."}
        return host in self.hosts or not parents.isdisjoint(self.hosts)

    def allows_ip(self, ip: str, host: str = "") -> bool:
        """Tell whether a connection may be made to an IP address that a host name stands for."""
        address = ipaddress.ip_address(ip.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            # Where clouds tell a machine its secrets; no Git server is there.
            return False
        if self.private_networks or host.lower().removesuffix(".") in self.vouched:
            return True
        tunnelled = any(address.version == network.version and address in network for network in _TUNNELS)
        return address.is_global and not tunnelled


def parse_address(url: str) -> Address:
    """Take a URL apart; AddressRefused if it is not of a form that is supported."""
    if not 0 < len(url) <= URL_MAX_CHARS:
        raise AddressRefused(url, f"it has no text, or more than {URL_MAX_CHARS} characters")
    if _FORBIDDEN.search(url):
        raise AddressRefused(url, "it holds a space, a control character or a backslash")
    if "::" in url.partition("/")[0].partition("[")[0]:
        raise AddressRefused(url, "transports of the form name:: are not supported")
    if "://" in url:
        return _parse_url(url)
    match = _SCP.fullmatch(url)
    if match is None:
        raise AddressRefused(url, "it is no https://, ssh:// or file:// URL, nor of the form user@host:path")
    host = _checked_host(url, match["host"].strip("[]"))
    return Address(
        "ssh", host, 22, _checked_path(url, match["path"]), _checked_user(url, match["user"] or "")
    )


def _parse_url(url: str) -> Address:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused(url, "its host or port can't be read") from None
    scheme = parts.scheme.lower()
    if scheme not in {"https", "http", "oci", "ssh", "file"}:
        raise AddressRefused(
            url, f"{scheme}:// is not supported; use https://, oci://, ssh:// or user@host:path"
        )
    if parts.query or parts.fragment:
        raise AddressRefused(url, "it has a query or a fragment")
    if scheme == "file":
        return _local(url, parts.netloc, unquote(parts.path))
    if parts.password is not None:
        raise AddressRefused(url, "it holds a password; give it as the repository's credentials")
    host = _checked_host(url, parts.hostname or "")
    user = _checked_user(url, unquote(parts.username or ""))
    # A chart repository may be all that a host has: https://charts.example.com.
    is_root = scheme in {"https", "http"} and parts.path in {"", "/"}
    path = "/" if is_root else _checked_path(url, parts.path)
    return Address(scheme, host, port or _DEFAULT_PORTS[scheme], path, user)


def _local(url: str, netloc: str, path: str) -> Address:
    if netloc not in {"", "localhost"} or not path.startswith("/") or "\0" in path:
        raise AddressRefused(url, "a local repository is file:// and an absolute path")
    return Address("file", "", 0, path)


def _checked_host(url: str, host: str) -> str:
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise AddressRefused(url, "its host is no IPv6 address") from None
    if not _HOST.fullmatch(host):
        raise AddressRefused(url, "its host is no host name")
    return host.lower().removesuffix(".")


def _checked_user(url: str, user: str) -> str:
    if user and not _USER.fullmatch(user):
        raise AddressRefused(url, "its user name holds characters that are not allowed")
    return user


def _checked_path(url: str, path: str) -> str:
    if path.strip("/") == "" or path.lstrip("/").startswith("-") or ".." in path.split("/"):
        raise AddressRefused(url, "its path is missing, begins with '-' or holds '..'")
    return path
