"""The renderer's settings, read once from the environment."""

import base64
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from outrider.identity import credentials
from outrider.names import DEFAULT_POOL, PoolName


class InvalidSetting(Exception):
    """A setting that can't be used; the message names it and says what to do."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set."""

    credentials: Path
    # OUTRIDER_CREDENTIALS
    state: Path
    # OUTRIDER_STATE: a folder for clones and exports; it can be lost at any time
    servers: tuple[str, ...] = ()
    # OUTRIDER_SERVERS
    sealing_key: bytes | None = None
    # from the file OUTRIDER_KEYS, or from a pool's credentials: opens the credentials of repositories
    pool: str = DEFAULT_POOL
    # from the credentials: whose repositories this renderer serves
    replica: str = ""
    # OUTRIDER_REPLICA: what tells renderers of one pool apart, the same after a restart; the host's name by default
    poll_interval_s: float = 60
    # OUTRIDER_POLL_INTERVAL: between looks at a repository that announces nothing; jittered, once for the whole fleet
    pool_bytes_per_day: int = 256 << 20
    # OUTRIDER_POOL_BYTES_PER_DAY, for the hub's own: what the renderers of one pool may add to its stores. Far more than changes of
    # manifests come to, compressed and each stored once; far less than fills the hub for all others.
    workers: int = 2
    # OUTRIDER_RENDER_WORKERS
    local_repositories: bool = False
    # OUTRIDER_LOCAL_REPOSITORIES=1: file:// and private networks may be read: for a hub of one's own
    hosts: frozenset[str] = frozenset()
    # OUTRIDER_GIT_HOSTS: if set, the only hosts that repositories may be on

    @property
    def is_delegated(self) -> bool:
        """Whether this renderer is a pool's, and has no right to the hub's buckets."""
        return self.pool != DEFAULT_POOL

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings; InvalidSetting names the one that is wrong. InvalidCredentials."""
        env = os.environ
        if not env.get("OUTRIDER_CREDENTIALS"):
            raise InvalidSetting("OUTRIDER_CREDENTIALS is not set: name the renderer's credentials file")
        path = Path(env["OUTRIDER_CREDENTIALS"])
        held = credentials.load(path)
        pool = PoolName(held.user.name) if held.user.is_pool else DEFAULT_POOL
        if env.get("OUTRIDER_POOL", pool) != pool:
            raise InvalidSetting(
                f"OUTRIDER_POOL is {env['OUTRIDER_POOL']!r}, and {path} holds the identity of renderers of pool {pool!r}: "
                "`outrider pool add` makes one for another pool"
            )
        return cls(
            credentials=path,
            state=Path(env.get("OUTRIDER_STATE", "/var/lib/outrider-renderer")),
            servers=_list(env.get("OUTRIDER_SERVERS", "")),
            sealing_key=held.sealing_key if held.user.is_pool else _sealing_key(env.get("OUTRIDER_KEYS", "")),
            pool=pool,
            replica=env.get("OUTRIDER_REPLICA", "") or socket.gethostname(),
            poll_interval_s=_number("OUTRIDER_POLL_INTERVAL", 60),
            pool_bytes_per_day=round(_number("OUTRIDER_POOL_BYTES_PER_DAY", 256 << 20)),
            workers=round(_number("OUTRIDER_RENDER_WORKERS", 2)),
            local_repositories=env.get("OUTRIDER_LOCAL_REPOSITORIES", "") == "1",
            hosts=frozenset(_list(env.get("OUTRIDER_GIT_HOSTS", ""))),
        )


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError as error:
        raise InvalidSetting(f"{name} is {text!r}: give a number") from error
    if value <= 0:
        raise InvalidSetting(f"{name} is {text!r}: give a number above 0")
    return value


def _sealing_key(path: str) -> bytes | None:
    if not path:
        return None
    try:
        return base64.b64decode(json.loads(Path(path).read_text())["sealing_key"])
    except (OSError, KeyError, ValueError) as error:
        raise InvalidSetting(f"OUTRIDER_KEYS: {path} is no renderer.json: {error}") from error
