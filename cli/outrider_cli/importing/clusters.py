"""Which registered cluster a destination of Argo CD means. Pure.

In this order: what the person says (`--cluster-map`); a cluster that is registered with the very server or name, which the hub
finds by itself, so that the manifest stays as it is; a cluster that is registered under the name, or with the server, that Argo CD
has for the same cluster. What none of these tells stays as it is, for the hub to judge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from outrider_cli.importing.secrets import ArgoCluster


class Registered(NamedTuple):
    """A cluster of this hub. `server` is empty where it was registered without one."""

    name: str
    server: str


@dataclass(frozen=True)
class ClusterMap:
    """What tells clusters here from clusters there."""

    given: Mapping[str, str] = field(default_factory=dict)
    # Argo CD's server or name -> the name here
    here: Iterable[Registered] = ()
    there: Iterable[ArgoCluster] = ()

    def meant(self, server: str, name: str) -> str:
        """Return the name here of the cluster with this server or this name there; empty if there is none."""
        server = server.rstrip("/")
        known = [
            one for one in self.there if (server and one.server == server) or (name and one.name == name)
        ]
        servers = {server, *(one.server for one in known)} - {""}
        names = {name, *(one.name for one in known)} - {""}
        for key in (server, name, *sorted(servers), *sorted(names)):
            if key and key in self.given:
                return self.given[key]
        by_name = [one.name for one in self.here if one.name in names]
        by_server = [one.name for one in self.here if one.server and one.server in servers]
        # What is written in the manifest comes before what Argo CD adds to it.
        return next(iter((*by_server, *by_name) if server else (*by_name, *by_server)), "")

    def stays(self, server: str, name: str) -> bool:
        """Say whether the hub finds the cluster by what the manifest says."""
        if server.rstrip("/") in self.given or name in self.given:
            return False
        meant = self.meant(server, name)
        return any(
            one.name == meant and (one.name == name or (bool(server) and one.server == server.rstrip("/")))
            for one in self.here
        )

    def placed(self, destination: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Return a destination as this hub understands it, and what was changed about it; empty if nothing was."""
        server, name = (_text(destination.get(field)) for field in ("server", "name"))
        meant = self.meant(server, name)
        if not meant or self.stays(server, name):
            return dict(destination), ""
        rest = {key: value for key, value in destination.items() if key not in ("server", "name")}
        return {"name": meant, **rest}, f"{server or name} is cluster {meant} here"

    def window(self, pattern: str) -> str:
        """Return what a sync window selects clusters by: another name where a cluster has one here."""
        if pattern in self.given:
            return self.given[pattern]
        if _is_pattern(pattern) or self.stays(pattern, pattern):
            return pattern
        return self.meant(pattern, pattern) or pattern

    def project(self, destination: Mapping[str, Any]) -> dict[str, Any]:
        """Return a project's destination as this hub understands it; patterns stay as they are."""
        server, name = (_text(destination.get(field)) for field in ("server", "name"))
        denies = (server or name).startswith("!")
        plain = {**destination, "server": server.removeprefix("!"), "name": name.removeprefix("!")}
        if _is_pattern(plain["server"]) or _is_pattern(plain["name"]):
            return dict(destination)
        placed, changed = self.placed(plain)
        return (
            {**placed, "name": f"{'!' if denies else ''}{placed['name']}"} if changed else dict(destination)
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[{")
