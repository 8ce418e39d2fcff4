"""What a cluster says of its agent and its site, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from outrider_cli import sizes


def rows(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each line; nothing of what was not said."""
    agent = _section(about, "agent")
    if agent.get("version"):
        since = f", up since {agent['started_at']}" if agent.get("started_at") else ""
        yield "agent", f"{agent['version']}{since}"
    yield from _link(_section(about, "link"))
    yield from _rendering(_section(about, "rendering"))
    for name in ("replica", "hold"):
        section = _section(about, name)
        if section:
            yield name, ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in section.items())
    for condition in about.get("conditions") or ():
        yield str(condition.get("type", "")), str(condition.get("message", ""))


def _rendering(section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not section:
        return
    repositories = [one for one in section.get("repositories") or () if isinstance(one, Mapping)]
    more = section.get("more_repositories")
    count = len(repositories) + (more if isinstance(more, int) else 0)
    yield "renders", f"{section.get('applications', 0)} applications of {count} repositories"
    for one in repositories:
        if one.get("error"):
            yield "repository", f"{one.get('url', '')}: {one['error']}"


def _link(link: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not link:
        return
    spent = sizes.shown(link.get("spent_today", 0))
    per_day = link.get("bytes_per_day")
    yield "link today", f"{spent} of {sizes.shown(per_day)}" if per_day else spent
    if link.get("bytes_per_s"):
        yield "link limit", f"{sizes.shown(link['bytes_per_s'])} a second"
    lanes = ", ".join(f"{lane} {sizes.shown(size)}" for lane, size in _section(link, "spent").items())
    yield "link by lane", f"{lanes} (since the agent began)" if lanes else ""


def _section(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}
