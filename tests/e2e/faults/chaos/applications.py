"""Applications made, deleted, made again under the same name, and moved to another cluster."""

from tests.e2e.faults.agreement import Wanted
from tests.e2e.faults.chaos.commits import FOLDERS
from tests.e2e.faults.chaos.people import application
from tests.e2e.faults.chaos.world import Step, World

NAMES_MAX = 9


def create(world: World) -> Step | None:
    """Another application, perhaps under a name that was used before."""
    free = [name for name in _names() if name not in world.wanted]
    if not free:
        return None
    name, edge, path = world.dice.choice(free), world.edge(), world.dice.choice(FOLDERS)
    return _applied(world, name, Wanted(edge.name, path), f"create {name} on {edge.name} from {path}")


def delete(world: World) -> Step | None:
    """An application less, with its objects."""
    name = _drawn(world)
    if name is None:
        return None

    async def act() -> None:
        del world.wanted[name]
        world.people.ask(name, None)

    return Step(f"delete {name}", act)


def recreate(world: World) -> Step | None:
    """Deleted and made again under its name at once, from another folder."""
    name = _drawn(world)
    if name is None:
        return None
    edge, path = world.edge(), world.dice.choice(FOLDERS)

    async def act() -> None:
        world.people.ask(name, None)
        await _applied(world, name, Wanted(edge.name, path), "").act()

    return Step(f"delete {name} and create it on {edge.name} from {path}", act)


def edit(world: World) -> Step | None:
    """An application reads another folder from here on."""
    name = _drawn(world)
    if name is None:
        return None
    path = world.dice.choice(FOLDERS)
    return _applied(world, name, Wanted(world.wanted[name].cluster, path), f"let {name} read {path}")


def move(world: World) -> Step | None:
    """An application moves to another cluster; as in Argo CD, its objects stay where it was."""
    name = _drawn(world)
    if name is None:
        return None
    before, edge = world.wanted[name], world.edge()
    if edge.name == before.cluster:
        return None
    world.leftovers.add((before.cluster, name))
    return _applied(world, name, Wanted(edge.name, before.path), f"move {name} to {edge.name}")


def _applied(world: World, name: str, wanted: Wanted, text: str) -> Step:
    async def act() -> None:
        world.wanted[name] = wanted
        url = world.fleet.repository.url
        world.people.ask(name, application(name, wanted.cluster, wanted.path, url))

    return Step(text, act)


def _names() -> list[str]:
    return [f"app-{number}" for number in range(1, NAMES_MAX + 1)]


def _drawn(world: World) -> str | None:
    there = [name for name in _names() if name in world.wanted]
    return world.dice.choice(there) if there else None
