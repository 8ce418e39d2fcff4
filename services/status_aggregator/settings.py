"""The aggregator's settings, read once from the environment."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from status_aggregator.edge import Limits
from status_aggregator.freshness import HEARTBEAT_S, FreshnessLimits
from status_aggregator.mending import MendingSettings

LEASE_S = 9.0
# An aggregator that is silent for longer is replaced. A renewal is one small write each quarter of it.


class InvalidSetting(Exception):
    """A setting that can't be used; the message names it and says what to do."""


class Address(NamedTuple):
    """Where metrics are served."""

    host: str
    port: int


METRICS = Address("127.0.0.1", 9464)


@dataclass(frozen=True)
class Settings:
    """Everything that can be set."""

    credentials: Path
    # OUTRIDER_CREDENTIALS
    servers: tuple[str, ...] = ()
    # OUTRIDER_SERVERS
    metrics: Address | None = METRICS
    # OUTRIDER_METRICS: host:port, or `off`
    is_metrics_asked_for: bool = False
    # An address that was asked for must be had; the default one may be another process's.
    instance: str = field(default_factory=socket.gethostname)
    # OUTRIDER_INSTANCE: which of several aggregators this is, the same after a restart
    freshness: FreshnessLimits = field(default_factory=FreshnessLimits)
    # OUTRIDER_HEARTBEAT: seconds between heartbeats of an edge; unheard for two of them, a state is stale
    lease_s: float = LEASE_S
    # OUTRIDER_LEASE: seconds of silence after which another aggregator folds in this one's place
    limits: Limits = field(default_factory=Limits)
    mending: MendingSettings = field(default_factory=MendingSettings)

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; InvalidSetting names the one that is wrong."""
        if not env.get("OUTRIDER_CREDENTIALS"):
            raise InvalidSetting("OUTRIDER_CREDENTIALS is not set: name the aggregator's credentials file")
        metrics = env.get("OUTRIDER_METRICS", "")
        return cls(
            credentials=Path(env["OUTRIDER_CREDENTIALS"]),
            servers=tuple(s.strip() for s in env.get("OUTRIDER_SERVERS", "").split(",") if s.strip()),
            metrics=_address(metrics) if metrics else METRICS,
            is_metrics_asked_for=bool(metrics),
            instance=env.get("OUTRIDER_INSTANCE", "") or socket.gethostname(),
            freshness=FreshnessLimits(_seconds(env, "OUTRIDER_HEARTBEAT", HEARTBEAT_S)),
            lease_s=_seconds(env, "OUTRIDER_LEASE", LEASE_S),
        )


def _address(text: str) -> Address | None:
    if text == "off":
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535:
        raise InvalidSetting(f"OUTRIDER_METRICS must be host:port or off, not {text!r}")
    return Address(host.strip("[]"), int(port))


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise InvalidSetting(f"{name} must be a number of seconds above 0, not {text!r}")
    return value
