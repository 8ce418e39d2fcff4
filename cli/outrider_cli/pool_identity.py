"""Make a pool's identity: its keys here, its JWT at the hub, both in one file for `outrider renderer`.

There are two keys: one connects, the other opens the credentials of the pool's repositories. The private halves are made in this
process and go into that file alone.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outrider_cli import credentials_file
from outrider_cli.asking import asking
from outrider_cli.failure import note
from outrider_cli.output import Format, emit, encoded

if TYPE_CHECKING:
    from pathlib import Path

    from outrider.identity.credentials import Credentials
    from outrider.identity.keys import KeyPair
    from outrider_cli.hub import Hub


@dataclass(frozen=True)
class Request:
    """What `outrider pool add` was asked for."""

    name: str
    out: Path | None
    replace: bool
    hub_server: tuple[str, ...]


@dataclass(frozen=True)
class Keys:
    """Both keys of a pool."""

    user: KeyPair
    sealing: bytes


def make(state: Path | None, output: Format, request: Request) -> None:
    """Carry out `outrider pool add`."""
    keys = _keys(request)
    credentials_file.check_writable(request.out)
    made, sealed_before = asking(state, lambda hub: _registered(hub, request, keys))
    text = made.format()
    if request.out is None:
        sys.stdout.write(_printed(text, output, request))
        sys.stdout.flush()
    else:
        credentials_file.write(request.out, text)
        summary = {"name": request.name, "file": str(request.out), "servers": list(made.servers)}
        emit(summary, output, lambda: f"pool/{request.name} added: {request.out}")
    _advise(request, sealed_before)


def _printed(text: str, output: Format, request: Request) -> str:
    if output == "json" or output == "yaml":
        return encoded({"name": request.name, "credentials": text}, output)
    return text


def _keys(request: Request) -> Keys:
    """Return the keys in the file that is to be written, if it holds this pool's; else fresh ones."""
    from outrider.identity import sealing
    from outrider.identity.keys import KeyPair, generate

    before = credentials_file.held(request.out, request.name, is_pool=True)
    if before is None or before.sealing_key is None or request.replace:
        return Keys(generate("user"), sealing.generate_key())
    return Keys(KeyPair(before.user.seed), before.sealing_key)


async def _registered(hub: Hub, request: Request, keys: Keys) -> tuple[Credentials, list[Any]]:
    from outrider.bus.model import User
    from outrider.identity import sealing
    from outrider.identity.credentials import Credentials

    answer = await hub.registry(
        "pool.add",
        name=request.name,
        public_key=keys.user.public,
        sealing_key=sealing.public_key(keys.sealing),
        replace=request.replace or None,
    )
    made = Credentials(
        user=User(request.name, str(answer["jwt"]), keys.user.seed, is_pool=True),
        servers=request.hub_server or tuple(str(server) for server in answer["servers"]),
        ca_pem=str(answer["ca_pem"]) if answer["ca_pem"] else None,
        hub_keys=tuple(bytes(one) for one in answer["hub_keys"]),
        sealing_key=keys.sealing,
    )
    return made, list(answer.get("sealed_before") or ())


def _advise(request: Request, sealed_before: list[Any]) -> None:
    if sealed_before:
        urls = ", ".join(str(url) for url in sealed_before)
        note(
            f"note: what is known of {urls} was sealed to the keys that this pool had: "
            "give the credentials again, with `outrider repo add`"
        )
    note(
        f"next: outrider renderer --credentials {request.out or 'FILE'}   (where the repositories can be reached)"
    )
    note(f"and: outrider repo add URL --pool {request.name}")
