"""Bring what the edges are told in line with what was asked for: one application at a time, from what is true at that moment.

1. A record signed in an epoch that is over is signed again; one that came back from before is ended (`ghosts`).
2. An application that is being deleted gets a tombstone where it has a record; once all are carried out it is forgotten.
3. Any other: resolve its destination, ask its project, decide its record (with its bundle, or with its sources where the edge
   renders it), publish it if it differs, then end it where it was before.
4. Whatever keeps it from its newest revision is stored as conditions.

Each step may fail and be repeated. Nothing is removed because something is absent: an application without a stored record
(a bucket that was lost, say) keeps its Desired record.
"""

from collections.abc import Callable

import structlog

from app_registry.app import App
from app_registry.conditions import Conditions
from app_registry.desired import (
    COMPARISON_ERROR,
    INVALID_SPEC_ERROR,
    Condition,
    Content,
    Decision,
    Intent,
    Last,
    decide,
    decide_at_edge,
)
from app_registry.destinations import UnknownDestination
from app_registry.fleet import Fleet
from app_registry.generations import Generations
from app_registry.ghosts import Ghosts
from app_registry.last_answers import LastAnswers
from app_registry.projects import NotPermitted
from app_registry.publisher import Publisher
from app_registry.returning import NotLooked, Returning
from app_registry.tombstones import Tombstones
from outrider.bus.buckets import KeyValue
from outrider.identity.signatures import ForgedRecord
from outrider.names import AppName, ClusterName, token

log = structlog.get_logger()


class Reconciler:
    """Handles one application, and one source."""

    def __init__(
        self,
        fleet: Fleet,
        generations: Generations,
        publisher: Publisher,
        tombstones: Tombstones,
        conditions: Conditions,
        returning: Returning,
        answers: LastAnswers,
        applications: KeyValue,
        sources: KeyValue,
    ) -> None:
        self._fleet, self._generations = fleet, generations
        self._publisher, self._tombstones, self._conditions = publisher, tombstones, conditions
        self._ghosts = Ghosts(fleet, generations, publisher, tombstones)
        self._returning, self._answers = returning, answers
        self._applications, self._sources = applications, sources

    async def bring_application(self, name: AppName) -> None:
        """Bring one application in line. BusError: try again."""
        for cluster in self._generations.places(name):
            if self._ghosts.is_one(cluster, name):
                await self._ghosts.lay(cluster, name)
            else:
                await self._renew(cluster, name)
        app = self._fleet.applications.get(name)
        if app is not None and app.deleting:
            await self._remove(app)
        elif app is not None:
            await self._deliver(app)
        elif name in self._fleet.damaged:
            condition = Condition(INVALID_SPEC_ERROR, self._fleet.damaged[name])
            await self._conditions.note(name, None, [condition])
        else:
            await self._conditions.forget(name)

    async def _renew(self, cluster: ClusterName, name: AppName) -> None:
        """Have a record signed again that is of an epoch that is over, and drop one of nobody's that was forged."""
        if self._generations.is_forged(cluster, name):
            published = self._generations.get(cluster, name)
            known = name in self._fleet.applications or name in self._fleet.damaged
            if published is not None and not known:
                await self._publisher.purge(cluster, name, published.seq)
        elif self._generations.is_outdated(cluster, name):
            try:
                await self._publisher.renew(cluster, name)
            except ForgedRecord as error:
                log.warning("record not signed again", cluster=cluster, app=name, reason=str(error))

    async def _deliver(self, app: App) -> None:
        try:
            cluster = self._fleet.placements.resolve(app.destination)
        except UnknownDestination as error:
            await self._drain(app)
            await self._conditions.note(app.name, None, [Condition(INVALID_SPEC_ERROR, str(error))])
            return
        asked = app.asked(self._fleet.placements.place(app.destination, cluster))
        try:
            project = self._fleet.projects.permitting(app.project, asked)
        except NotPermitted as error:
            # What runs stays as it was permitted once: a rule that is changed by mistake must not empty a shop.
            await self._freeze(cluster, app.name)
            refusals = [Condition(INVALID_SPEC_ERROR, refusal) for refusal in error.refusals]
            await self._conditions.note(app.name, cluster, refusals)
            return
        published = self._generations.get(cluster, app.name)
        last = published.last if published else None
        try:
            decision = await self._decide(app, app.intent(project.for_edge(asked)), last)
        except NotLooked as error:
            waits = f"it stays as its edge rendered it until renderers at the hub have looked: {error}"
            await self._conditions.note(app.name, cluster, [Condition(COMPARISON_ERROR, waits)])
            raise
        if decision.content is not None:
            await self._publish(cluster, app, decision.content)
        await self._leave_others(cluster, app)
        conditions = (*decision.conditions, *self._fleet.pool_conditions(app))
        await self._conditions.note(app.name, cluster, conditions)

    async def _decide(self, app: App, intent: Intent, last: Last | None) -> Decision:
        if self._fleet.renders_at_edge(app):
            return decide_at_edge(intent, self._fleet.sources_for_edge(app), last)
        if last is not None and last.is_at_edge:
            return decide(intent, await self._returning.rendering(app), last)
        return decide(intent, self._fleet.rendering_of(app.name), last)

    async def _freeze(self, cluster: ClusterName, name: AppName) -> None:
        """Keep an edge that renders an application from following what is not permitted any more."""
        published = self._generations.get(cluster, name)
        if published is None or not published.last.follows:
            return
        try:
            await self._publisher.freeze(cluster, name)
        except ForgedRecord as error:
            log.warning("record not frozen", cluster=cluster, app=name, reason=str(error))

    async def _publish(self, cluster: ClusterName, app: App, content: Content) -> None:
        await self._publisher.publish(cluster, app.name, content)

    async def _leave_others(self, cluster: ClusterName, app: App) -> None:
        """End an application where it was before, once it is where it should be. As in Argo CD, its objects stay there."""
        here = self._generations.get(cluster, app.name)
        if here is None or here.is_tombstone:
            return
        for place in self._generations.places(app.name):
            if place != cluster:
                await self._tombstones.end(place, app.name, app.uid, propagation="")

    async def _drain(self, app: App) -> None:
        """End an application on clusters that are being drained."""
        placements = self._fleet.placements
        for place in filter(placements.is_draining, self._generations.places(app.name)):
            propagation = "" if placements.keeps_objects(place) else app.propagation
            await self._tombstones.end(place, app.name, app.uid, propagation=propagation)

    async def _remove(self, app: App) -> None:
        places = self._generations.places(app.name)
        for cluster in places:
            propagation = app.propagation if app.cascade else ""
            await self._tombstones.end(cluster, app.name, app.uid, propagation=propagation)
        if all(self._generations.is_done(cluster, app.name) for cluster in places):
            await self._answers.forget_app(app.name)
            await self._applications.delete(token(app.name))
            log.info("application gone", app=app.name)

    async def bring_source(self, key: str) -> None:
        """Have a source rendered while an application wants it. BusError: try again."""
        wanted = self._fleet.wanted.record(key)
        stored = self._fleet.stored_sources.get(key)
        if wanted is None:
            if stored is not None:
                await self._sources.delete(key)
                self._fleet.stored_sources.pop(key, None)
        elif (packed := wanted.pack()) != stored:
            await self._sources.put(key, packed)
            self._fleet.stored_sources[key] = packed


Touch = Callable[[AppName], None]
