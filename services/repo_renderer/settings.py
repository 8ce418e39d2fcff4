"""The renderer's settings, read once from the environment."""

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self


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
    # from the file OUTRIDER_KEYS: opens the credentials of repositories
    pool: str = "default"
    # OUTRIDER_POOL: which repositories this renderer serves
    poll_interval_s: float = 60
    # OUTRIDER_POLL_INTERVAL: between looks at a repository that announces nothing; jittered, once for the whole fleet
    workers: int = 2
    # OUTRIDER_RENDER_WORKERS
    local_repositories: bool = False
    # OUTRIDER_LOCAL_REPOSITORIES=1: file:// and private networks may be read: for a hub of one's own
    hosts: frozenset[str] = frozenset()
    # OUTRIDER_GIT_HOSTS: if set, the only hosts that repositories may be on

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings; InvalidSetting names the one that is wrong."""
        env = os.environ
        if not env.get("OUTRIDER_CREDENTIALS"):
            raise InvalidSetting("OUTRIDER_CREDENTIALS is not set: name the renderer's credentials file")
        return cls(
            credentials=Path(env["OUTRIDER_CREDENTIALS"]),
            state=Path(env.get("OUTRIDER_STATE", "/var/lib/outrider-renderer")),
            servers=_list(env.get("OUTRIDER_SERVERS", "")),
            sealing_key=_sealing_key(env.get("OUTRIDER_KEYS", "")),
            pool=env.get("OUTRIDER_POOL", "default"),
            poll_interval_s=_number("OUTRIDER_POLL_INTERVAL", 60),
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
