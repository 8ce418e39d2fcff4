"""What a cluster says of its agent and its site, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from outrider_cli import sizes

_TOLD_BY_SECTION = ("Hold", "HoldError")
# Conditions whose sentence the section says in parts.


def rows(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each line; nothing of what was not said."""
    agent = _section(about, "agent")
    if agent.get("version"):
        since = f", up since {agent['started_at']}" if agent.get("started_at") else ""
        yield "agent", f"{agent['version']}{since}"
    yield from _link(_section(about, "link"))
    yield from _holds(_section(about, "hold"))
    yield from _rendering(_section(about, "rendering"))
    yield from _replica(_section(about, "replica"))
    for condition in about.get("conditions") or ():
        if condition.get("type") in _TOLD_BY_SECTION:
            continue
        yield str(condition.get("type", "")), str(condition.get("message", ""))


def _replica(section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "size_bytes" in section:
        budget = section.get("write_budget_bytes")
        of = f" of {sizes.shown(budget)}" if budget else ""
        written = f"{sizes.shown(section.get('written_bytes_today', 0))}{of}"
        where = "" if section.get("keeps", True) else ", in memory: a restart loses it"
        yield "replica", f"{sizes.shown(section['size_bytes'])}, {written} written today{where}"
    if section.get("rebuilt_at"):
        yield "replica rebuilt", f"{section['rebuilt_at']}: {section.get('why', '')}"


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


def _holds(hold: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield who holds what until when and why, and what is wrong with the ConfigMap."""
    for one in _maps(hold.get("standing")):
        names = ", ".join(map(str, one.get("applications") or ())) or "the whole cluster"
        who = str(one.get("by") or ("" if one.get("source") == "configmap" else "somebody on the site"))
        where = "ConfigMap outrider-hold" if one.get("source") == "configmap" else ""
        by = f"{who} ({where})" if who and where else who or where
        reason = f": {one['reason']}" if one.get("reason") else ""
        yield "hold", f"{names}, by {by} until {one.get('until', '')}{reason}"
    for problem in hold.get("problems") or ():
        yield "hold", f"problem: {problem}"


def held(about: Mapping[str, Any]) -> str:
    """Return what a screen has room for of a cluster's holds; empty: nothing is held."""
    standing = list(_maps(_section(about, "hold").get("standing")))
    if not standing:
        return ""
    last = standing[0]
    names = last.get("applications") or ()
    what = f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''} " if names else ""
    reason = f": {last['reason']}" if last.get("reason") else ""
    more = f" and {len(standing) - 1} more" if len(standing) > 1 else ""
    return f"{what}until {last.get('until', '')}{reason}{more}"


def _maps(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (one for one in value or () if isinstance(one, Mapping))


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
