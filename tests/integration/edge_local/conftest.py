"""An agent that never had a link, on a simulated cluster: what it should run comes as files, what people want comes over its socket."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import structlog

from edge_agent.agent import run as run_agent
from edge_agent.local.command import run as run_command
from edge_agent.settings import Settings
from outrider import codec, delta, export_file
from outrider.bus.model import User
from outrider.identity import signatures
from outrider.identity.credentials import Credentials
from outrider.identity.keys import generate
from outrider.messages import Desired, ExportHeader
from outrider.names import token
from outrider.subjects import EXPORT
from outrider.tasks import background
from outrider_playground.kubernetes import SimulatedCluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

SEED = signatures.generate_seed()
WITHIN_S = 30.0
JWT = "e30.eyJuYW1lIjoic2hvcDEifQ.x"
# Says that its holder is shop1; nobody is there to check it.
NOWHERE = "tls://localhost:1"
AUTOMATED = {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]}


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@dataclass
class Exporter:
    """A hub's hand: numbers records, seals them, puts them into files."""

    cluster: str = "shop1"
    seed: bytes = SEED
    counter: int = 0
    records: dict[str, bytes] = field(default_factory=dict)
    bundles: dict[bytes, bytes] = field(default_factory=dict)

    def desire(self, app: str, *manifests: dict[str, Any], **spec: Any) -> None:
        data = codec.canonical(list(manifests))
        self.bundles[delta.digest(data)] = data
        annotations = spec.pop("annotations", {})
        whole = {"destination": {"namespace": "shop"}, "syncPolicy": AUTOMATED, **spec}
        self._seal(app, {**whole, "annotations": annotations}, digest=delta.digest(data))

    def end(self, app: str) -> None:
        self._seal(app, {"propagation": "foreground"}, digest=None, cascade=True)

    def settings(self, **spec: Any) -> None:
        self._seal("$settings", spec, digest=b"")

    def _seal(self, app: str, spec: dict[str, Any], **fields: Any) -> None:
        self.counter += 1
        revision = f"r{self.counter}"
        record = Desired(b"u" * 16, 1, self.counter, spec, revision, **fields)
        self.records[app] = signatures.seal(self.seed, self.cluster, app, record.pack())

    def header(self, **changes: Any) -> bytes:
        digests = {token(app): export_file.record_digest(sealed) for app, sealed in self.records.items()}
        given: dict[str, Any] = {
            "cluster": self.cluster, "epoch": 1, "counter": self.counter, "made_at_ms": 1_796_000_000_000,
            "records": len(digests), "set_digest": export_file.set_digest(digests),
        }  # fmt: skip
        header = ExportHeader(**(given | changes))
        return signatures.seal(self.seed, self.cluster, EXPORT, header.pack())

    def file(self, header: bytes | None = None, without: tuple[bytes, ...] = ()) -> bytes:
        """Return the file of all records; `without` some bundles."""
        writer = export_file.Writer()
        made = [writer.start(header or self.header())]
        made += [writer.record(token(app), sealed) for app, sealed in sorted(self.records.items())]
        named = {Desired.unpack(sealed[64:]).digest for sealed in self.records.values()}
        for digest, data in self.bundles.items():
            if digest in named and digest not in without:
                parts = export_file.parts(delta.compress(data), 1000)
                made += [writer.part(digest, part, last=last) for part, last in parts]
        return b"".join([*made, writer.end()])


class Ended(NamedTuple):
    """A command line that has ended."""

    status: int
    stdout: str
    stderr: str


def _command(arguments: tuple[str, ...], stdin: bytes) -> Ended:
    stdout, stderr, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            status = run_command(arguments)
    finally:
        sys.stdin = before
    return Ended(status, stdout.getvalue(), stderr.getvalue())


@dataclass
class LocalSite:
    """A site: its cluster, the agent's folder, and a person at its keyboard."""

    folder: Path
    cluster: SimulatedCluster
    hub: Exporter = field(default_factory=Exporter)
    servers: tuple[str, ...] = (NOWHERE,)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def settings(self, **more: Any) -> Settings:
        return Settings(
            credentials=self.folder / "shop1.creds", state=self.state, servers=self.servers,
            kubeconfig=str(self.folder / "kubeconfig"), **more,
        )  # fmt: skip

    @asynccontextmanager
    async def agent(self, **settings: Any) -> AsyncIterator[None]:
        """Run the agent until the block ends."""
        async with self.agent_without_command(**settings):
            async with asyncio.timeout(WITHIN_S):
                while (await self("status")).status:
                    pass
            yield

    @asynccontextmanager
    async def agent_without_command(self, **settings: Any) -> AsyncIterator[None]:
        """Run the agent, whether or not commands find it."""
        async with background(run_agent(self.settings(**settings)), name="agent"):
            yield

    def typed(self, *arguments: str) -> Ended:
        """Type a command that finds its agent by itself. Blocks."""
        return _command(arguments, b"")

    async def __call__(self, *arguments: object, stdin: bytes = b"") -> Ended:
        """Type a command; it finds its agent by --state."""
        verb, *rest = map(str, arguments)
        return await asyncio.to_thread(_command, (verb, "--state", str(self.state), *rest), stdin)

    async def done(self, *arguments: object) -> str:
        ended = await self(*arguments)
        assert ended.status == 0, ended
        return ended.stdout

    async def refused(self, *arguments: object) -> str:
        ended = await self(*arguments)
        assert ended.status == 1, ended
        assert ended.stderr.startswith("Error: ")
        assert "Traceback" not in ended.stderr
        return ended.stderr

    async def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.done("status", "-o", "json"))
        return found

    async def app(self, name: str) -> dict[str, Any]:
        return next((one for one in (await self.status())["applications"] if one["name"] == name), {})

    async def import_(self, data: bytes) -> Ended:
        file = self.folder / "stick.export"
        file.write_bytes(data)
        return await self("import", file)

    async def until_app(self, name: str, true: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        async with asyncio.timeout(WITHIN_S):
            while True:
                found = await self.app(name)
                if found and true(found):
                    return found

    async def until_synced(self, name: str) -> dict[str, Any]:
        """Await that what was desired last, of any application, is there."""
        revision = f"r{self.hub.counter}"
        return await self.until_app(
            name,
            lambda app: (
                (app["sync"], app["revision"], app["operation"].get("phase"))
                == ("Synced", revision, "Succeeded")
            ),
        )

    def live(self, name: str) -> dict[str, Any] | None:
        found = self.cluster.get("ConfigMap", name, "shop")
        return found.get("data") if found else None


@pytest.fixture(autouse=True)
def _log_apart() -> Iterator[None]:
    """Keep the agent's log, which is of this process, out of what commands print."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield
    structlog.configure(**before)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[LocalSite]:
    made = Credentials(
        User("shop1", JWT, generate("user").seed), (NOWHERE,), None, (signatures.public_key(SEED),)
    )
    made.write(tmp_path / "shop1.creds")
    async with SimulatedCluster() as cluster:
        cluster.write_kubeconfig(tmp_path / "kubeconfig")
        yield LocalSite(tmp_path, cluster)
