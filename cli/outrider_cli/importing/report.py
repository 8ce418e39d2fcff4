"""What would become of Argo CD's objects, its repositories and its clusters. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from outrider_cli.applying import project_of, projects_in
from outrider_cli.kinds import APPLICATION, SET, kind_of, named

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from outrider_cli.documents import Found
    from outrider_cli.importing.clusters import Registered
    from outrider_cli.importing.held import Held

Manifest = dict[str, Any]
CARRY = "--with-credentials"


@dataclass(frozen=True)
class Judged:
    """An object as it is to be applied, and what the hub and this command have to say of it."""

    found: Found
    namespace: str = ""
    # where it was in Argo CD's cluster
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    # repositories that it reads

    @property
    def name(self) -> str:
        """Return what it is called, as `application/web`; the place of what could not be read."""
        return named(self.found.manifest) if self.found.manifest else str(self.found.place)

    @property
    def verdict(self) -> str:
        """Return `taken`, `warned` (taken, with warnings) or `refused`."""
        return "refused" if self.refusals else "warned" if self.warnings else "taken"

    def as_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "object": self.name,
            "namespace": self.namespace,
            "place": str(self.found.place),
            "verdict": self.verdict,
            "refusals": list(self.refusals),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class RepositoryNeed:
    """A repository that imported applications read. `access`: by what Argo CD does; `here`: whether this hub can."""

    url: str
    applications: int
    access: str
    here: str
    # `registered`, `open` (needs nothing), `lacking`
    carried: bool = False
    # whether Argo CD's credentials can be taken over
    problem: str = ""
    # why they can't

    def as_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "url": self.url,
            "applications": self.applications,
            "argocd": self.access,
            "here": self.here,
            "carried": self.carried,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class ClusterNeed:
    """A destination of imported applications. `cluster`: its name here; empty if it is not registered."""

    destination: str
    called: str
    # Argo CD's name of it
    cluster: str
    applications: int

    def as_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "destination": self.destination,
            "argocd": self.called,
            "cluster": self.cluster,
            "applications": self.applications,
        }


@dataclass(frozen=True)
class Report:
    """All that is known before anything is done."""

    objects: Sequence[Judged]
    repositories: Sequence[RepositoryNeed] = ()
    clusters: Sequence[ClusterNeed] = ()
    other_kinds: Mapping[str, int] = field(default_factory=dict)

    @property
    def taken(self) -> list[Found]:
        """Return the objects to apply, in order."""
        return [one.found for one in self.objects if not one.refusals]

    @property
    def refused(self) -> int:
        """Return how many objects are refused."""
        return sum(1 for one in self.objects if one.refusals)

    def as_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "objects": [one.as_dict() for one in self.objects],
            "repositories": [one.as_dict() for one in self.repositories],
            "clusters": [one.as_dict() for one in self.clusters],
            "otherKinds": dict(self.other_kinds),
        }


def single(objects: Iterable[Judged]) -> list[Judged]:
    """Refuse an object whose name another one has: Argo CD tells them apart by namespace, this hub does not."""
    first: dict[str, Judged] = {}
    found = []
    for one in objects:
        before = first.setdefault(one.name, one)
        if before is not one and one.found.manifest is not None:
            where = f"of namespace {before.namespace}" if before.namespace else f"in {before.found.place}"
            sentence = f"metadata.name: there is one {where} too, and names are unique in the hub"
            found.append(replace(one, refusals=(sentence, *one.refusals)))
        else:
            found.append(one)
    return found


def without_refused_projects(objects: Sequence[Judged], there: Container[str]) -> list[Judged]:
    """Refuse applications whose project is refused, unless there is a project of that name. `there`: the hub's projects."""
    manifests = [one.found.manifest for one in objects if one.refusals and one.found.manifest]
    lost = {name: one for name, one in projects_in(manifests).items() if name not in there}
    found = []
    for one in objects:
        project = project_of(one.found.manifest, lost) if one.found.manifest else None
        if project is not None:
            sentence = f"spec.project: project {project['metadata']['name']!r} is refused"
            found.append(replace(one, refusals=(*one.refusals, sentence)))
        else:
            found.append(one)
    return found


def repositories_of(manifest: Manifest) -> Iterator[str]:
    """Yield the repositories that an Application or ApplicationSet reads, as far as they are written out."""
    spec = _application_spec(manifest)
    sources = spec.get("sources") if isinstance(spec.get("sources"), list) else []
    for source in (spec.get("source"), *(sources or [])):
        url = source.get("repoURL") if isinstance(source, dict) else None
        if isinstance(url, str) and url and "{{" not in url:
            yield url


def destination_of(manifest: Manifest) -> tuple[str, str]:
    """Return server and name in the destination of an Application or ApplicationSet; empty where it is generated."""
    destination = _application_spec(manifest).get("destination")
    if not isinstance(destination, dict):
        return "", ""
    server, name = (destination.get(field) for field in ("server", "name"))
    texts = [value if isinstance(value, str) and "{{" not in value else "" for value in (server, name)]
    return texts[0].rstrip("/"), texts[1]


def _application_spec(manifest: Manifest) -> Manifest:
    if kind_of(manifest) not in (APPLICATION, SET):
        return {}
    spec = manifest.get("spec")
    if kind_of(manifest) is SET:
        template = spec.get("template") if isinstance(spec, dict) else None
        spec = template.get("spec") if isinstance(template, dict) else None
    return spec if isinstance(spec, dict) else {}


def clusters_of(objects: Iterable[Judged], held: Held, here: Sequence[Registered]) -> list[ClusterNeed]:
    """Return the destinations of the objects that are taken."""
    counted = Counter(
        destination
        for one in objects
        if one.found.manifest and any(destination := destination_of(one.found.manifest))
    )
    called = {one.server: one.name for one in held.clusters}
    by_server = {one.server: one.name for one in here if one.server}
    names = {one.name for one in here}
    return [
        ClusterNeed(
            destination=server or name,
            called=called.get(server, "") if server else "",
            cluster=by_server.get(server, "") if server else name if name in names else "",
            applications=count,
        )
        for (server, name), count in sorted(counted.items())
    ]
