"""What can be asked on the site: status, journal, sync, refresh, rollback, terminate, hold, release, import.

Syncs and rollbacks are the hub's commands with another way in: the same rules, the same sentences. What is only here is the site's
own right: to hold, and to roll back what syncs by itself and hold it there.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from edge_agent.commands import sync as commands
from edge_agent.commands.arguments import CannotDo, flag, number, text, texts
from edge_agent.commands.site import Site
from edge_agent.hold.model import LONGEST, REASON_MAX_CHARS, Hold, one_line, told
from edge_agent.hold.reading import end_of
from edge_agent.local.status import status
from outrider.messages import Command

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from edge_agent.applications import Applications
    from edge_agent.edge import Edge
    from edge_agent.hold.holds import Holds
    from edge_agent.hold.keeper import Keeper
    from edge_agent.local.server import Call
    from edge_agent.local.waiting import Watchers
    from edge_agent.rendering.requests import Requests
    from edge_agent.settings import Settings

JOURNAL_MAX = 1000
TAKEN_WITHIN_S = 10.0


@dataclass(frozen=True)
class Verbs:
    """The verbs of one agent."""

    edge: Edge
    applications: Applications
    holds: Holds
    keeper: Keeper
    watchers: Watchers
    settings: Settings
    rendering: Requests | None = None
    """Of what is rendered here."""

    def all(self) -> Mapping[str, Callable[[Call], Awaitable[Any]]]:
        """Return each verb by its name."""
        return {
            "status": self.status,
            "journal": self.journal,
            "sync": self.sync,
            "refresh": self.refresh,
            "rollback": self.rollback,
            "terminate": self.terminate,
            "hold": self.hold,
            "release": self.release,
            "import": self.import_,
        }

    async def status(self, _call: Call) -> dict[str, Any]:
        """Return how everything stands, from what is known at this moment."""
        return status(self.edge, self.applications, self.keeper, self.settings)

    async def journal(self, call: Call) -> list[dict[str, Any]]:
        """Return the newest entries, oldest first. {count}"""
        count = min(max(1, number(call.arguments, "count") or 50), JOURNAL_MAX)
        return [
            {"seq": one.seq, "at_ms": one.at_ms, "app": one.app, "kind": one.kind, "detail": one.detail}
            for one in self.edge.replica.journal.last(count)
        ]

    async def sync(self, call: Call) -> dict[str, Any]:
        """Sync an application. {app, prune?, dry_run?, resources?, options?, strategy?, urgent?, revision?, wait?}"""
        command = self._command(call)
        answer = commands.sync(command, self._site)
        return await self._followed(call, command, answer if isinstance(answer, dict) else await answer)

    async def refresh(self, call: Call) -> dict[str, Any]:
        """Look again, at its repositories too where it is rendered here. {app, hard?}"""
        return await commands.refresh(self._command(call), self._site)

    async def rollback(self, call: Call) -> dict[str, Any]:
        """Roll an application back, and with `hold` hold it there. {app, id?, prune?, dry_run?, urgent?, hold?, wait?}"""
        command = self._command(call)
        app = self._site.app(command)
        if command.arguments.get("id") is None:
            command.arguments["id"] = self._last_other(app)
        given = call.arguments.get("hold")
        if given is None:
            return await self._followed(call, command, commands.rollback(command, self._site))
        if not isinstance(given, dict):
            raise CannotDo("hold must be a map of reason and until or for")
        wanted = self._wanted({"reason": f"{app} was rolled back", **given}, call.user, [app])
        command.arguments["urgent"] = True
        answer = self.keeper.hold(wanted, lambda: commands.rollback(command, self._site))
        return await self._followed(call, command, {**answer, "hold": self._sentence(wanted)})

    async def terminate(self, call: Call) -> dict[str, Any]:
        """End the sync of an application that is under way. {app}"""
        return commands.terminate(self._command(call), self._site)

    async def hold(self, call: Call) -> dict[str, Any]:
        """Hold applications, or the whole cluster. {applications?, reason, until? or for?}"""
        if not text(call.arguments, "reason").strip():
            raise CannotDo("say why: give a reason, which the hub is shown as well")
        wanted = self._wanted(call.arguments, call.user, self._named(call))
        self.keeper.hold(wanted)
        return {**wanted.value(), "message": self._sentence(wanted)}

    async def release(self, call: Call) -> dict[str, Any]:
        """End the site's holds of applications, or all of them. {applications?}"""
        ended = self.keeper.release(self._named(call), call.user)
        return {
            "released": [{**hold.value(), "message": self._sentence(hold)} for hold in ended],
            "standing": self.keeper.listed(),
        }

    async def import_(self, call: Call) -> dict[str, Any]:
        """Take in an export that the client sends. {}"""
        from edge_agent.local.importing import import_file  # only here: it costs memory

        return await import_file(self.edge, call)

    @property
    def _site(self) -> Site:
        return Site(self.edge.name, self.applications, self.edge.outbound.resend, self.rendering)

    def _command(self, call: Call) -> Command:
        """Return what the hub would have sent; who asks is said here, not by the client."""
        arguments = {
            name: value
            for name, value in call.arguments.items()
            if name not in ("wait", "hold", "initiated_by")
        }
        return Command(secrets.token_hex(8), {**arguments, "initiated_by": call.by})

    def _last_other(self, app: str) -> int | None:
        """Return the newest history entry that is not what is desired, of an application that syncs by itself; None: the usual one.

        Where the newest version never became healthy, what ran before is the newest entry, not the one before it; and who asks
        twice stays where the first time led.
        """
        state, _ = self.applications.about(app)
        if state.progress is None or state.desired is None or not state.policy.automated:
            return None
        digest = state.desired.digest
        return next((one.id for one in reversed(state.progress.history) if one.digest != digest), None)

    async def _followed(self, call: Call, command: Command, answer: dict[str, Any]) -> dict[str, Any]:
        if not flag(call.arguments, "wait"):
            # What is answered outlives the agent. One that just starts answers all the same.
            with suppress(TimeoutError):
                async with asyncio.timeout(TAKEN_WITHIN_S):
                    await self.watchers.taken(answer["app"], command.request_id)
            return answer
        ended = await call.unless_gone(self.watchers.over(answer["app"], command.request_id, call.progress))
        return {**answer, "result": "finished", "operationState": ended}

    def _named(self, call: Call) -> list[str]:
        """Return the applications that a call names; CannotDo for one that isn't here. None: the whole cluster."""
        named = list(texts(call.arguments, "applications") or ())
        absent = sorted(set(named) - set(self.applications.names()))
        if absent:
            there = ", ".join(self.applications.names()) or "none"
            raise CannotDo(f"{', '.join(absent)}: not on cluster {self.edge.name!r}, which has {there}")
        return named

    def _wanted(self, arguments: Mapping[str, Any], by: str, applications: Iterable[str]) -> Hold:
        """Return the hold that is asked for; CannotDo says which argument is wrong."""
        now = self.edge.now().astimezone(UTC)
        end = end_of(text(arguments, "until"), text(arguments, "for"), now, self.holds.zone())
        if end.faults:
            raise CannotDo(f"{end.faults[0].partition(';')[0]} (at most {LONGEST.days} days)")
        if end.until - now < timedelta(seconds=1):
            raise CannotDo(
                f"until: {told(end.until)} is over by the clock of this site, which says {told(now)}"
            )
        reason = one_line(text(arguments, "reason"), REASON_MAX_CHARS)
        return Hold("site", now, end.until, reason, by, frozenset(applications), end.lasts)

    def _sentence(self, hold: Hold) -> str:
        return hold.sentence(self.holds.zone())
