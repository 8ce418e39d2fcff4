"""The registry's settings, read once from the environment."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from outrider.identity.hub_state import RegistryKeys


class InvalidSetting(Exception):
    """A setting that can't be used; the message names it and says what to do."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set."""

    credentials: Path
    # OUTRIDER_CREDENTIALS: registry.creds of the hub's state folder
    keys: RegistryKeys
    # OUTRIDER_KEYS: registry.json of the hub's state folder
    servers: tuple[str, ...] = ()
    # OUTRIDER_SERVERS, comma separated: in place of those in the credentials
    replica: str = ""
    # OUTRIDER_REPLICA: what tells replicas apart, the same after a restart; the host's name by default
    command_timeout_s: float = 15.0
    # OUTRIDER_COMMAND_TIMEOUT: how long an agent may take to answer a command

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings; InvalidSetting names the one that is wrong."""
        env = os.environ
        if not env.get("OUTRIDER_CREDENTIALS"):
            raise InvalidSetting("OUTRIDER_CREDENTIALS is not set: name the registry's credentials file")
        return cls(
            credentials=Path(env["OUTRIDER_CREDENTIALS"]),
            keys=_keys(env.get("OUTRIDER_KEYS", "")),
            servers=tuple(
                part.strip() for part in env.get("OUTRIDER_SERVERS", "").split(",") if part.strip()
            ),
            replica=env.get("OUTRIDER_REPLICA", "") or socket.gethostname(),
            command_timeout_s=_number("OUTRIDER_COMMAND_TIMEOUT", 15.0),
        )


def _keys(path: str) -> RegistryKeys:
    if not path:
        raise InvalidSetting("OUTRIDER_KEYS is not set: name registry.json of the hub's state folder")
    try:
        return RegistryKeys.load(Path(path))
    except (OSError, TypeError, ValueError) as error:
        raise InvalidSetting(f"OUTRIDER_KEYS: {path} is no registry.json: {type(error).__name__}") from error


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError as error:
        raise InvalidSetting(f"{name} is {text!r}: give a number of seconds") from error
    if not 0 < value < float("inf"):
        raise InvalidSetting(f"{name} is {text!r}: give a number of seconds above 0")
    return value
