"""A registry, a renderer and an aggregator that keep everything in dictionaries, over a real bus: what the CLI asks, answered."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.integration.conftest import Hub

from outrider import subjects
from outrider.bus.services import Endpoint, RequestRefused, serve
from outrider.identity import sealing
from outrider.identity.accounts import cluster_user_jwt, pool_user_jwt
from outrider.tasks import background

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PASSED_ON = (
    "terminate", "refresh", "rollback", "tree", "diff", "manifest", "manifests", "actions", "action", "approve",
)  # fmt: skip
NOW_MS = 1_760_000_000_000


def seen(name: str, cluster: str = "shop1", **fields: Any) -> dict[str, Any]:
    """Return an application as the aggregator hands it out: synced, healthy, heard of right now."""
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    return {
        "name": name,
        "cluster": cluster,
        "project": "default",
        "sync": "Synced",
        "health": "Healthy",
        "revision": COMMIT,
        "desired_revision": COMMIT,
        "delivered": True,
        "message": "",
        "freshness": "fresh",
        "presence": "online",
        "observed_at_ms": now_ms,
        "received_at_ms": now_ms,
        **fields,
    }


@dataclass
class Services:
    """What the hub holds, to be set and looked at by a test."""

    hub: Hub
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    pools: dict[str, dict[str, Any]] = field(default_factory=dict)
    repositories: dict[str, dict[str, Any]] = field(default_factory=dict)
    applications: dict[str, dict[str, Any]] = field(default_factory=dict)
    others: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    # projects, sets and settings, by kind and name
    settings: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    # what `app.check` says against an object, by its name
    answers: dict[Any, Any] = field(default_factory=dict)
    # of agents, by what was asked, or by that and an object's name
    statuses: dict[str, dict[str, Any]] = field(default_factory=dict)
    presences: list[dict[str, Any]] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    journal: list[dict[str, Any]] = field(default_factory=list)
    # oldest first
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    late: int = 0
    # how many times an application is refused before the registry has taken in what it wrote before
    sealing_key: bytes = field(default_factory=sealing.generate_key)
    was_asked: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    page: int = 2
    # small, so that every list takes several pages
    edges: dict[str, int] = field(default_factory=dict)
    # how many render from a repository themselves
    edges_alone: set[str] = field(default_factory=set)
    # repositories that no renderer of the hub reads

    async def add_cluster(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.cluster.add`, with a JWT that the server accepts."""
        name, key = arguments["name"], arguments["public_key"]
        held = self.clusters.get(name)
        if held and held["public_key"] != key and not arguments.get("replace"):
            raise RequestRefused(f"cluster {name!r} exists with another key: give --replace to revoke it")
        self.clusters[name] = {**arguments, "created_at_ms": NOW_MS, "applications": 0}
        jwt = cluster_user_jwt(
            name,
            key,
            signing_key=self.hub.trust.fleet_clusters,
            fleet_account=self.hub.trust.fleet.public,
            now=datetime.now(UTC),
        )
        ca_pem = (self.hub.state / "nats" / "tls" / "authority.pem").read_text()
        return {
            "name": name,
            "jwt": jwt,
            "servers": [self.hub.url],
            "ca_pem": ca_pem,
            "hub_keys": [b"k" * 32],
        }

    async def update_cluster(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.cluster.update`."""
        self.clusters[arguments["name"]] |= arguments
        return self.clusters[arguments["name"]]

    async def remove_cluster(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.cluster.remove`."""
        name = arguments["name"]
        count = self.clusters[name]["applications"]
        if count and not (arguments.get("force") or arguments.get("lost")):
            raise RequestRefused(f"cluster {name!r} has {count} applications; drain it first")
        del self.clusters[name]
        left = [{"app": "till", "resources": ["Deployment shop/till", "Service shop/till"]}]
        return {"name": name, **({"left": left} if arguments.get("lost") else {})}

    async def drain_cluster(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.cluster.drain`."""
        held = self.clusters[arguments["name"]]
        held["state"] = "active" if arguments.get("cancel") else "draining"
        return {"name": held["name"], "state": held["state"], "left": ["till"]}

    async def apply(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.app.apply`: applications in a dictionary of their own, the rest together by kind and name."""
        manifest = arguments["manifest"]
        name, kind = manifest["metadata"]["name"], manifest["kind"]
        if kind == "Application" and "project" not in manifest.get("spec", {}):
            raise RequestRefused("spec.project: is missing")
        if "wrong" in manifest.get("spec", {}):
            raise RequestRefused("spec.wrong: unknown field")
        if kind == "Application" and not arguments.get("dry_run") and self.late > 0:
            self.late -= 1
            raise RequestRefused("spec.project: there is no such project")
        held: dict[Any, Any] = self.applications if kind == "Application" else self.others
        key = name if kind == "Application" else (kind, name)
        result = "created" if key not in held else "unchanged" if held[key] == manifest else "updated"
        if not arguments.get("dry_run"):
            held[key] = manifest
        return {"name": name, "kind": kind, "result": result, "warnings": []}

    async def check(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.app.check`: refuses what `refused` says, by name."""
        manifest = arguments["manifest"]
        name = manifest["metadata"]["name"]
        refusals = [self.refused[name]] if name in self.refused else []
        needs = {"repositories": [], "cluster": "", "project": ""}
        if manifest["kind"] == "Application":
            wanted, server = manifest["spec"]["project"], manifest["spec"]["destination"].get("server", "")
            there = ("AppProject", wanted) in self.others or wanted == "default" or arguments.get("project")
            known = {one.get("server") for one in self.clusters.values()}
            needs |= {"project": "" if there else wanted, "cluster": "" if server in known else server}
        return {"refusals": refusals, "warnings": [], "needs": needs}

    def _other(self, kind: str, name: str) -> dict[str, Any]:
        if (kind, name) not in self.others:
            raise RequestRefused(f"there is no {kind} {name!r}")
        return self.others[kind, name]

    def _others(self, kind: str) -> Any:
        async def listed(arguments: dict[str, Any]) -> Any:
            names = sorted(name for held, name in self.others if held == kind)
            return self.paged(
                [{"name": name, "applications": 3, "windows": 1, "created_at_ms": NOW_MS} for name in names],
                arguments,
            )

        async def get(arguments: dict[str, Any]) -> Any:
            name = arguments["name"]
            if (kind, name) == ("AppProject", "default") and (kind, name) not in self.others:
                return {"name": name, "manifest": None, "applications": 3}
            return {"name": name, "manifest": self._other(kind, name), "applications": 3}

        async def delete(arguments: dict[str, Any]) -> Any:
            self._other(kind, arguments["name"])
            del self.others[kind, arguments["name"]]
            return {"name": arguments["name"], "result": "removed"}

        return {"list": listed, "get": get, "delete": delete}

    async def get_settings(self, _arguments: dict[str, Any]) -> Any:
        """`hub.registry.settings.get`."""
        return self.settings

    async def set_settings(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.settings.set`."""
        self.settings |= arguments
        return {"result": "updated"}

    async def delete_settings(self, _arguments: dict[str, Any]) -> Any:
        """`hub.registry.settings.delete`."""
        self.settings = {}
        return {"result": "updated"}

    def passed_on(self, verb: str) -> Any:
        """What the registry passes on to an agent, whose answers are in `answers`; by object, if the request names one."""

        async def answered(arguments: dict[str, Any]) -> Any:
            await self.get_application(arguments)
            resource = arguments.get("resource")
            answer = self.answers.get((verb, resource["name"]) if resource else verb, self.answers.get(verb))
            if answer is None:
                raise RequestRefused("cluster 'shop1' is offline: it goes on with what it has")
            return answer

        return answered

    async def get_application(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.app.get`."""
        name = arguments["name"]
        if name not in self.applications:
            raise RequestRefused(f"there is no application {name!r}")
        desired = {"generation": [1, 7], "revision": COMMIT, "digest": "ab" * 32}
        return {
            "name": name,
            "uid": "00" * 16,
            "cluster": "shop1",
            "manifest": self.applications[name],
            "conditions": [],
            "deleting": False,
            "desired": desired,
        }

    async def delete_application(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.app.delete`: gone at once."""
        await self.get_application(arguments)
        del self.applications[arguments["name"]]
        return {"name": arguments["name"], "result": "deleting"}

    async def sync(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.app.sync`: the agent begins, and is done by the time one looks."""
        await self.get_application(arguments)
        name = arguments["name"]
        done = {
            "phase": "Succeeded" if not arguments.get("prune") else "Failed",
            "message": "done",
            "startedAt": "2000-01-01T00:00:00Z",
            "finishedAt": "2000-01-01T00:00:01Z",
            "syncResult": {"revision": COMMIT, "resources": [_synced("Deployment", "apps", "web")]},
        }
        self.statuses[name] = seen(name, document={"operationState": done})
        return {"app": name, "result": "started"}

    async def statuses_page(self, arguments: dict[str, Any]) -> Any:
        """`hub.status.apps`."""
        chosen = [
            item
            for _, item in sorted(self.statuses.items())
            if all(
                item[name] == arguments[name]
                for name in ("cluster", "health", "sync", "freshness")
                if name in arguments
            )
        ]
        return self.paged(chosen, arguments)

    async def one_status(self, arguments: dict[str, Any]) -> Any:
        """`hub.status.app`."""
        if arguments["name"] not in self.statuses:
            raise RequestRefused(f"nothing is known of application {arguments['name']!r}")
        return self.statuses[arguments["name"]]

    async def summary(self, _arguments: dict[str, Any]) -> Any:
        """`hub.status.summary`."""

        def count(items: list[dict[str, Any]], name: str) -> dict[str, int]:
            values = [item[name] for item in items]
            return {value: values.count(value) for value in values}

        statuses = list(self.statuses.values())
        return {
            **{name: count(statuses, name) for name in ("health", "sync", "freshness")},
            "presence": count(self.presences, "presence"),
            "cluster_freshness": count(self.presences, "freshness"),
        }

    def paged(self, items: list[dict[str, Any]], arguments: dict[str, Any]) -> dict[str, Any]:
        """Return a page, small whatever was asked for."""
        key = "url" if items and "url" in items[0] else "name"
        rest = [item for item in items if item[key] > arguments.get("after", "")]
        page = rest[: self.page]
        return {"items": page, "next": page[-1][key] if len(rest) > len(page) else None}

    async def add_repository(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.repo.add`."""
        self.repositories[arguments["url"]] = arguments
        return {"url": arguments["url"], "result": "added"}

    async def remove_repository(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.repo.remove`."""
        if self.repositories.pop(arguments["url"], None) is None:
            raise RequestRefused(f"repository {arguments['url']!r} was not added")
        return {}

    async def list_repositories(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.repo.list`."""
        held = [self.repositories[url] for url in sorted(self.repositories)]
        shown = [{"pool": "default", "public": {}, **one, "sealed": None} for one in held]
        return self.paged(shown, arguments)

    async def _repo_key(self, arguments: dict[str, Any]) -> Any:
        known = self.repositories.get(arguments["url"], {})
        pool = arguments.get("pool") or known.get("pool", "default")
        if pool == "default":
            return {"sealing_key": sealing.public_key(self.sealing_key)}
        if pool not in self.pools:
            raise RequestRefused(f"there is no pool {pool!r}: add it first, with `outrider pool add {pool}`")
        return {"sealing_key": self.pools[pool]["sealing_key"]}

    async def add_pool(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.pool.add`."""
        name, key = arguments["name"], arguments["public_key"]
        before = self.pools.get(name)
        if before is not None and before["public_key"] != key and not arguments.get("replace"):
            raise RequestRefused(f"pool {name!r} exists with another key")
        held: dict[str, Any] = {
            "presence": "unknown",
            "since_ms": None,
            "created_at_ms": NOW_MS,
            "urls": [],
            "renderers": [],
        }
        self.pools[name] = {**held, **arguments}
        jwt = pool_user_jwt(
            name,
            key,
            signing_key=self.hub.trust.fleet_pools,
            fleet_account=self.hub.trust.fleet.public,
            now=datetime.now(UTC),
        )
        authority = (self.hub.state / "nats" / "tls" / "authority.pem").read_text()
        sealed = [url for url, one in self.repositories.items() if one.get("pool") == name and before]
        return {
            "name": name,
            "jwt": jwt,
            "servers": [self.hub.url],
            "ca_pem": authority,
            "hub_keys": [b"k" * 32],
            "sealed_before": sealed,
        }

    async def remove_pool(self, arguments: dict[str, Any]) -> Any:
        """`hub.registry.pool.remove`."""
        if self.pools.pop(arguments["name"], None) is None:
            raise RequestRefused(f"there is no pool {arguments['name']!r}")
        return {"name": arguments["name"], "result": "removed"}

    async def _pool_list(self, arguments: dict[str, Any]) -> Any:
        return self.paged([self.pools[name] for name in sorted(self.pools)], arguments)

    async def _pool_get(self, arguments: dict[str, Any]) -> Any:
        return self.pools[arguments["name"]]

    async def _cluster_list(self, arguments: dict[str, Any]) -> Any:
        return self.paged([self.clusters[name] for name in sorted(self.clusters)], arguments)

    async def _cluster_get(self, arguments: dict[str, Any]) -> Any:
        return self.clusters[arguments["name"]]

    async def _presence(self, arguments: dict[str, Any]) -> Any:
        return next(one for one in self.presences if one["name"] == arguments["name"])

    async def _presences(self, arguments: dict[str, Any]) -> Any:
        return self.paged(sorted(self.presences, key=lambda one: str(one["name"])), arguments)

    async def _resources(self, arguments: dict[str, Any]) -> Any:
        start = arguments.get("after", 0)
        end = start + self.page
        return {"items": self.resources[start:end], "next": end if end < len(self.resources) else None}

    async def _refresh_edges(self, arguments: dict[str, Any]) -> Any:
        url = arguments.get("url", "")
        pools = [] if url in self.edges_alone else ["default", *(self.pools if not url else ())]
        return {"clusters": self.edges.get(url, 0), "pools": pools}

    async def _journal(self, arguments: dict[str, Any]) -> Any:
        found = await self._presence({"name": arguments["cluster"]})
        apps = {arguments["name"], ""} if arguments.get("name") else None
        entries = [one for one in self.journal if apps is None or one["app"] in apps]
        older = [one for one in entries if not arguments.get("before") or one["place"] < arguments["before"]]
        items = older[-min(self.page, arguments["limit"]) :]
        previous = items[0]["place"] if len(older) > len(items) else None
        return {**found, "cluster": arguments["cluster"], "items": items, "previous": previous}

    async def _refresh(self, arguments: dict[str, Any]) -> Any:
        if arguments.get("url") in self.edges_alone:
            raise RequestRefused(f"no application uses repository {arguments['url']!r}")
        return {"revisions": {arguments.get("url", "https://git.example.com/all.git"): {"main": COMMIT}}}

    def endpoints(self) -> dict[str, dict[str, Any]]:
        """Return the handlers by role and subject."""
        registry = {
            "cluster.add": self.add_cluster, "cluster.remove": self.remove_cluster, "cluster.drain": self.drain_cluster, "cluster.list": self._cluster_list,
            "cluster.update": self.update_cluster,
            "cluster.get": self._cluster_get, "repo.add": self.add_repository, "repo.remove": self.remove_repository,
            "repo.refresh": self._refresh_edges, "repo.list": self.list_repositories, "repo.key": self._repo_key, "app.apply": self.apply,
            "app.get": self.get_application, "app.delete": self.delete_application, "app.sync": self.sync,
            "pool.add": self.add_pool, "pool.remove": self.remove_pool, "pool.list": self._pool_list,
            "pool.get": self._pool_get,
            "app.check": self.check, "settings.get": self.get_settings, "settings.set": self.set_settings,
            "settings.delete": self.delete_settings,
        }  # fmt: skip
        for verb in PASSED_ON:
            registry[f"app.{verb}"] = self.passed_on(verb)
        for word, kind in (("project", "AppProject"), ("set", "ApplicationSet")):
            registry |= {f"{word}.{verb}": handle for verb, handle in self._others(kind).items()}
        status = {
            "journal": self._journal, "apps": self.statuses_page, "app": self.one_status, "summary": self.summary, "clusters": self._presences,
            "cluster": self._presence, "resources": self._resources,
        }  # fmt: skip
        return {
            "registry": {subjects.registry(verb): handle for verb, handle in registry.items()},
            "aggregator": {subjects.status_query(verb): handle for verb, handle in status.items()},
            "renderer": {subjects.render("default", "refresh"): self._refresh},
        }

    @asynccontextmanager
    async def serving(self, role: Any, name: str) -> AsyncIterator[None]:
        """Serve one role's part."""
        endpoints = [
            Endpoint(subject.replace(".", "_"), subject, self._noting(subject, handle))
            for subject, handle in self.endpoints()[role].items()
        ]
        async with (
            self.hub.connect(role) as connection,
            background(serve(connection, name, "0.1.0", endpoints), name=name),
        ):
            yield

    def _noting(self, subject: str, handle: Any) -> Any:
        async def noted(arguments: dict[str, Any]) -> Any:
            self.asked.append((subject, arguments))
            self.was_asked[subject].set()
            return await handle(arguments)

        return noted


def _synced(kind: str, group: str, name: str) -> dict[str, str]:
    return {
        "kind": kind,
        "group": group,
        "version": "v1",
        "namespace": "shop",
        "name": name,
        "status": "Synced",
        "message": "configured",
    }
