"""`outrider repo`: which Git repositories the hub may read, and with what.

Secrets are read from standard input or files, never from the command line (which every process of the machine can read), and
sealed here to the key of the renderers that will read it: the hub stores what it can't open.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from outrider import subjects
from outrider.names import DEFAULT_POOL
from outrider_cli import completion, freshness
from outrider_cli.asking import asking
from outrider_cli.failure import Failed, Reported, note
from outrider_cli.output import Format, emit, objects_option, output_option, styled, table
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from rich.console import RenderableType

    from outrider_cli.hub import Hub

_COMMIT = re.compile(r"[0-9a-f]{40,64}")
SECRET_MAX_BYTES = 64 * 1024
# No password, key or list of authorities is longer; what is, is the wrong file.


@click.group()
def repo() -> None:
    """Give the hub access to Git repositories.

    A public repository needs nothing: an application names it and the hub reads it. `repo add` is for those that ask for
    credentials, or have a certificate of an authority of your own.
    """


@dataclass(frozen=True)
class Access:
    """What `outrider repo add` was given."""

    username: str | None
    password_stdin: bool
    ssh_key: Path | None
    known_hosts: Path | None
    ca: Path | None

    def check(self, url: str) -> None:
        """Refuse combinations that can't be meant."""
        if self.password_stdin and not self.username:
            raise click.UsageError(
                "--password-stdin needs --username (for a token, most servers take any name)"
            )
        if self.username and not self.password_stdin:
            raise click.UsageError("--username needs --password-stdin: give the password on standard input")
        if self.ssh_key and self.username:
            raise click.UsageError("give a password or an SSH key, not both")
        if self.ssh_key and not self.known_hosts:
            raise click.UsageError(
                "--ssh-key needs --known-hosts: the server's key must be known (ssh-keyscan HOST prints it; compare it)"
            )
        if urlsplit(url).password is not None:
            raise click.UsageError(
                "the URL holds a password, which would be shown in lists: leave it out, use --username and --password-stdin"
            )

    def secret(self) -> dict[str, str]:
        """Read what is to be sealed; empty if nothing was given."""
        given = {
            "username": self.username,
            "password": _from_stdin() if self.password_stdin else None,
            "ssh_private_key": _from_file(self.ssh_key),
            "ssh_known_hosts": _from_file(self.known_hosts),
            "tls_ca": _from_file(self.ca),
        }
        return {name: value for name, value in given.items() if value}

    def public(self) -> dict[str, str]:
        """Return what may be shown of it."""
        if self.ssh_key:
            return {"kind": "ssh"}
        if self.username:
            return {"kind": "password", "username": self.username}
        return {"kind": "none"}


def _from_stdin() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, err=True))
    secret = sys.stdin.read(SECRET_MAX_BYTES + 1).rstrip("\r\n")
    if not secret:
        raise Failed("standard input holds no password")
    if len(secret) > SECRET_MAX_BYTES:
        raise Failed("standard input is too long for a password")
    return secret


def _from_file(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            held = file.read(SECRET_MAX_BYTES + 1)
        if len(held) > SECRET_MAX_BYTES:
            raise Failed(f"{path} is too long for a key or a certificate")
        return held.decode()
    except OSError as error:
        raise Failed(f"can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Failed(f"{path} is no text: keys and certificates are given as PEM") from error


@repo.command()
@click.argument("url")
@click.option("--username", help="For HTTPS; with --password-stdin.")
@click.option("--password-stdin", is_flag=True, help="Read the password or token from standard input.")
@click.option(
    "--ssh-key", type=click.Path(path_type=Path), help="A private key file, for SSH; with --known-hosts."
)
@click.option("--known-hosts", type=click.Path(path_type=Path), help="A file with the SSH server's key.")
@click.option(
    "--ca",
    type=click.Path(path_type=Path),
    help="Certificates (PEM) to trust for HTTPS, instead of the public ones.",
)
@click.option(
    "--pool",
    shell_complete=completion.pools,
    help="Which renderers read it: a pool made with `outrider pool add`, or `default`, the hub's own. [default: as before]",
)
@hub_option
@output_option
def add(url: str, pool: str | None, state: Path | None, output: Format, **given: Any) -> None:
    """Add repository URL, or change how it is reached.

    \b
    outrider repo add https://git.example.com/shops.git --username ci --password-stdin < token
    outrider repo add ssh://git@git.example.com/shops.git --ssh-key id_ed25519 --known-hosts known_hosts
    """
    access = Access(**given)
    access.check(url)
    secret = access.secret()

    async def added(hub: Hub) -> dict[str, Any]:
        closed = await sealed(hub, secret, url=url, pool=pool) if secret else None
        shown = access.public() if secret else None
        return await hub.registry("repo.add", url=url, pool=pool, sealed=closed, public=shown)

    answer = {"url": url, **asking(state, added)}
    emit(answer, output, lambda: styled(f"repository {url} {answer.get('result', 'added')}", ""))


async def sealed(hub: Hub, secret: dict[str, str], *, url: str, pool: str | None = None) -> bytes:
    """Return what is secret, sealed to the renderers of a pool; without one, of the pool that the repository has."""
    from outrider.identity import sealing

    key = (await hub.registry("repo.key", url=url, pool=pool))["sealing_key"]
    return sealing.seal(secret, bytes(key))


@repo.command("list")
@hub_option
@objects_option
def list_repositories(state: Path | None, output: Format) -> None:
    """List the repositories that were added."""
    items = asking(state, _all)
    emit(items, output, lambda: _as_table(items), names=(f"repository/{item['url']}" for item in items))


async def _all(hub: Hub) -> list[dict[str, Any]]:
    return [item async for item in hub.pages(subjects.registry("repo.list"))]


def _as_table(items: list[dict[str, Any]]) -> RenderableType:
    if not items:
        return styled("No repositories were added: public ones need no adding.", "")
    now = datetime.now().astimezone()
    rows = [
        [
            str(item["url"]),
            str(item.get("pool") or DEFAULT_POOL),
            str(_public(item).get("kind") or "none"),
            str(_public(item).get("username") or ""),
            freshness.ago(item.get("created_at_ms"), now),
        ]
        for item in items
    ]
    return table(["URL", "POOL", "ACCESS", "USERNAME", "ADDED"], rows)


def _public(item: dict[str, Any]) -> dict[str, Any]:
    return item.get("public") or {}


@repo.command()
@click.argument("url")
@hub_option
@output_option
def remove(url: str, state: Path | None, output: Format) -> None:
    """Forget repository URL and its credentials. Applications that use it keep what they run."""

    async def removed(hub: Hub) -> dict[str, Any]:
        return await hub.registry("repo.remove", url=url)

    answer = {"url": url, "result": "removed", **asking(state, removed)}
    emit(answer, output, lambda: styled(f"repository {url} removed", ""))


@repo.command()
@click.argument("url", required=False)
@hub_option
@output_option
def refresh(url: str | None, state: Path | None, output: Format) -> None:
    """Look at repository URL now instead of at the next poll; without URL at all of them.

    Edges that render from it are told to look as well, if they are online.
    """

    async def refreshed(hub: Hub) -> list[dict[str, Any]]:
        asked = await hub.registry("repo.refresh", url=url)
        edges = int(asked.get("clusters") or 0)
        answers: list[dict[str, Any]] = [{"edges": edges}] if edges else []
        # Nobody but edges may be using it.
        for pool in asked.get("pools") or ([] if edges else [DEFAULT_POOL]):
            try:
                answers.append({"pool": pool, **await hub.render(pool, "refresh", url=url)})
            except Failed as error:
                # One that is away keeps nobody from hearing of the others.
                answers.append({"pool": pool, "error": error.format_message()})
        return answers

    answers = asking(state, refreshed)
    for told in (answer["edges"] for answer in answers if "edges" in answer):
        note(f"{told} {'edge was' if told == 1 else 'edges were'} told to look")
    refused = [str(answer["error"]) for answer in answers if "error" in answer]
    if refused and len(refused) == len(answers):
        raise Failed("; ".join(refused))
    for reason in refused:
        note(f"not looked at: {reason}")
    rows = _revisions(answers)
    emit(answers, output, lambda: table(["REPOSITORY", "REVISION", "COMMIT"], rows))
    if refused or not all(_COMMIT.fullmatch(found) for _, _, found in rows):
        raise Reported


def _revisions(answers: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return repository, revision, and the commit that it points to (or what is wrong with it)."""
    return [
        (str(url), str(revision), str(found))
        for answer in answers
        for url, heads in sorted((answer.get("revisions") or {}).items())
        for revision, found in sorted(heads.items())
    ]
