"""What the tests do with the demo's shop: commit the next image, edit by hand, look at what runs."""

import asyncio
import re

from tests.e2e.faults.chaos.people import application

from outrider import subjects
from outrider.bus import BusError
from outrider.bus.services import RequestRefused, ask
from outrider_playground.demo.edge import Edge
from outrider_playground.demo.fleet import Fleet
from outrider_playground.demo.hub import Hub
from outrider_playground.demo.story import SHOP
from outrider_playground.waiting import eventually

TELL_WITHIN_S = 90.0
_TAG = re.compile(r"shop:(\S+)")


async def bump(fleet: Fleet) -> str:
    """Commit the shop's next image without telling anybody; return its tag."""
    file = fleet.repository.folder / SHOP
    before = _TAG.findall(await asyncio.to_thread(file.read_text))[0]
    tag = f"1.{int(before.split('.')[1]) + 1}"
    await asyncio.to_thread(fleet.repository.replace, SHOP, f"shop:{before}", f"shop:{tag}", f"Shop {tag}")
    return tag


async def tell(fleet: Fleet) -> None:
    """Tell the hub of a commit until it has heard."""

    async def told() -> bool:
        try:
            # Whoever took the question may have been killed with it.
            await fleet.hub.refresh(fleet.repository.url, timeout_s=15)
        except (BusError, RequestRefused):
            return False
        return True

    await eventually(told, TELL_WITHIN_S)


async def bumped(fleet: Fleet) -> str:
    """Commit the shop's next image and have the hub hear of it; return its tag."""
    tag = await bump(fleet)
    await tell(fleet)
    return tag


async def runs(tag: str, *edges: Edge, within_s: float = 60) -> None:
    """Wait until the shop runs with an image."""
    await eventually(lambda: all(edge.image("shop", "shop").endswith(f":{tag}") for edge in edges), within_s)


def vandalise(edge: Edge) -> None:
    """Edit what the shop says, as somebody with kubectl does."""
    menu = edge.cluster.get("ConfigMap", "menu", "shop")
    assert menu is not None
    edge.cluster.edit(menu, {"data": {"greeting": "Closed"}}, "kubectl-edit")


async def is_mended(edge: Edge, within_s: float = 30) -> None:
    """Wait until the shop says what it should."""

    def mended() -> bool:
        menu = edge.cluster.get("ConfigMap", "menu", "shop")
        return menu is not None and menu["data"]["greeting"] == "Welcome"

    await eventually(mended, within_s)


async def apply(fleet: Fleet, name: str, edge: Edge, path: str) -> None:
    """Apply an application with a namespace of its own."""
    manifest = application(name, edge.name, path, fleet.repository.url)
    await ask(fleet.hub.connection, subjects.registry("app.apply"), {"manifest": manifest})


async def delete(hub: Hub, name: str) -> None:
    """Delete an application with its objects."""
    await ask(hub.connection, subjects.registry("app.delete"), {"name": name})


async def shown(fleet: Fleet, name: str, within_s: float = 60, **expected: object) -> None:
    """Wait until the hub's list shows an application like that. A text is looked for inside of a message."""

    def as_expected(known: dict[str, dict[str, object]]) -> bool:
        item = known.get(name, {})
        return all(
            str(value) in str(item.get(key)) if key == "message" else item.get(key) == value
            for key, value in expected.items()
        )

    await fleet.until(as_expected, within_s)


async def gone(fleet: Fleet, name: str, within_s: float = 60) -> None:
    """Wait until the hub does not know an application any more."""
    await fleet.until(lambda known: name not in known, within_s)
