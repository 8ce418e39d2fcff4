"""An application that its edge rendered until now, and that the hub is to render from here on.

What the renderers have of its sources may be of the day on which the edge took over: to tell it to the edge would take back all
that came since. So they are asked to look first, and what they have after that is what counts. Until then the edge goes on.
"""

from dataclasses import replace

from app_registry.app import App
from app_registry.fleet import Fleet
from outrider.bus import BusError, Connection
from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.bus.services import RequestRefused, ask
from outrider.records import RenderingRecord
from outrider.subjects import render
from outrider.topology import RENDERINGS

LOOK_TIMEOUT_S = 60.0
# A fetch and a rendering; nobody waits for it.


class NotLooked(BusError):
    """Its renderers could not be asked: it waits for them."""


class Returning:
    """Finds out what the hub's renderers have, as of now."""

    def __init__(self, connection: Connection, js: JetStream, fleet: Fleet) -> None:
        self._connection, self._js, self._fleet = connection, js, fleet

    async def rendering(self, app: App) -> RenderingRecord | None:
        """Return the rendering of an application after a look at its sources; None if there is none. NotLooked, BusError: try again.

        With an error it holds no bundle: the last good one may be old.
        """
        key = self._fleet.rendering_key(app.name)
        if not key:
            return None
        pool = self._fleet.pool_of(app)
        if absence := self._fleet.pools.absence(pool):
            raise NotLooked(f"they are those of pool {pool!r}, {absence}")
        for url in app.source.urls:
            origin = self._fleet.origins.origin(url)
            asked = {"url": origin.repo_url, "key": key}
            try:
                await ask(self._connection, render(pool, "refresh"), asked, timeout_s=LOOK_TIMEOUT_S)
            except RequestRefused as error:
                # It has not heard yet that this is wanted.
                raise BusError(f"{origin.repo_url} was not looked at: {error}") from error
            except BusError as error:
                raise NotLooked(f"{origin.repo_url} was not looked at: {error}") from error
        entry = await current(self._js, RENDERINGS, key)
        record = RenderingRecord.unpack(entry.value) if entry.value is not None else None
        return replace(record, digest=b"") if record is not None and record.error else record
