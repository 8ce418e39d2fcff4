"""Looking at an application: `hub.registry.app.tree`, `diff`, `manifest`, `manifests`.

What is on a cluster only its agent can tell, so it is asked. Where nobody answers, the answer is the last that is known: the agent's
last answer to the same question (`last_answers`), corrected by the last status document, or what that document says alone
(`from_status`). Every answer says where it is from and how old it is (`marks`); `live` in a request refuses instead. What is desired
the hub knows itself: no edge is asked for it, unless the edge renders it (`desired_at_hub`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from app_registry import arguments, fitting, from_status, marks
from app_registry.app import App
from app_registry.commands import Commands, Unanswered
from app_registry.desired_at_hub import DesiredAtHub
from app_registry.last_answers import Kept, LastAnswers
from app_registry.operations import Operations
from app_registry.reported import Reported, reported
from outrider.bus import Connection, NotFound
from outrider.bus.services import Endpoint, RequestRefused
from outrider.names import ClusterName
from outrider.subjects import registry

log = structlog.get_logger()

GROUP = "looks"
# Of endpoints, apart from those that change things.
SIDES = ("", "desired", "live")
_LISTS = {"tree": ("nodes", "orphaned"), "diff": ("resources",)}
# What an answer holds, each item a map.
_Arguments = dict[str, Any]


@dataclass(frozen=True)
class _Question:
    """One question about one application."""

    app: App
    cluster: ClusterName
    verb: str
    resource: dict[str, str] | None
    side: str
    # of a manifest; empty: both
    arguments: _Arguments
    # for the agent
    is_live_only: bool

    @property
    def topic(self) -> str:
        """Under which its answer is kept."""
        return f"{self.verb}-{self.side}" if self.side else self.verb


class Looks:
    """Serves requests to look at an application."""

    def __init__(
        self,
        connection: Connection,
        operations: Operations,
        commands: Commands,
        answers: LastAnswers,
        desired: DesiredAtHub,
        clock: Callable[[], datetime],
    ) -> None:
        self._connection, self._operations, self._commands = connection, operations, commands
        self._answers, self._desired, self._clock = answers, desired, clock

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        asked: dict[str, Callable[[_Arguments], Awaitable[Any]]] = {
            "tree": self.tree,
            "diff": self.diff,
            "manifest": self.manifest,
            "manifests": self.manifests,
        }
        return [
            Endpoint(f"app-{verb}", registry(f"app.{verb}"), handle, group=GROUP)
            for verb, handle in asked.items()
        ]

    async def tree(self, request: _Arguments) -> _Arguments:
        """Return an application's objects and what they own. {name, live?} -> {nodes, orphaned, …, its mark}."""
        return fitting.tree(await self._looked(self._question(request, "tree"), self._last_tree))

    async def diff(self, request: _Arguments) -> _Arguments:
        """Return where an application differs from what is desired. {name, resource?, live?} -> {resources, …, its mark}."""
        resource = arguments.resource(request) if request.get("resource") is not None else None
        question = self._question(request, "diff", resource)
        return fitting.differences(await self._looked(question, self._last_diff))

    async def manifest(self, request: _Arguments) -> _Arguments:
        """Return one object. {name, resource, side?: desired or live, live?} -> {desired, live, message?, its mark}.

        Without a side both, which the edge masks together: equal values of a Secret look equal.
        """
        side = arguments.optional(request, "side", str) or ""
        if side not in SIDES:
            raise RequestRefused(f"side: is desired or live, not {side[:40]!r}")
        question = self._question(request, "manifest", arguments.resource(request), side)
        if side == "desired" and self._desired.is_here(question.app):
            return await self._desired_object(question)
        return await self._looked(question, self._last_manifest)

    async def manifests(self, request: _Arguments) -> _Arguments:
        """Return an application's desired objects as its cluster applies them, in pages, Secrets masked.

        {name, after?: number of those seen, limit?} -> {items, next, left_out, rendered_at, revision, digest, its mark}. Of an application
        that its edge renders the hub has none.
        """
        app, cluster = self._operations.placed(arguments.app(request))
        after = max(0, arguments.optional(request, "after", int) or 0)
        limit = max(1, arguments.optional(request, "limit", int) or arguments.PAGE_MAX)
        known = await reported(self._connection, app.name)
        if not self._desired.is_here(app):
            empty = fitting.page([], 0, limit)
            return {**empty._asdict(), "rendered_at": "edge", "source": marks.HUB, **known.word}
        objects = await self._desired.objects(app, cluster, known)
        page = fitting.page(list(objects.values()), after, limit)
        about = self._desired.about(app, cluster)
        return {**page._asdict(), "rendered_at": "hub", **about, "source": marks.HUB, **known.word}

    async def _desired_object(self, question: _Question) -> _Arguments:
        known = await reported(self._connection, question.app.name)
        objects = await self._desired.objects(question.app, question.cluster, known)
        found = objects.get(from_status.key_of(question.resource or {}))
        about = self._desired.about(question.app, question.cluster)
        return {"desired": found, "live": None, **about, "source": marks.HUB, **known.word}

    def _question(
        self, request: _Arguments, verb: str, resource: dict[str, str] | None = None, side: str = ""
    ) -> _Question:
        app, cluster = self._operations.placed(arguments.app(request))
        asked: _Arguments = {"app": app.name, **arguments.initiator(request)}
        if resource is not None:
            asked["resource"] = resource
        if side:
            asked["side"] = side
        return _Question(app, cluster, verb, resource, side, asked, arguments.flag(request, "live"))

    async def _looked(
        self, question: _Question, last: Callable[[_Question, Reported], Awaitable[_Arguments]]
    ) -> _Arguments:
        """Ask the agent, and keep what it says; where nobody answers, return the last that is known."""
        app, cluster = question.app, question.cluster
        try:
            answer = await self._commands.ask(cluster, question.verb, question.arguments)
        except Unanswered as error:
            if question.is_live_only:
                raise
            known = await reported(self._connection, app.name)
            try:
                found = await last(question, known)
            except NotFound as missing:
                raise RequestRefused(f"{error}; {missing}") from error
            log.info("last known state shown", app=app.name, cluster=cluster, verb=question.verb)
            return {**found, **marks.unanswered(known, error)}
        if not _is_answer(question.verb, answer):
            raise RequestRefused(f"the agent of cluster {cluster!r} gave no answer that can be read")
        await self._answers.keep(cluster, app.name, app.uid, question.topic, question.resource, answer)
        return {**answer, **marks.live(self._clock())}

    async def _kept(self, question: _Question, topic: str = "") -> Kept | None:
        cluster, app = question.cluster, question.app
        return await self._answers.last(
            cluster, app.name, app.uid, topic or question.topic, question.resource
        )

    async def _last_tree(self, question: _Question, known: Reported) -> _Arguments:
        kept = await self._kept(question)
        if kept is not None:
            is_newer = known.received_at_ms > kept.at_ms
            answer = from_status.corrected_tree(kept.answer, known.resources) if is_newer else kept.answer
            return {**answer, **marks.of_kept(kept, self._clock())}
        _must_be_heard_of(known)
        return {**from_status.tree(known.resources), **marks.of_status(known, self._clock())}

    async def _last_diff(self, question: _Question, known: Reported) -> _Arguments:
        kept = await self._kept(question)
        if kept is not None and known.received_at_ms <= kept.at_ms:
            return {**kept.answer, **marks.of_kept(kept, self._clock())}
        _must_be_heard_of(known)
        chosen = question.resource
        resources = [
            one
            for one in known.resources
            if chosen is None or from_status.key_of(one) == from_status.key_of(chosen)
        ]
        desired = await self._desired.objects_or_none(question.app, question.cluster, known)
        looked_at = kept.answer.get("resources") or () if kept is not None else ()
        as_of = marks.text(marks.moment(kept.at_ms)) if kept is not None else ""
        found = from_status.differences(resources, desired, looked_at, as_of)
        return {**found, **marks.of_status(known, self._clock())}

    async def _last_manifest(self, question: _Question, known: Reported) -> _Arguments:
        topics = {"manifest", f"manifest-{question.side or 'live'}"}
        found = [kept for topic in topics if (kept := await self._kept(question, topic)) is not None]
        if not found:
            raise NotFound("nobody looked at this object while its cluster was there")
        kept = max(found, key=lambda one: one.at_ms)
        desired = kept.answer.get("desired")
        if "desired" not in kept.answer and not question.side:
            objects = await self._desired.objects_or_none(question.app, question.cluster, known)
            desired = objects.get(from_status.key_of(question.resource or {}))
        return {**kept.answer, "desired": desired, **marks.of_kept(kept, self._clock())}


def _must_be_heard_of(known: Reported) -> None:
    if not known.document:
        raise NotFound("nothing was ever heard of the application")


def _is_answer(verb: str, answer: Any) -> bool:
    """Whether what an agent said has the shape of an answer: it may be in the wrong hands."""
    if not isinstance(answer, dict):
        return False
    lists = [answer.get(name) or [] for name in _LISTS.get(verb, ())]
    return all(isinstance(one, list) and all(isinstance(item, dict) for item in one) for one in lists)
