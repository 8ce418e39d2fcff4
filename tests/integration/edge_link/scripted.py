"""A hub that does as it is told: it signs records, serves bundles, and answers resync from what it signed."""

from dataclasses import dataclass, field
from typing import Any

from outrider import subjects
from outrider.bus import Connection, Message
from outrider.bus.jetstream import JetStream
from outrider.identity import signatures
from outrider.messages import Desired, Generation, ResyncAnswer, ResyncRequest
from outrider.names import AppName, ClusterName, token
from repo_renderer.bundles import Bundles as HubBundles

SHOP1, TILL = ClusterName("shop1"), AppName("till")
SEED = signatures.generate_seed()


def manifests(image: str, size: int = 40) -> list[dict[str, Any]]:
    return [
        {"kind": "Deployment", "n": n, "image": image, "env": [str(n * 31 + m) for m in range(30)]}
        for n in range(size)
    ]


@dataclass
class ScriptedHub:
    """Signs what it is told to, remembers the last record of each application, answers resync from that."""

    connection: Connection
    bundles: HubBundles
    counter: int = 0
    records: dict[AppName, tuple[Generation, bytes]] = field(default_factory=dict)
    asked: list[ResyncRequest] = field(default_factory=list)

    def seal(self, app: AppName, record: Desired, cluster: str = SHOP1) -> bytes:
        return signatures.seal(SEED, cluster, app, record.pack())

    async def release(
        self, app: AppName, digest: bytes | None, *, deliver: bool = True, **fields: Any
    ) -> bytes:
        self.counter += 1
        spec = fields.pop("spec", {})
        record = Desired(b"u" * 16, 1, self.counter, spec, b"r" * 20, digest, **fields)
        sealed = self.seal(app, record)
        self.records[app] = (record.generation, sealed)
        if deliver:
            await self.send(app, sealed)
        return sealed

    async def send(self, app: AppName, sealed: bytes) -> None:
        await JetStream(self.connection).publish(subjects.desired(SHOP1, app), sealed)

    async def on_resync(self, message: Message) -> None:
        request = ResyncRequest.unpack(message.data)
        self.asked.append(request)
        newer = sorted(
            (g, app, sealed)
            for app, (g, sealed) in self.records.items()
            if g > (request.epoch, request.counter)
        )
        answer = ResyncAnswer(
            1, self.counter, [[token(app), sealed] for _, app, sealed in newer[:2]], len(newer) > 2
        )
        await self.connection.publish(message.reply, answer.pack())
