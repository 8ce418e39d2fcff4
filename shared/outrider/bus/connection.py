"""A connection to the bus that comes back.

One nats-py client at a time, without that client's own reconnecting: it has no jitter, prints a traceback an attempt, and
gives up for good when the server ends a session (an expired or revoked JWT). Whenever a client ends, for whatever reason,
a new one is made with credentials read anew, for ever. How soon depends on what was in the way:

- nothing answered: at once when something does (`reach`), since it was this side's own link;
- connections were refused: then too, but spread over a window that grows with the fleet, all of which waits for the hub;
- a handshake hung: again at once, with more patience each time;
- the server turned it away: after a delay that grows up to a minute, with full jitter.

Subscriptions are made again on each new client, then the `on_connected` hooks run. What was in flight when a client ended fails with Disconnected: whoever
asked decides whether to ask again. Nothing is queued here: the outboxes belong to those who can bound them.
"""

import asyncio
import random
import string
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import SlowConsumerError

from outrider.bus import nats_client
from outrider.bus.answers import NO_RESPONDERS, Answers
from outrider.bus.errors import BusError, Disconnected, NoResponders, RequestTimedOut
from outrider.bus.model import BusSettings, Message, Outgoing
from outrider.bus.nats_client import FAILURES, heeding
from outrider.bus.reach import KNOCK_EVERY_S, Absence, Reach
from outrider.tasks import background

log = structlog.get_logger()

PATIENCE_MAX_S = 60.0
# With a handshake that hangs: the first has `connect_timeout_s`.
RETURN_WINDOW_S = 0.3
STALL_LOOK_S = 1.0

TOKEN_LETTERS = string.ascii_letters + string.digits
TOKEN_CHARS = 4

Handler = Callable[[Message], Awaitable[None]]


@dataclass
class _Subscription:
    subject: str
    handler: Handler
    queue: str


class Connection:
    """A supervised connection; made by `connected`."""

    def __init__(self, settings: BusSettings, rng: random.Random, *, alone: bool = False) -> None:
        self._settings = settings
        self._rng = rng
        self._client: Client | None = None
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self._lost.set()
        self._subscriptions: list[_Subscription] = []
        self._waiting: dict[str, asyncio.Future[Msg]] = {}
        self._answers: set[asyncio.Queue[Message | None]] = set()
        # Another process of the same name, or this one before a restart, must not count through the same numbers.
        self._next_token = rng.randrange(len(TOKEN_LETTERS) ** TOKEN_CHARS)
        self.name = settings.user().name
        self.inbox = settings.user().inbox + (f".{rng.getrandbits(32):x}" if alone else "")
        self._reach = Reach(settings.servers, rng)
        self._written = asyncio.Event()
        self._wire = nats_client.Wire(None)
        self.knock_every_s = KNOCK_EVERY_S
        self.return_window_s = RETURN_WINDOW_S
        # over which a fleet of this size should come back; the hub tells its agents
        self.on_connected: list[Callable[[], Awaitable[None]]] = []
        self.on_dropped: list[Callable[[], None]] = []

    @property
    def is_connected(self) -> bool:
        """Whether messages can be sent at this moment."""
        return self._up.is_set()

    @property
    def is_clustered(self) -> bool:
        """Whether the server is one of several that form a cluster, by its own word; Disconnected if there is none."""
        return nats_client.is_clustered(self.client)

    async def wait_connected(self) -> None:
        """Wait until there is a connection."""
        await self._up.wait()

    async def wait_lost(self) -> None:
        """Wait until there is no connection."""
        await self._lost.wait()

    @property
    def client(self) -> Client:
        """The nats-py client of this moment, for this package's own modules; Disconnected if there is none."""
        if self._client is None or not self._up.is_set():
            raise Disconnected("not connected to the bus")
        return self._client

    async def publish(
        self, subject: str, data: bytes = b"", *, reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """Send one message, at most once: nobody confirms it."""
        self._written.set()
        try:
            await heeding(self.client.publish(subject, data, reply=reply, headers=headers))
        except FAILURES as error:
            raise Disconnected(f"publishing on {subject}: {error}") from error

    async def publish_all(self, messages: Iterable[Outgoing]) -> None:
        """Send many messages in order, each at most once: nobody confirms them."""
        self._written.set()
        try:
            await heeding(nats_client.write(self.client, messages))
        except FAILURES as error:
            raise Disconnected(f"publishing many messages: {_reason(error)}") from error

    async def flush(self, timeout_s: float = 10) -> None:
        """Wait until the server has processed all that was sent."""
        client = self.client
        self._written.set()
        flushing = asyncio.create_task(nats_client.flushed(client, timeout_s), name="flush")
        lost = asyncio.create_task(self._lost.wait(), name="lost")
        try:
            # nats-py does not end it when the connection goes.
            await asyncio.wait({flushing, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not flushing.done():
                raise Disconnected("flushing: the connection was lost")
            flushing.result()
        except FAILURES as error:
            raise Disconnected(f"flushing: {_reason(error)}") from error
        finally:
            for task in (flushing, lost):
                task.cancel()

    async def request(
        self, subject: str, data: bytes = b"", *, timeout_s: float, headers: dict[str, str] | None = None
    ) -> Message:
        """Send and return the first answer. Disconnected, NoResponders, RequestTimedOut."""
        token = self._token()
        future: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[token] = future
        try:
            await self.publish(subject, data, reply=f"{self.inbox}.{token}", headers=headers)
            async with asyncio.timeout(timeout_s):
                answer = await future
        except TimeoutError as error:
            raise RequestTimedOut(subject, timeout_s) from error
        finally:
            del self._waiting[token]
        if answer.headers and answer.headers.get("Status") == NO_RESPONDERS:
            raise NoResponders(subject)
        return _message(answer)

    @asynccontextmanager
    async def answers(self, subject: str, data: bytes) -> AsyncIterator["Answers"]:
        """Send a request that has many answers, to be read inside the block."""
        inbox = f"{self.inbox}.many.{self._token()}"
        queue: asyncio.Queue[Message | None] = asyncio.Queue()

        async def deliver(message: Msg) -> None:
            queue.put_nowait(_message(message))

        # A subscription of its own: what JetStream delivers carries its stream's subject, not the inbox it was sent to.
        try:
            subscription = await heeding(self.client.subscribe(inbox, cb=deliver))
            self._answers.add(queue)
            try:
                await self.publish(subject, data, reply=inbox)
                yield Answers(subject, queue)
            finally:
                self._answers.discard(queue)
                if self._up.is_set() and not self.client.is_closed:
                    await heeding(subscription.unsubscribe())
        except FAILURES as error:
            raise Disconnected(f"asking {subject}: {_reason(error)}") from error

    async def pause(self) -> None:
        """Wait a jittered moment, before trying again what has just failed."""
        await asyncio.sleep(self._settings.backoff.delay_s(0, self._rng))

    def unique_name(self) -> str:
        """Return a name for something short-lived at the server."""
        return f"{self.name}-{self.unique_token()}"

    def unique_token(self) -> str:
        """Return letters and digits that nobody else has."""
        return f"{self._rng.getrandbits(64):x}"

    async def subscribe(self, subject: str, handler: Handler, *, queue: str = "") -> None:
        """Call `handler` for each message, one at a time, for as long as the connection object lives."""
        subscription = _Subscription(subject, handler, queue)
        self._subscriptions.append(subscription)
        if self._up.is_set():
            try:
                await heeding(self._subscribe(self.client, subscription))
            except FAILURES as error:
                raise Disconnected(f"subscribing to {subject}: {_reason(error)}") from error

    def _token(self) -> str:
        # Short, since it travels with every acknowledged message, and reused only after a long while.
        self._next_token = (self._next_token + 1) % len(TOKEN_LETTERS) ** TOKEN_CHARS
        token, rest = "", self._next_token
        for _ in range(TOKEN_CHARS):
            rest, letter = divmod(rest, len(TOKEN_LETTERS))
            token += TOKEN_LETTERS[letter]
        return token

    async def _subscribe(self, client: Client, subscription: _Subscription) -> None:
        async def deliver(message: Msg) -> None:
            await subscription.handler(_message(message))

        await client.subscribe(
            subscription.subject,
            queue=subscription.queue,
            cb=deliver,
            pending_msgs_limit=self._settings.pending_messages,
            pending_bytes_limit=self._settings.pending_bytes,
        )

    async def _on_inbox(self, message: Msg) -> None:
        token = message.subject[len(self.inbox) + 1 :]
        if (future := self._waiting.get(token)) is not None and not future.done():
            future.set_result(message)

    async def supervise(self) -> None:
        """Keep a client connected. Ends only by cancellation."""
        turned_away, patience_s = 0, self._settings.connect_timeout_s
        server = self._rng.choice(self._settings.servers)
        while True:
            try:
                async with self._session(server, patience_s) as client:
                    nats_client.end_if_cancelled()
                    turned_away, patience_s = 0, self._settings.connect_timeout_s
                    log.info("connected to the bus", server=server)
                    for hook in self.on_connected:
                        await hook()
                    reason = await self._until_lost(client, server)
                log.warning("lost the bus", reason=reason)
            except TimeoutError as error:
                nats_client.end_if_cancelled()
                patience_s = min(PATIENCE_MAX_S, 2 * patience_s)
                log.warning("no connection to the bus", server=server, reason=_reason(error))
            except (*FAILURES, BusError) as error:
                nats_client.end_if_cancelled()
                log.warning(
                    "no connection to the bus", server=server, attempt=turned_away, reason=_reason(error)
                )
                turned_away += 1
            server = await self._next_server(turned_away)

    async def _next_server(self, turned_away: int) -> str:
        """Wait until it is time for the next attempt, and return whom to try."""
        found = await self._reach.found(self.knock_every_s)
        if found.absence is Absence.SILENCE:
            pause_s = self._rng.uniform(0, RETURN_WINDOW_S)
        elif found.absence is Absence.REFUSAL or not turned_away:
            pause_s = self._rng.uniform(0, self.return_window_s)
        else:
            pause_s = self._settings.backoff.delay_s(turned_away - 1, self._rng)
        await asyncio.sleep(pause_s)
        return found.server

    async def _until_lost(self, client: Client, server: str) -> str:
        """Wait for the end of a client, asking now and then whether the server is still there; return the reason."""
        async with asyncio.TaskGroup() as tasks:
            stalled = tasks.create_task(self._until_stalled(self._wire, server), name="stalled")
            try:
                while True:
                    lost = tasks.create_task(self._lost.wait(), name="lost")
                    await asyncio.wait(
                        {stalled, lost},
                        timeout=self._settings.ping_interval_s,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    lost.cancel()
                    if self._lost.is_set():
                        return str(client.last_error or "closed by the server")
                    if stalled.done():
                        return (
                            "the link was away, and this connection would take long to notice that it is back"
                        )
                    if not await self._is_answered(client):
                        return "the server does not answer"
            finally:
                stalled.cancel()

    async def _is_answered(self, client: Client) -> bool:
        try:
            # Its own task: nats-py does not end it when the connection goes.
            pong_s = self._settings.pong_timeout_s
            await nats_client.within(pong_s, client.flush(timeout=2 * max(1, round(pong_s))))
        except FAILURES:
            return False
        return True

    async def _until_stalled(self, wire: nats_client.Wire, server: str) -> None:
        """Wait until the hub can be reached while what was sent on this connection is not.

        The kernel sends again what was lost at growing intervals, which are as long as the outage was: it would notice the link's
        return late. A link that is only slow takes as long for a knock, and is left alone.
        """
        while True:
            await self._written.wait()
            self._written.clear()
            while wire.is_unacknowledged:
                await asyncio.sleep(STALL_LOOK_S)
                if wire.is_backed_off:
                    found = await self._reach.knock(server)
                    if found.absence is Absence.NONE and wire.is_backed_off:
                        return

    @asynccontextmanager
    async def _session(self, server: str, patience_s: float) -> AsyncIterator[Client]:
        """One client, from connect to close, with all subscriptions."""
        client = nats_client.AskingClient()
        try:
            await nats_client.within(patience_s + 2, self._open(client, server, patience_s))
            self._client = client
            self._lost.clear()
            self._up.set()
            if client.is_closed:
                self._mark_lost()
            yield client
        finally:
            self._client = None
            self._mark_lost()
            await nats_client.close(client)

    def _mark_lost(self) -> None:
        self._up.clear()
        self._lost.set()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Disconnected("the connection was lost while waiting for an answer"))
        for queue in self._answers:
            queue.put_nowait(None)

    async def _open(self, client: Client, server: str, patience_s: float) -> None:
        async def on_closed() -> None:
            if self._client is client:
                self._mark_lost()

        settings = replace(self._settings, connect_timeout_s=patience_s)
        self._wire = await nats_client.connect(client, settings, server, self._report, on_closed)
        if self._wire.peer is not None:
            self._reach.remember(server, self._wire.peer)
        await client.subscribe(f"{self.inbox}.*", cb=self._on_inbox)
        for subscription in self._subscriptions:
            await self._subscribe(client, subscription)
        await client.flush(timeout=max(1, round(patience_s)))

    def _report(self, error: Exception) -> None:
        if isinstance(error, SlowConsumerError):
            log.warning("messages dropped: a handler is too slow", subject=error.subject)
            for hook in self.on_dropped:
                hook()
        else:
            log.warning("bus error", reason=_reason(error))


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _message(message: Msg) -> Message:
    return Message(message.subject, message.data, message.reply, message.headers or {})


@asynccontextmanager
async def connected(
    settings: BusSettings, *, rng: random.Random | None = None, wait: bool = True, alone: bool = False
) -> AsyncIterator[Connection]:
    """Open a supervised connection; with `wait`, enter only once it is up (hubs), else at once (agents work offline).

    `alone`: with an inbox that no other process of the same name hears, nor this one's successor. Replicas need it: they share a
    name, and would take each other's answers.
    """
    connection = Connection(settings, rng or random.SystemRandom(), alone=alone)
    async with background(connection.supervise(), name="bus connection"):
        if wait:
            await connection.wait_connected()
        yield connection
