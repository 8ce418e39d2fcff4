"""Commits: images bumped, objects added, changed and removed, YAML broken and mended, folders gone, history rewritten."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import yaml
from tests.e2e.faults.chaos.world import Step, World

from outrider.bus import BusError
from outrider.bus.services import RequestRefused
from outrider_playground.demo import content

FOLDERS = ("alpha", "beta", "gamma")
MISTAKE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mistake\n"
BROKEN = "mistake.yaml"


def files() -> dict[str, str]:
    """Return the folders that chaos works on, beside the demo's."""
    found = {}
    for folder in FOLDERS:
        found[f"{folder}/deployment.yaml"] = content.deployment("main", "registry.example.com/main:1.0")
        found[f"{folder}/settings.yaml"] = settings("settings", 0)
    return found


def settings(name: str, number: int) -> str:
    """Return a ConfigMap's YAML."""
    data = {"number": str(number), "text": f"what {name} says {number}"}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


def bump(world: World) -> Step:
    """A new image in one folder."""
    folder, number = world.dice.choice((*FOLDERS, "shop")), world.number()
    name = "shop" if folder == "shop" else "main"
    text = content.deployment(name, f"registry.example.com/{name}:1.{number}")
    return _commit(world, {f"{folder}/deployment.yaml": text}, f"bump {folder} to 1.{number}")


def change(world: World) -> Step:
    """Another value in a ConfigMap of one folder."""
    folder, number = world.dice.choice(FOLDERS), world.number()
    text = settings("settings", number)
    return _commit(world, {f"{folder}/settings.yaml": text}, f"set {folder} to {number}")


def add(world: World) -> Step:
    """Another object in one folder."""
    folder, number = world.dice.choice(FOLDERS), world.number()
    text = settings(f"extra-{number}", number)
    return _commit(world, {f"{folder}/extra-{number}.yaml": text}, f"add extra-{number} to {folder}")


def remove(world: World) -> Step | None:
    """An added object less, if there is any."""
    there = sorted(
        str(p.relative_to(_root(world))) for f in FOLDERS for p in (_root(world) / f).glob("extra-*")
    )
    if not there:
        return None
    gone = world.dice.choice(there)
    return _with_webhook(world, f"remove {gone}", lambda: world.fleet.repository.remove([gone], "Remove"))


def replace_release(world: World) -> Step:
    """Another image in the Helm chart's values, and in the kustomization."""
    number = world.number()
    values = f"replicas: 1\nimage: registry.example.com/signage:1.{number}\n"
    kustomization = content.KUSTOMIZATION.replace('newTag: "1.0"', f'newTag: "1.{number}"')
    changed = {"signage/values.yaml": values, "till/kustomization.yaml": kustomization}
    return _commit(world, changed, f"bump signage and till to 1.{number}")


def mistake(world: World) -> Step | None:
    """YAML that can't be read, in one folder."""
    sound = [folder for folder in FOLDERS if not (_root(world) / folder / BROKEN).exists()]
    if not sound:
        return None
    folder = world.dice.choice(sound)
    return _commit(world, {f"{folder}/{BROKEN}": MISTAKE}, f"break {folder}")


def mend(world: World) -> Step | None:
    """The mistake taken out again."""
    broken = _broken(world)
    if not broken:
        return None
    gone = world.dice.choice(broken)
    return _with_webhook(world, f"mend {gone}", lambda: world.fleet.repository.remove([gone], "Mend"))


def rewrite(world: World) -> Step:
    """History rewritten: the last commits are gone, another one is on top."""
    back, folder, number = world.dice.randint(1, 3), world.dice.choice(FOLDERS), world.number()

    def rewritten() -> str:
        world.fleet.repository.rewrite(back)
        text = settings("settings", number)
        return world.fleet.repository.commit({f"{folder}/settings.yaml": text}, "Rewritten")

    return _with_webhook(world, f"force push: {back} commits back, then set {folder} to {number}", rewritten)


async def heal(world: World) -> None:
    """Take every mistake out of the repository, and have the hub told."""
    if broken := _broken(world):
        await asyncio.to_thread(world.fleet.repository.remove, broken, "Mend all")


def _root(world: World) -> Path:
    return world.fleet.repository.folder


def _broken(world: World) -> list[str]:
    return [f"{folder}/{BROKEN}" for folder in FOLDERS if (_root(world) / folder / BROKEN).exists()]


def _commit(world: World, changed: dict[str, str], text: str) -> Step:
    return _with_webhook(world, text, lambda: world.fleet.repository.commit(changed, text))


def _with_webhook(world: World, text: str, commit: Callable[[], str]) -> Step:
    told = world.dice.random() < 0.6

    async def act() -> None:
        await asyncio.to_thread(commit)
        if told:
            asked = world.fleet.hub.refresh(world.fleet.repository.url)
            try:
                async with asyncio.timeout(1):
                    await asked
            except (BusError, RequestRefused, TimeoutError):
                # As a webhook that nobody hears: the next look finds it.
                return

    return Step(f"{text}{'' if told else ' (no webhook)'}", act)
