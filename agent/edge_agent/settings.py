"""The agent's settings, read once from the environment."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.link.budget import Limits
from edge_agent.link.outbound import OutboundSettings

DEFAULT_STATE = "/var/lib/outrider"


class InvalidSetting(Exception):
    """A setting that can't be used; the message names it and says what to do."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set."""

    credentials: Path
    # OUTRIDER_CREDENTIALS: the file made by `outrider cluster add`
    state: Path
    # OUTRIDER_STATE: a folder for the replica
    servers: tuple[str, ...] = ()
    # OUTRIDER_SERVERS: replaces the servers named by the credentials, comma separated
    kubeconfig: str | None = None
    # KUBECONFIG; the Pod's service account if it is not set
    context: str | None = None
    # OUTRIDER_CONTEXT: of the kubeconfig
    outbound: OutboundSettings = field(default_factory=OutboundSettings)
    # OUTRIDER_HEARTBEAT: seconds between words to the hub when nothing changes (1800)
    link: Limits = field(default_factory=Limits)
    # OUTRIDER_BYTES_PER_SECOND, OUTRIDER_BYTES_PER_DAY: what the link may carry; unset: as much as it can
    time_zone: str = ""
    # OUTRIDER_TIME_ZONE: the site's, as Europe/Berlin, where the hub sets none

    @property
    def replica(self) -> Path:
        """The replica's file."""
        return self.state / "replica.sqlite"

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the settings; InvalidSetting names the one that is wrong."""
        credentials = os.environ.get("OUTRIDER_CREDENTIALS", "")
        if not credentials:
            raise InvalidSetting(
                "OUTRIDER_CREDENTIALS is not set: name the file made by `outrider cluster add`"
            )
        servers = tuple(s.strip() for s in os.environ.get("OUTRIDER_SERVERS", "").split(",") if s.strip())
        return cls(
            credentials=Path(credentials),
            state=Path(os.environ.get("OUTRIDER_STATE", DEFAULT_STATE)),
            servers=servers,
            kubeconfig=os.environ.get("KUBECONFIG") or None,
            context=os.environ.get("OUTRIDER_CONTEXT") or None,
            outbound=OutboundSettings(
                heartbeat_s=_number("OUTRIDER_HEARTBEAT", "seconds") or OutboundSettings.heartbeat_s
            ),
            link=_limits(),
            time_zone=os.environ.get("OUTRIDER_TIME_ZONE", ""),
        )


def _limits() -> Limits:
    per_day = _number("OUTRIDER_BYTES_PER_DAY", "bytes")
    return Limits(_number("OUTRIDER_BYTES_PER_SECOND", "bytes"), None if per_day is None else int(per_day))


def _number(name: str, of_what: str) -> float | None:
    """Read a number above 0; None where it is not set."""
    text = os.environ.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise InvalidSetting(f"{name} is {text!r}: give a number of {of_what}") from error
    if not 0 < value < float("inf"):
        raise InvalidSetting(f"{name} is {text!r}: give a number of {of_what} above 0")
    return value
