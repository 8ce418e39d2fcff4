"""Git over HTTPS: dulwich's protocol on urllib3, with the connection, the redirects and the credentials under our own rules.

A redirect is followed by hand, at most a few times, only while asking for refs (as Git does by default), and each new address goes
through the policy. Credentials go to the origin they were given for (scheme, host and port), and nowhere else. Proxies of the
environment, cookies, dumb servers and packs at other addresses are not used.
"""

from collections.abc import Callable, Iterator
from http.client import responses
from typing import Any, NoReturn, cast
from urllib.parse import urljoin

import urllib3
from dulwich.client import Urllib3HttpGitClient, default_user_agent_string

from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.address import Address, AddressPolicy
from outrider.rendering.git.bounds import Spending
from outrider.rendering.git.errors import (
    AddressRefused,
    CredentialsRefused,
    HostNotTrusted,
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


def https_client(
    access: RepositoryAccess, address: Address, policy: AddressPolicy, spending: Spending
) -> "HttpsClient":
    """Return a client for one fetch; its `close` ends the connections."""
    pools = connection_pools(access.tls_ca, policy, spending)
    return HttpsClient(access, address, policy, spending, pools)


class HttpsClient(Urllib3HttpGitClient):
    """dulwich's client with its one door to the network, `_http_request`, replaced."""

    def __init__(
        self,
        access: RepositoryAccess,
        address: Address,
        policy: AddressPolicy,
        spending: Spending,
        pools: urllib3.PoolManager,
    ) -> None:
        bare = Address(address.scheme, address.host, address.port, address.path)
        super().__init__(bare.canonical, pool_manager=pools, config=None)
        self._access, self._policy, self._spending, self._pools = access, policy, spending, pools
        self._home = (address.scheme, address.host, address.port)
        self._credentials: dict[str, str] = {}
        self._responses: list[urllib3.BaseHTTPResponse] = []
        username = access.username or address.username
        if access.password:
            # Servers that take a token look at the password alone, but want a name.
            basic = f"{username or 'git'}:{access.password}"
            self._credentials = dict(urllib3.util.make_headers(basic_auth=basic))

    def close(self) -> None:
        """End the connections."""
        for response in self._responses:
            response.close()
        close_pools(self._pools)

    def _http_request(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: bytes | Iterator[bytes] | None = None,
        raise_for_status: bool = True,
    ) -> tuple[Any, Callable[[int], bytes]]:
        asked = url
        for _ in range(_REDIRECTS_MAX + 1):
            response = self._request(url, headers or {}, data)
            if response.status not in _REDIRECT_STATUS:
                self._check_status(response, url)
                return self._answer(response, asked, url)
            target = response.headers.get("Location", "")
            response.release_conn()
            url = self._redirect(url, target, data)
        raise RepositoryUnavailable(self._access.url, f"redirects more than {_REDIRECTS_MAX} times")

    def _request(self, url: str, headers: dict[str, str], data: Any) -> urllib3.BaseHTTPResponse:
        address = self._checked(url)
        send = {
            "User-Agent": default_user_agent_string(),
            "Accept-Encoding": "identity",
            "Pragma": "no-cache",
            **headers,
        }
        if (address.scheme, address.host, address.port) == self._home:
            send |= self._credentials
        timeout = urllib3.Timeout(self._spending.limits.connect_timeout_s, self._spending.remaining_s())
        method = "GET" if data is None else "POST"
        try:
            response = self._pools.request(
                method, url, body=data, headers=send, redirect=False, preload_content=False, timeout=timeout
            )
        except urllib3.exceptions.SSLError as error:
            raise HostNotTrusted(
                self._access.url, f"its TLS certificate is refused: {certificate_reason(error)}"
            ) from None
        except urllib3.exceptions.HTTPError as error:
            raise RepositoryUnavailable(self._access.url, f"no answer: {failure_reason(error)}") from None
        self._responses.append(response)
        return response

    def _checked(self, url: str) -> Address:
        """Check an address that dulwich or a server made: its parts, without the query that the protocol adds."""
        bare = url.partition("?")[0]
        address = self._policy.check(bare)
        if address.scheme not in {"https", self._home[0]}:
            raise AddressRefused(bare, "a redirect leaves https")
        return address

    def _redirect(self, url: str, target: str, data: Any) -> str:
        if data is not None or not target:
            raise RepositoryUnavailable(self._access.url, "redirects where Git allows none")
        following = urljoin(url, target)
        self._checked(following)
        return following

    def _check_status(self, response: urllib3.BaseHTTPResponse, url: str) -> None:
        status = response.status
        if status == 200:
            return
        reason = f"HTTP {status} {responses.get(status, '')}".strip()
        if status in {401, 403}:
            what = (
                "refused the credentials" if self._credentials else "asks for credentials, and none are known"
            )
            raise CredentialsRefused(self._access.url, f"the server {what} ({reason})")
        if status == 404:
            hint = "there is no such repository, or the credentials may not see it"
            raise CredentialsRefused(self._access.url, f"{hint} ({reason})")
        self._unavailable(reason)

    def _unavailable(self, reason: str) -> NoReturn:
        raise RepositoryUnavailable(self._access.url, reason)

    def _answer(
        self, response: urllib3.BaseHTTPResponse, asked: str, final: str
    ) -> tuple[Any, Callable[[int], bytes]]:
        content_type = response.headers.get("Content-Type", "")
        if not content_type.startswith("application/x-git-"):
            self._unavailable("the server does not speak Git's smart HTTP protocol at this address")
        answer = cast("Any", response)
        # Two attributes that dulwich expects on a response.
        answer.content_type = content_type
        answer.redirect_location = final if final != asked else ""

        def read(size: int) -> bytes:
            try:
                self._spending.remaining_s()
                return self._spending.received(response.read(size, decode_content=False))
            except urllib3.exceptions.HTTPError as error:
                raise RepositoryUnavailable(self._access.url, f"broke off: {failure_reason(error)}") from None

        return answer, read
