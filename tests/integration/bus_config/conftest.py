"""Real servers with the files of bus-config/ as they are, but for the addresses.

Every server gets a loopback address of its own (127.x.y.n), so that the ports can stay those of the files and servers of
other tests are never met.
"""

import asyncio
import base64
import json
import os
import random
import shutil
import ssl
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from outrider.bus import BusSettings, Connection, RequestTimedOut, connected
from outrider.bus.embedded import executable
from outrider.bus.model import User
from outrider.identity import claims, credentials, hub_state, tls
from outrider.identity.accounts import Trust, cluster_user_jwt
from outrider.identity.keys import KeyPair, generate
from outrider.topology import Role

# A plugin may ask for the thread's event loop in every test, and Python would make one that nobody closes.
asyncio.set_event_loop(None)

BUS_CONFIG = Path(__file__).parents[3] / "bus-config"


@dataclass
class Node:
    """A running server."""

    name: str
    address: str
    process: asyncio.subprocess.Process
    log: list[str] = field(default_factory=list)
    _grown: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def read_log(self) -> None:
        """Collect what the server says until it ends."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._grown:
                self.log.append(line.decode())
                self._grown.notify_all()
        async with self._grown:
            self.log.append("the server ended")
            self._grown.notify_all()

    async def says(self, text: str, timeout_s: float = 20) -> None:
        """Wait until the server has logged `text`; fail when it ends without."""

        def said() -> bool:
            return any(text in line for line in self.log) or self.log[-1:] == ["the server ended"]

        async with asyncio.timeout(timeout_s), self._grown:
            await self._grown.wait_for(said)
        assert any(text in line for line in self.log), "".join(self.log)

    async def monitor(self, path: str) -> dict[str, Any]:
        """Ask the server itself, over the loopback monitor."""

        def get() -> dict[str, Any]:
            with urllib.request.urlopen(f"http://{self.address}:8222/{path}", timeout=5) as answer:
                decoded: dict[str, Any] = json.load(answer)
                return decoded

        return await asyncio.to_thread(get)

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    def ports(self) -> set[int]:
        """Every TCP port that the process listens on, as the kernel has it."""
        inodes = {os.readlink(entry) for entry in Path(f"/proc/{self.process.pid}/fd").iterdir()}
        listening = set()
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{self.process.pid}/net/{table}").read_text().splitlines()[1:]:
                cells = line.split()
                if cells[3] == "0A" and f"socket:[{cells[9]}]" in inodes:
                    listening.add(int(cells[1].rsplit(":", 1)[1], 16))
        return listening


@dataclass
class Session:
    """A connection as the server sees it, without a client library's recovery."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    answer: str

    async def end(self) -> str:
        """Wait until the server closes, and return its last words."""
        try:
            said = await self.reader.read()
        except ConnectionResetError:
            said = b""
        self.close()
        return said.decode()

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass
class Deployment:
    """The configuration folder of each node, and one hub's identity material."""

    folder: Path
    state: Path
    addresses: tuple[str, str, str]
    trust: Trust

    @property
    def authority(self) -> str:
        return (self.state / "nats" / "tls" / "authority.pem").read_text()

    def tls(self, ca_pem: str | None = None) -> ssl.SSLContext:
        """A client's context that trusts the hub, or another authority."""
        return ssl.create_default_context(cadata=ca_pem or self.authority)

    def configure(self, number: int, *, extra: str = "", config: str = "one-node.conf") -> Path:
        """Lay out node `number`: the files as they are, with its own loopback address."""
        node = self.folder / f"nats-{number}"
        if not node.exists():
            shutil.copytree(BUS_CONFIG, node, ignore=shutil.ignore_patterns("generated", "data"))
            (node / "generated").symlink_to(self.state / "nats")
            for file in node.rglob("*.conf"):
                if "generated" not in file.parts:
                    file.write_text(self._placed(file.read_text(), number))
        path = node / config
        if extra:
            path.write_text(path.read_text() + extra)
        return path

    def _placed(self, text: str, number: int) -> str:
        address = self.addresses[number - 1]
        text = text.replace('"0.0.0.0:', f'"{address}:').replace('"127.0.0.1:', f'"{address}:')
        for other, place in enumerate(self.addresses, start=1):
            text = text.replace(f"nats-route://nats-{other}:", f"nats-route://{place}:")
        return text

    @asynccontextmanager
    async def running(
        self, config: Path, number: int = 1, *, wait: bool = True, environment: dict[str, str] | None = None
    ) -> AsyncIterator[Node]:
        """Run one node in its folder, as an administrator would."""
        name = config.parent.name
        process = await asyncio.create_subprocess_exec(
            executable(),
            "-c",
            config.name,
            cwd=config.parent,
            env={**os.environ, "OUTRIDER_NODE": name, **(environment or {})},
            stderr=asyncio.subprocess.PIPE,
        )
        node = Node(name, self.addresses[number - 1], process)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(node.read_log(), name=f"log of {name}")
            try:
                if wait:
                    await node.says("Server is ready")
                yield node
            finally:
                await node.kill()

    def service(self, role: Role, *urls: str) -> BusSettings:
        return credentials.bus_settings(self.state / "credentials" / f"{role}.creds", urls)

    def cluster(self, name: str, *urls: str) -> BusSettings:
        """The settings of an edge cluster's agent."""
        key = generate("user")
        jwt = cluster_user_jwt(
            name,
            key.public,
            signing_key=self.trust.fleet_clusters,
            fleet_account=self.trust.fleet.public,
            now=now(),
        )
        user = User(name, jwt, key.seed)
        return BusSettings(servers=urls, user=lambda: user, ca_pem=self.authority)

    async def sign_in(self, node: Node, settings: BusSettings) -> Session:
        """Sign in once, by hand, and keep what the server answers: PONG or the reason why not."""
        user = settings.user()
        reader, writer = await asyncio.open_connection(node.address, 4222, ssl=self.tls())
        info = json.loads((await reader.readline()).removeprefix(b"INFO "))
        signature = base64.b64encode(KeyPair(user.seed).sign(info["nonce"].encode())).decode()
        connect = {"jwt": user.jwt, "sig": signature, "verbose": False, "protocol": 1}
        writer.write(f"CONNECT {json.dumps(connect)}\r\nPING\r\n".encode())
        return Session(reader, writer, (await reader.readline()).decode().strip())

    async def certificate(self, node: Node) -> bytes:
        """The certificate that the server shows to who connects at this moment."""
        _, writer = await asyncio.open_connection(node.address, 4222, ssl=self.tls())
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        return shown

    def replace_certificate(self) -> None:
        """Issue the server's certificate anew, by the same authority."""
        folder = self.state / "nats" / "tls"
        authority = tls.Pair(self.authority, (self.state / "authority-key.pem").read_text())
        server = tls.make_server(authority, list(self.addresses), now())
        (folder / "server.pem").write_text(server.certificate)
        (folder / "server-key.pem").write_text(server.key)

    def kept_accounts(self, node: str) -> set[str]:
        """The accounts whose JWTs a node keeps on its data volume."""
        return {file.stem for file in (self.folder / node / "data" / "accounts").glob("*.jwt")}

    async def revoke(self, node: Node, settings: BusSettings, *, servers: int = 1) -> None:
        """Revoke a cluster's identity as the registry does: by a fresh JWT of FLEET, pushed to the system account.

        Every server that took it answers; pushed again until all have, for nodes that have just found one another.
        """
        keys = hub_state.RegistryKeys.load(self.state / "registry.json")
        writer = User("registry", keys.claims_writer_jwt, keys.claims_writer_seed)
        revoked = KeyPair(settings.user().seed).public
        until = now() + timedelta(seconds=1)
        fresh = self.trust.fleet_jwt(until, {revoked: int(until.timestamp())})
        async with connected(self._system(node, writer)) as connection:
            while await _codes(connection, fresh) != [200] * servers:
                pass

    async def delete_fleet(self, node: Node) -> dict[str, Any]:
        """Ask, with every right that the system account can give, to delete the account FLEET."""
        key = generate("user")
        everything = {"pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1}
        jwt = claims.encode(
            "user",
            subject=key.public,
            name="root",
            claims=everything,
            issuer=self.trust.system,
            issued_at=now(),
        )
        request = self.trust.account_jwts(now())[self.trust.fleet.public].encode()
        async with connected(self._system(node, User("root", jwt, key.seed))) as connection:
            answer = await connection.request("$SYS.REQ.CLAIMS.DELETE", request, timeout_s=5)
        decoded: dict[str, Any] = json.loads(answer.data)
        return decoded

    def _system(self, node: Node, user: User) -> BusSettings:
        return BusSettings((f"tls://{node.address}:4222",), lambda: user, ca_pem=self.authority)

    def allow_leaf_nodes(self) -> None:
        """Make the account FLEET allow them, as an administrator who wants them must."""
        auth = self.state / "nats" / "auth.conf"
        old = self.trust.account_jwts(now())[self.trust.fleet.public]
        body = claims.decode(old)["nats"]
        body["limits"]["leaf"] = -1
        fresh = claims.encode(
            "account",
            subject=self.trust.fleet.public,
            name="FLEET",
            claims=body,
            issuer=self.trust.operator,
            issued_at=now(),
        )
        lines = auth.read_text().splitlines()
        lines = [
            f"  {self.trust.fleet.public}: {fresh}" if self.trust.fleet.public in line else line
            for line in lines
        ]
        auth.write_text("\n".join(lines) + "\n")

    def write_leaf_credentials(self) -> None:
        """Issue a user of FLEET for a site's server, good for the subjects of all clusters there."""
        key = generate("user")
        allowed = {"allow": ["fleet.>", "_INBOX_shop1.>"]}
        body = {"pub": allowed, "sub": allowed, "subs": -1, "data": -1, "payload": -1}
        jwt = claims.encode(
            "user", subject=key.public, name="site-7", claims=body, issuer=self.trust.fleet, issued_at=now()
        )
        user = User("site-7", jwt, key.seed)
        credentials.Credentials(user, (), None, ()).write(self.state / "nats" / "leaf.creds")

    def write_route_certificates(self) -> None:
        """Make a certificate that is good for both ends of a route, from an authority of its own."""
        folder = self.state / "nats" / "tls"
        authority = tls.make_authority(now())
        route = tls.make_route(authority, list(self.addresses), now())
        (folder / "route-authority.pem").write_text(authority.certificate)
        (folder / "route.pem").write_text(route.certificate)
        (folder / "route-key.pem").write_text(route.key)


async def _codes(connection: Connection, account_jwt: str) -> list[int]:
    """Push an account's JWT and return the codes of all servers that answer within a moment."""
    codes = []
    async with connection.answers("$SYS.REQ.CLAIMS.UPDATE", account_jwt.encode()) as answers:
        try:
            while True:
                codes.append(json.loads((await answers.next(timeout_s=0.5)).data)["data"]["code"])
        except RequestTimedOut:
            return codes


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    dice = random.Random()
    network = f"127.{dice.randint(1, 254)}.{dice.randint(0, 254)}"
    addresses = (f"{network}.1", f"{network}.2", f"{network}.3")
    state = tmp_path / "state"
    hub_state.initialise(state, servers=(f"tls://{addresses[0]}:4222",), hosts=list(addresses))
    trust = hub_state.load_trust(hub_state.RegistryKeys.load(state / "registry.json").trust)
    return Deployment(tmp_path / "nodes", state, addresses, trust)
