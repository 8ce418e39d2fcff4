"""HTTP connections under our own rules: to none but the addresses that the policy allows, watched by what an errand may spend.

Proxies of the environment, cookies, retries and urllib3's own redirects are not used.
"""

import ssl
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from outrider.rendering.git.address import AddressPolicy
from outrider.rendering.git.bounds import Spending
from outrider.rendering.git.dial import dial
from outrider.rendering.git.errors import GitError


def connection_pools(tls_ca: str, policy: AddressPolicy, spending: Spending) -> urllib3.PoolManager:
    """Return the connections of one errand; `close_pools` ends them. `tls_ca` is trusted instead of the system's certificates."""
    context = ssl.create_default_context(cadata=tls_ca or None)
    pools = urllib3.PoolManager(num_pools=4, maxsize=1, retries=False, ssl_context=context)
    pools.pool_classes_by_scheme = _pool_classes(policy, spending)
    return pools


def close_pools(pools: urllib3.PoolManager) -> None:
    """End the connections."""
    for key in pools.pools.keys():  # noqa: SIM118 - it is no mapping that could be iterated over
        pools.pools[key].close()


def _pool_classes(policy: AddressPolicy, spending: Spending) -> dict[str, type[HTTPConnectionPool]]:
    def connect(connection: HTTPConnection) -> Any:
        timeout_s = min(spending.remaining_s(), spending.limits.connect_timeout_s)
        return spending.watch(dial(connection.host, connection.port, policy, timeout_s))

    class Plain(HTTPConnection):
        _new_conn = connect

    class Encrypted(HTTPSConnection):
        _new_conn = connect

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


def certificate_reason(error: Exception) -> str:
    """Say what is wrong with a server's certificate."""
    for cause in (error, *error.args):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError):
            return cause.reason or "TLS failed"
    return "TLS failed"


def failure_reason(error: Exception) -> str:
    """Name what went wrong, without urllib3's text: it repeats addresses. Raises the GitError that is behind it, if there is one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, GitError):
            raise cause
        if isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError):
            return "it takes too long"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
