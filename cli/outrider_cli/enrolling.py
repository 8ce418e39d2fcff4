"""Make a cluster's identity: the key here, its JWT at the hub, both in one file or manifest.

The private half of the key is made in this process and goes into that file alone. Asked again for a file that this hub made
before, the key in it is kept, so the command can be repeated.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from outrider_cli import credentials_file, manifest
from outrider_cli.asking import asking
from outrider_cli.failure import note
from outrider_cli.output import Format, emit, encoded

if TYPE_CHECKING:
    from pathlib import Path

    from outrider.identity.credentials import Credentials
    from outrider.identity.keys import KeyPair

_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Request:
    """What `outrider cluster add` was asked for."""

    name: str
    label: dict[str, str]
    server: str | None
    time_zone: str | None
    bytes_per_second: int | None
    bytes_per_day: int | None
    render: str | None
    credentials_only: bool
    out: Path | None
    replace: bool
    hub_server: tuple[str, ...]
    image: str | None
    namespace: str
    ephemeral: bool

    @property
    def placement(self) -> manifest.Placement:
        """How the agent is to run, for the manifest."""
        renders = self.render == "edge"
        image = self.image or (manifest.RENDERING_IMAGE if renders else manifest.IMAGE)
        return manifest.Placement(image, self.namespace, self.ephemeral, renders)


@dataclass(frozen=True)
class Enrolled:
    """A cluster's credentials, and what is printed of them."""

    request: Request
    credentials: Credentials

    def text(self, output: Literal["json", "yaml"]) -> str:
        """Return the file's text."""
        if self.request.credentials_only:
            return self.credentials.format()
        objects = manifest.objects(self.credentials, self.request.placement)
        if output == "json":
            return encoded({"apiVersion": "v1", "kind": "List", "items": objects}, "json")
        return manifest.as_yaml(objects)


def enrol(state: Path | None, output: Format, request: Request) -> None:
    """Carry out `outrider cluster add`."""
    key = _key(request)
    credentials_file.check_writable(request.out)
    credentials = asking(state, lambda hub: _registered(hub, request, key))
    made = Enrolled(request, credentials)
    text = made.text("json" if output == "json" else "yaml")
    if request.out is None:
        _print(text, output, request)
    else:
        credentials_file.write(request.out, text)
        summary = {"name": request.name, "file": str(request.out), "servers": list(credentials.servers)}
        emit(summary, output, lambda: f"cluster/{request.name} added: {request.out}")
    _advise(made)


async def _registered(hub: Any, request: Request, key: KeyPair) -> Credentials:
    from outrider.bus.model import User
    from outrider.identity.credentials import Credentials

    answer = await hub.registry(
        "cluster.add",
        name=request.name,
        public_key=key.public,
        labels=request.label or None,
        server=request.server,
        time_zone=request.time_zone,
        bytes_per_second=request.bytes_per_second,
        bytes_per_day=request.bytes_per_day,
        render=request.render,
        replace=request.replace or None,
    )
    return Credentials(
        user=User(request.name, str(answer["jwt"]), key.seed),
        servers=request.hub_server or tuple(str(server) for server in answer["servers"]),
        ca_pem=str(answer["ca_pem"]) if answer["ca_pem"] else None,
        hub_keys=tuple(bytes(one) for one in answer["hub_keys"]),
    )


def _key(request: Request) -> KeyPair:
    """Return the key in the file that is to be written, if it holds this cluster's credentials; else a fresh one."""
    from outrider.identity.keys import KeyPair, generate

    held = credentials_file.held(
        request.out if request.credentials_only else None, request.name, is_pool=False
    )
    return generate("user") if held is None or request.replace else KeyPair(held.user.seed)


def _print(text: str, output: Format, request: Request) -> None:
    if output == "json" and request.credentials_only:
        text = encoded({"name": request.name, "credentials": text}, "json")
    elif output == "yaml" and request.credentials_only:
        text = encoded({"name": request.name, "credentials": text}, "yaml")
    sys.stdout.write(text)
    sys.stdout.flush()


def _advise(made: Enrolled) -> None:
    request, servers = made.request, made.credentials.servers
    where = request.out or "FILE"
    if all(urlsplit(server).hostname in _HERE for server in servers):
        note(
            f"note: this cluster will look for the hub at {', '.join(servers)}, which is its own machine. "
            "Give --hub-server URL, or start the hub with `outrider up --host NAME`."
        )
    if request.credentials_only:
        note(f"next: outrider agent --credentials {where}")
    elif request.out is not None:
        note(f"next: kubectl apply -f {where}   (on the edge cluster; the file holds its secret key)")
