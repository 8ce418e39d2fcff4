"""Ask a hub. What goes wrong on the way becomes one sentence that says what was tried and what to do."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from outrider import subjects
from outrider.backoff import Backoff
from outrider.bus import BusError, BusSettings, Connection, NoResponders, RequestTimedOut, connected
from outrider.bus.services import RequestRefused, ask
from outrider.codec import MalformedMessage
from outrider.identity import credentials
from outrider.names import DEFAULT_POOL
from outrider.tasks import background
from outrider_cli.failure import Failed, Refused
from outrider_cli.finding import Place
from outrider_cli.listening import BusLog

REACHED_WITHIN_S = 5.0
# How long a person waits to learn that there is no hub.
SERVED_WITHIN_S = 5.0
# A service that is being restarted is back by then.
ANSWER_WITHIN_S = 30.0
PAGE = 500

_UNREADABLE = "the hub's answer can't be read: it may be of another version than this command"
_SERVICES = {"registry": "app-registry", "status": "status-aggregator", "render": "repo-renderer"}


class Answer(dict[str, Any]):
    """A hub's answer; a field that it lacks is a sentence, not an error of ours."""

    def __missing__(self, key: str) -> NoReturn:
        raise Failed(f"the hub's answer has no {key!r}: it may be of another version than this command")


class Hub:
    """A connection to a hub, as a person."""

    def __init__(self, connection: Connection, place: Place, log: BusLog) -> None:
        self._connection, self._place, self._log = connection, place, log

    async def registry(self, verb: str, **arguments: Any) -> Answer:
        """Ask the app-registry, as `registry("app.get", name=…)`; arguments of None are left out."""
        return await self._ask(subjects.registry(verb), arguments)

    async def registry_list(self, verb: str, **arguments: Any) -> list[dict[str, Any]]:
        """Ask the app-registry what is answered by a list of maps that is short enough for one answer."""
        answer = await self._any(subjects.registry(verb), arguments)
        if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
            raise Failed(_UNREADABLE)
        return [Answer(one) for one in answer]

    async def status(self, verb: str, **arguments: Any) -> Answer:
        """Ask the status-aggregator."""
        return await self._ask(subjects.status_query(verb), arguments)

    async def render(self, pool: str, verb: str, **arguments: Any) -> Answer:
        """Ask the renderers of a pool."""
        return await self._ask(subjects.render(pool, verb), arguments)

    async def is_serving(self, service: str) -> bool:
        """Say whether a service answers to its name."""
        try:
            await self._connection.request(f"$SRV.PING.{service}", timeout_s=SERVED_WITHIN_S)
        except BusError:
            return False
        return True

    async def pages(self, subject: subjects.Subject, **arguments: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield every item of a list that the hub hands out in pages."""
        after: str | int | None = None
        # a name, or how many there were
        while True:
            page = await self._ask(subject, {"limit": PAGE, **arguments, "after": after})
            for item in page["items"]:
                yield Answer(item)
            after, before = page.get("next"), after
            if not after or after == before:
                return

    async def _ask(self, subject: str, arguments: dict[str, Any]) -> Answer:
        answer = await self._any(subject, arguments)
        if not isinstance(answer, dict):
            raise Failed(_UNREADABLE)
        return Answer(answer)

    async def _any(self, subject: str, arguments: dict[str, Any]) -> Any:
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            async with background(self._log.forbidden(), name="watch for a refusal"):
                return await self._until_served(subject, given)
        except RequestRefused as error:
            raise Refused(str(error)) from error
        except (BusError, MalformedMessage) as error:
            raise Failed(self._explain(subject, error)) from error
        except PermissionError as error:
            raise Failed(
                f"{self._place.credentials} does not allow this ({error}): use the hub's person.creds"
            ) from error

    async def _until_served(self, subject: str, arguments: dict[str, Any]) -> Any:
        """Ask again while nobody listens, which is safe since nobody heard it; for a few seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SERVED_WITHIN_S
        while True:
            try:
                return await ask(self._connection, subject, arguments, timeout_s=ANSWER_WITHIN_S)
            except NoResponders:
                if loop.time() > deadline:
                    raise
                await self._connection.pause()

    def _explain(self, subject: str, error: Exception) -> str:
        _, kind, named, *_ = subject.split(".")
        service = _SERVICES.get(kind, "service")
        if isinstance(error, NoResponders) and kind == "render" and named != DEFAULT_POOL:
            return f"nobody serves pool {named!r}: it does not exist, or the hub's {service} does not run at the moment"
        if isinstance(error, NoResponders):
            return f"the hub's {service} does not run at the moment: the log of the hub says why"
        if isinstance(error, RequestTimedOut):
            return (
                f"the hub's {service} gave no answer within {error.timeout_s:g} s: what was asked may have been done, "
                "look before you repeat it"
            )
        if isinstance(error, MalformedMessage):
            return f"the answer of the hub's {service} can't be read: {error}"
        return str(error)


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Hub]:
    """Connect to a hub; Failed, after a few seconds, if nobody answers."""
    settings = _settings(place)
    log = BusLog(attempts_max=3 * len(settings.servers))
    log.listen(loudly=os.environ.get("OUTRIDER_DEBUG") == "1")
    async with connected(settings, wait=False) as connection:
        await _reach(connection, settings, place, log)
        yield Hub(connection, place, log)


def _settings(place: Place) -> BusSettings:
    try:
        held = credentials.load(place.credentials)
    except credentials.InvalidCredentials as error:
        raise Failed(str(error)) from error
    return BusSettings(
        servers=place.servers or held.servers,
        user=lambda: held.user,
        ca_pem=held.ca_pem,
        connect_timeout_s=REACHED_WITHIN_S,
        backoff=Backoff(first_s=0.2, cap_s=1.0),
    )


async def _reach(connection: Connection, settings: BusSettings, place: Place, log: BusLog) -> None:
    try:
        async with asyncio.timeout(REACHED_WITHIN_S), background(log.gave_up(), name="watch for a refusal"):
            await connection.wait_connected()
    except (TimeoutError, ConnectionError) as error:
        tried = ", ".join(settings.servers)
        raise Failed(f"no hub reached at {tried}: {log.reason or 'no answer'}; {place.advice}") from error
