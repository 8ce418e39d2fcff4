"""The agent's settings, read once from the environment."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_agent.applications import Settings as ApplicationSettings
from edge_agent.link.budget import Limits
from edge_agent.link.outbound import OutboundSettings
from edge_agent.rendering.settings import RenderingSettings
from edge_agent.replica.writes import BYTES_PER_DAY
from outrider.bus import BusSettings

DEFAULT_STATE = "/var/lib/outrider"
OF_THE_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
PONG_LEAST_S = 5.0
# Two round trips over a satellite, and time to spare.


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
    ping_s: float = BusSettings.ping_interval_s
    # OUTRIDER_PING: seconds between questions to the hub whether it is there (110): a link that died without a word is noticed within
    # this and 30 s; 110 s cost 0.2 MB a day
    link: Limits = field(default_factory=Limits)
    # OUTRIDER_BYTES_PER_SECOND, OUTRIDER_BYTES_PER_DAY: what the link may carry; unset: as much as it can
    time_zone: str = ""
    # OUTRIDER_TIME_ZONE: the site's, as Europe/Berlin, where the hub sets none
    namespace: str = "outrider"
    # OUTRIDER_NAMESPACE: the agent's own, in which a hold's ConfigMap and the Secrets of repositories lie; the Pod's if it is not set
    rendering: RenderingSettings = field(default_factory=RenderingSettings)
    # OUTRIDER_POLL_INTERVAL: seconds between looks at a repository (60); OUTRIDER_GIT_HOSTS: the only hosts that they may be on,
    # comma separated; OUTRIDER_LOCAL_REPOSITORIES=1: file:// and private networks may be read
    socket: Path | None = None
    # OUTRIDER_SOCKET: for commands on the site; agent.sock in the folder if it is not set
    applications: ApplicationSettings = field(default_factory=ApplicationSettings)
    # OUTRIDER_WAVE_DELAY, OUTRIDER_SYNC_TIMEOUT: seconds between the waves of a sync (0.5), and that one may take (0: no end)
    replica_bytes_per_day: int = BYTES_PER_DAY
    # OUTRIDER_REPLICA_BYTES_PER_DAY: what may be written to the replica in a day before routine is gathered (64 MiB)

    def pinging(self, bus: BusSettings) -> BusSettings:
        """Return how to connect, with this site's pings. An answer may take a satellite's time, however often it is asked for."""
        pong_s = min(bus.pong_timeout_s, max(self.ping_s, PONG_LEAST_S))
        return replace(bus, ping_interval_s=self.ping_s, pong_timeout_s=pong_s)

    @property
    def replica(self) -> Path:
        """The replica's file."""
        return self.state / "replica.sqlite"

    @property
    def clones(self) -> Path:
        """Where the process that renders keeps clones and charts."""
        return self.state / "rendering"

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
            replica_bytes_per_day=int(_number("OUTRIDER_REPLICA_BYTES_PER_DAY", "bytes") or BYTES_PER_DAY),
            servers=servers,
            kubeconfig=os.environ.get("KUBECONFIG") or None,
            context=os.environ.get("OUTRIDER_CONTEXT") or None,
            outbound=OutboundSettings(
                heartbeat_s=_number("OUTRIDER_HEARTBEAT", "seconds") or OutboundSettings.heartbeat_s
            ),
            ping_s=_number("OUTRIDER_PING", "seconds") or BusSettings.ping_interval_s,
            link=_limits(),
            time_zone=os.environ.get("OUTRIDER_TIME_ZONE", ""),
            namespace=_namespace(),
            rendering=_rendering(),
            socket=Path(os.environ["OUTRIDER_SOCKET"]) if os.environ.get("OUTRIDER_SOCKET") else None,
            applications=_applications(),
        )


def _namespace() -> str:
    named = os.environ.get("OUTRIDER_NAMESPACE", "").strip()
    if named:
        return named
    try:
        return OF_THE_POD.read_text().strip() or Settings.namespace
    except OSError:
        return Settings.namespace


def _rendering() -> RenderingSettings:
    usual = RenderingSettings()
    hosts = tuple(h.strip() for h in os.environ.get("OUTRIDER_GIT_HOSTS", "").split(",") if h.strip())
    return replace(
        usual,
        poll_interval_s=_number("OUTRIDER_POLL_INTERVAL", "seconds") or usual.poll_interval_s,
        hosts=hosts,
        local_repositories=os.environ.get("OUTRIDER_LOCAL_REPOSITORIES", "") == "1",
    )


def _limits() -> Limits:
    per_day = _number("OUTRIDER_BYTES_PER_DAY", "bytes")
    return Limits(_number("OUTRIDER_BYTES_PER_SECOND", "bytes"), None if per_day is None else int(per_day))


def _applications() -> ApplicationSettings:
    usual = ApplicationSettings()
    delay_s = _number("OUTRIDER_WAVE_DELAY", "seconds", least=0.0)
    timeout_s = _number("OUTRIDER_SYNC_TIMEOUT", "seconds", least=0.0)
    return replace(
        usual,
        wave_delay_s=usual.wave_delay_s if delay_s is None else delay_s,
        sync_timeout_s=usual.sync_timeout_s if timeout_s is None else timeout_s,
    )


def _number(name: str, of_what: str, least: float | None = None) -> float | None:
    """Read a number above 0, or of at least `least`; None where it is not set."""
    text = os.environ.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise InvalidSetting(f"{name} is {text!r}: give a number of {of_what}") from error
    if not (value > 0 if least is None else value >= least) or value == float("inf"):
        bound = "above 0" if least is None else f"of at least {least:g}"
        raise InvalidSetting(f"{name} is {text!r}: give a number of {of_what} {bound}")
    return value
