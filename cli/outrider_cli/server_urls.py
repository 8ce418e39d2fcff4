"""URLs of a hub's servers, as people give them."""

from urllib.parse import urlsplit

import click

SCHEMES = ("tls", "wss", "nats", "ws")


def server_urls(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the URLs; a usage error names the one that is none."""
    for url in given:
        if not _is_server(url):
            raise click.BadParameter(
                f"{url!r} is no address of a hub: write it as tls://host:port or wss://host:port"
            )
    return given


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
