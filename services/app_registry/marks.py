"""Where an answer about an application is from, of when it is, and whether its cluster is there: a part of each. Pure.

source     live: its agent has just answered. last-known: what is known last, since nobody answers. hub: the hub's own
basis      of what is known last: `answer` of the agent to the same question, or the `status` document alone
as_of      RFC 3339, by the hub's clock; none where nobody knows
age_s      how long ago that was
presence  freshness    as in answers of `hub.status.*`: what is known last is never fresh
"""

from datetime import UTC, datetime
from typing import Any

from app_registry.commands import Offline, Unanswered
from app_registry.last_answers import Kept
from app_registry.reported import Reported

LIVE, LAST_KNOWN, HUB = "live", "last-known", "hub"
Mark = dict[str, Any]


def live(now: datetime) -> Mark:
    """Mark an answer that an agent has just given."""
    return {"source": LIVE, "as_of": text(now), "age_s": 0, "presence": "online", "freshness": "fresh"}


def of_kept(kept: Kept, now: datetime) -> Mark:
    """Mark an agent's answer of another time."""
    age_s = int(now.timestamp() - kept.at_ms / 1000)
    return {
        "source": LAST_KNOWN,
        "basis": "answer",
        "as_of": text(moment(kept.at_ms)),
        # From the future, where the clock was set back since: nobody knows.
        "age_s": age_s if age_s >= 0 else None,
    }


def of_status(known: Reported, now: datetime) -> Mark:
    """Mark what the status document says: it is as of its cluster's last word."""
    age_s = known.word["age_s"]
    as_of = text(moment(round((now.timestamp() - age_s) * 1000))) if age_s is not None else None
    return {"source": LAST_KNOWN, "basis": "status", "as_of": as_of, "age_s": age_s}


def unanswered(known: Reported, error: Unanswered) -> Mark:
    """Say whether a cluster is there whose agent gave no answer. The server's word of who is connected is the newest."""
    word = {name: value for name, value in known.word.items() if name != "age_s"}
    if isinstance(error, Offline):
        word["presence"] = "offline"
    word["freshness"] = "offline" if word["presence"] == "offline" else "stale"
    if not known.item.get("delivered", True):
        word["undelivered_revision"] = known.item.get("desired_revision", "")
    return {**word, "reason": str(error)}


def text(at: datetime) -> str:
    """Return a moment in RFC 3339."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(at_ms: int) -> datetime:
    """Return the moment of a Unix time."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
