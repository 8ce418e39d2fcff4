"""The one way to chart repositories and registries: HTTPS requests that are bounded, go where they may, and show no credentials.

A redirect is followed by hand, a few times at most, each new address through the policy. What authorises a request goes to the
origin that it is for (scheme, host and port), and nowhere else. Used by one thread, for one errand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import responses
from typing import BinaryIO, Self
from urllib.parse import urljoin, urlsplit

import urllib3

from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.address import Address, AddressPolicy
from outrider.rendering.git.bounds import MIB, Spending
from outrider.rendering.git.errors import (
    AddressRefused,
    CredentialsRefused,
    HostNotTrusted,
    RepositoryTooLarge,
    RepositoryUnavailable,
)
from outrider.rendering.git.transport import (
    certificate_reason,
    close_pools,
    connection_pools,
    failure_reason,
)

_REDIRECTS_MAX = 5
_REDIRECT_STATUS = frozenset({301, 302, 303, 307, 308})
_READ_BYTES = 64 * 1024
_USER_AGENT = "outrider"


@dataclass(frozen=True)
class Answer:
    """What a server answered. `url` is where it came from in the end; `body` is empty where it was written to a file."""

    status: int
    headers: Mapping[str, str]
    url: str
    body: bytes = field(default=b"", repr=False)


Origin = tuple[str, str, int]


def origin_of(address: Address) -> Origin:
    """Return what credentials are bound to."""
    return ("https" if address.scheme == "oci" else address.scheme, address.host, address.port)


class Door:
    """Requests of one errand. Use as `with`."""

    def __init__(self, access: RepositoryAccess, policy: AddressPolicy, spending: Spending) -> None:
        self.access, self._spending = access, spending
        self.policy = policy.vouching(access.url) if access.vouched else policy
        self._pools = connection_pools(access.tls_ca, self.policy, spending)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        close_pools(self._pools)
        self._spending.release()

    def get(
        self,
        url: str,
        *,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
        authorization: Mapping[Origin, str] | None = None,
        into: BinaryIO | None = None,
    ) -> Answer:
        """Return the answer to a request, whatever its status; GitError if there is none, or none that may be taken."""
        for _ in range(_REDIRECTS_MAX + 1):
            response = self._request(url, headers or {}, authorization or {})
            try:
                if response.status in _REDIRECT_STATUS and response.headers.get("Location"):
                    url = self._redirected(url, response.headers["Location"])
                    continue
                body = self._body(response, max_bytes, into if response.status == 200 else None)
                return Answer(response.status, dict(response.headers.items()), url, body)
            finally:
                response.close()
        raise RepositoryUnavailable(self.access.url, f"redirects more than {_REDIRECTS_MAX} times")

    def _request(
        self, url: str, headers: Mapping[str, str], authorization: Mapping[Origin, str]
    ) -> urllib3.BaseHTTPResponse:
        address = self._checked(url)
        send = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **headers}
        if (secret := authorization.get(origin_of(address))) is not None:
            send["Authorization"] = secret
        timeout = urllib3.Timeout(self._spending.limits.connect_timeout_s, self._spending.remaining_s())
        try:
            return self._pools.request(
                "GET", url, headers=send, redirect=False, preload_content=False, timeout=timeout
            )
        except urllib3.exceptions.SSLError as error:
            reason = f"its TLS certificate is refused: {certificate_reason(error)}"
            raise HostNotTrusted(self.access.url, reason) from None
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise RepositoryUnavailable(self.access.url, f"no answer: {failure_reason(error)}") from None

    def _checked(self, url: str) -> Address:
        """Check an address, those that a server named too; a query is part of what is asked there, not of the address."""
        bare = url.partition("?")[0].partition("#")[0]
        if urlsplit(bare).scheme not in {"https", "http"}:
            raise AddressRefused(bare, "it is no https:// URL")
        if urlsplit(bare).path in {"", "/"}:
            bare = f"{bare.rstrip('/')}/-"
        return self.policy.check(bare)

    def _redirected(self, url: str, target: str) -> str:
        following = urljoin(url, target)
        if urlsplit(url).scheme == "https" and urlsplit(following).scheme != "https":
            raise AddressRefused(following.partition("?")[0], "a redirect leaves https")
        self._checked(following)
        return following

    def _body(self, response: urllib3.BaseHTTPResponse, max_bytes: int, into: BinaryIO | None) -> bytes:
        taken = bytearray()
        size_bytes = 0
        try:
            while data := response.read(_READ_BYTES, decode_content=False):
                self._spending.received(data)
                size_bytes += len(data)
                if size_bytes > max_bytes:
                    raise RepositoryTooLarge(
                        self.access.url, f"answered with more than {max_bytes / MIB:g} MiB"
                    )
                if into is not None:
                    into.write(data)
                else:
                    taken += data
        except urllib3.exceptions.HTTPError as error:
            raise RepositoryUnavailable(self.access.url, f"broke off: {failure_reason(error)}") from None
        return bytes(taken)

    def check_status(self, answer: Answer, what: str) -> Answer:
        """Return a good answer; CredentialsRefused or RepositoryUnavailable names what another one means."""
        if answer.status == 200:
            return answer
        reason = f"HTTP {answer.status} {responses.get(answer.status, '')}".strip()
        if answer.status in {401, 403}:
            known = (
                "refused the credentials"
                if self.access.password
                else "asks for credentials, and none are known"
            )
            raise CredentialsRefused(self.access.url, f"{what}: the server {known} ({reason})")
        if answer.status == 404:
            hint = "does not exist, or the credentials may not see it"
            raise CredentialsRefused(self.access.url, f"{what} {hint} ({reason})")
        raise RepositoryUnavailable(self.access.url, f"{what}: {reason}")
