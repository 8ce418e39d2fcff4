"""The agent's answers for people: plain lines and tables. What comes from the cluster is made fit for a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge_agent.hold.model import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

CELL_MAX_CHARS = 400
_REVISION_CHARS = 7
_COMMIT_CHARS = 40


def status(answer: Mapping[str, Any]) -> str:
    """Return what `outrider agent status` prints."""
    about = answer["about"]
    lines = [("cluster", f"{answer['cluster']} (agent {answer['version']}, in {answer['state']})")]
    lines += [("link", _link(answer["link"], answer["now"]))]
    lines += [("seen up to", f"generation {'.'.join(map(str, answer['link']['generation']))}")]
    lines += [("journal", _journal_state(answer["journal"]))]
    lines += [(name, _section(about[name])) for name in sorted(about) if name not in ("conditions", "agent")]
    lines += [("hold", f"{_whom(one)}{one['message']}") for one in answer["hold"]["standing"]]
    lines += [("hold", f"problem: {one}") for one in answer["hold"]["problems"]]
    told = {"Hold", "HoldError"}
    lines += [
        (one["type"], one["message"]) for one in about.get("conditions") or () if one["type"] not in told
    ]
    apps = answer["applications"]
    rows = [
        [
            app["name"],
            app["sync"],
            app["health"],
            revision(app["revision"]),
            app["waits_for"] or _trouble(app),
        ]
        for app in apps
    ]
    shown = (
        table(["APPLICATION", "SYNC", "HEALTH", "REVISION", "WAITS FOR"], rows)
        if apps
        else "No applications.\n"
    )
    return fields(lines) + "\n" + shown


def _link(link: Mapping[str, Any], now: str) -> str:
    state = "up" if link["connected"] else "down"
    since = f"{state} since {link['since']} ({_ago(link['since'], now)})"
    heard = link["acknowledged_at"]
    told = (
        f"the hub acknowledged last at {heard}"
        if heard
        else "the hub has acknowledged nothing since the agent began"
    )
    waiting = f"; {link['waiting']} documents wait" if link["waiting"] else ""
    return f"{since}; {told}{waiting}"


def _journal_state(journal: Mapping[str, Any]) -> str:
    sent = (
        "all of it is at the hub" if journal["all_sent"] else f"the hub has it up to entry {journal['sent']}"
    )
    return f"{journal['bytes']} bytes; {sent}"


def _section(section: Any) -> str:
    if not isinstance(section, dict):
        return str(section)
    said = (
        (name.replace("_", " "), value)
        for name, value in sorted(section.items())
        if value not in ({}, [], "")
    )
    return ", ".join(f"{name} {_value(value)}" for name, value in said)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {one}" for name, one in sorted(value.items())) + ")"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _named(hold: Mapping[str, Any]) -> str:
    return ", ".join(hold.get("applications") or ()) or "the whole cluster"


def _whom(hold: Mapping[str, Any]) -> str:
    names = hold.get("applications") or ()
    return f"{', '.join(names)}: " if names else "the whole cluster is "


def _trouble(app: Mapping[str, Any]) -> str:
    return "; ".join(f"{one['type']}: {one['message']}" for one in app["conditions"])


def operation(answer: Mapping[str, Any], verb: str) -> str:
    """Return what became of a sync or rollback: begun, or over with what it did to each object."""
    held = f"{answer['app']} is {answer['hold']}\n" if answer.get("hold") else ""
    ended = answer.get("operationState")
    if ended is None:
        return f"{held}application/{answer['app']} {verb} {answer['result']}\n"
    result = ended.get("syncResult") or {}
    head = fields(
        [
            (verb, str(ended.get("phase", "gone"))),
            ("revision", revision(str(result.get("revision", "")))),
            ("message", str(ended.get("message", ""))),
            ("finished", str(ended.get("finishedAt", ""))),
        ]
    )
    rows = [
        [
            _kind(one),
            _place(one),
            one.get("status") or "",
            one.get("hookPhase") or "",
            one.get("message") or "",
        ]
        for one in result.get("resources") or ()
    ]
    return held + head + ("\n" + table(["KIND", "NAME", "RESULT", "HOOK", "MESSAGE"], rows) if rows else "")


def refreshed(answer: Mapping[str, Any]) -> str:
    """Return what `refresh` found."""
    lines = [f"application/{answer['app']} refreshed"]
    for url, found in (answer.get("revisions") or {}).items():
        lines += [f"{url} {name}: {one}" for name, one in found.items()]
    lines += [f"warning: {one}" for one in answer.get("warnings") or ()]
    return "".join(f"{_line(line)}\n" for line in lines)


def _kind(one: Mapping[str, Any]) -> str:
    return f"{one.get('kind')}.{one['group']}" if one.get("group") else str(one.get("kind"))


def _place(one: Mapping[str, Any]) -> str:
    return f"{one['namespace']}/{one.get('name')}" if one.get("namespace") else str(one.get("name"))


def held(answer: Mapping[str, Any]) -> str:
    """Return what `hold` did."""
    return f"{_whom(answer)}{answer['message']}\n"


def released(answer: Mapping[str, Any]) -> str:
    """Return what `release` did, and what holds all the same."""
    lines = [f"released: {_named(one)}, {one['message']}" for one in answer["released"]] or [
        "nothing was held by `hold`"
    ]
    for one in answer["standing"]:
        advice = "; delete the ConfigMap to end it" if one["source"] == "configmap" else ""
        lines.append(f"still: {_whom(one)}{one['message']}{advice}")
    return "".join(f"{_line(line)}\n" for line in lines)


def journal(entries: Iterable[Mapping[str, Any]]) -> str:
    """Return a line an entry."""
    rows = [[_at(one["at_ms"]), one["app"] or "-", one["kind"], _detail(one["detail"])] for one in entries]
    return table(["TIME", "APPLICATION", "WHAT", "DETAIL"], rows) if rows else "Nothing has happened yet.\n"


def _detail(detail: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {_value(value)}" for name, value in detail.items() if value not in ("", None, [], {})
    )


def imported(answer: Mapping[str, Any]) -> str:
    """Return what an export changed, an application a line."""
    made, generation = _at(answer["made_at_ms"]), ".".join(map(str, answer["generation"]))
    rows = [
        [one["name"], one["result"], _moved(one["before"], one["revision"])] for one in answer["applications"]
    ]
    mended = f", {_counted(answer['mended'], 'lost bundle')} brought back" if answer.get("mended") else ""
    head = (
        f"made {made} from generation {generation}: {_counted(answer['changed'], 'record')} taken{mended}\n"
    )
    return head + (table(["APPLICATION", "RESULT", "REVISION"], rows) if rows else "")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _moved(before: str, after: str) -> str:
    if not before or before == after:
        return revision(after)
    return f"{revision(before)} -> {revision(after)}"


def progress(operation: Mapping[str, Any]) -> str:
    """Return how far an operation is, as one line."""
    return _line(f"{operation.get('phase', '')}: {operation.get('message', '')}")


def revision(text: str) -> str:
    """Return a revision as people write it: a commit by its first digits."""
    return ",".join(one[:_REVISION_CHARS] if len(one) == _COMMIT_CHARS else one for one in text.split(","))


def table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table without lines, its last column as long as it is."""
    cells = [list(titles), *([_line(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(titles) - 1)]
    return "".join(_joined(row, widths) for row in cells)


def fields(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and values, those without a value left out."""
    shown = [(_line(name), _line(value)) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    return "".join(_joined([name, value], [width]) for name, value in shown)


def _joined(row: Sequence[str], widths: Sequence[int]) -> str:
    padded: Iterator[str] = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
    return "  ".join([*padded, row[-1]]).rstrip() + "\n"


def _line(value: Any) -> str:
    return one_line(value, CELL_MAX_CHARS)


def _at(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _ago(since: str, now: str) -> str:
    seconds = max(0, round((datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()))
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
