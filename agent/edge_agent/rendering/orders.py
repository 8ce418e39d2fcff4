"""What is to be rendered here: read off an application's Desired record, which the hub has judged and signed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from outrider import codec
from outrider.messages import Desired
from outrider.names import AppName

SHORT_CHARS = 7
COMMIT_CHARS = 40
DEFAULT_PROJECT = "default"

Source = Mapping[str, Any]
"""Argo CD's, as it is written in an Application."""


@dataclass(frozen=True)
class Place:
    """What sources lie in: one URL may be a Git repository and a chart repository."""

    url: str
    holds_charts: bool

    @classmethod
    def of(cls, source: Source) -> "Place":
        """Return where a source lies."""
        return cls(str(source["repoURL"]), bool(source.get("chart")))

    @property
    def address(self) -> str:
        """The URL with its scheme, which Argo CD leaves out of a registry's."""
        return f"oci://{self.url}" if self.holds_charts and "://" not in self.url else self.url


@dataclass(frozen=True)
class Order:
    """One application's: its sources, in the order of their precedence, and what else enters the rendering.

    Without sources it stays at what was rendered last; `refusal` says why, where that is not the hub's will.
    """

    app: AppName
    sources: tuple[Source, ...]
    namespace: str = ""
    project: str = DEFAULT_PROJECT
    allows_empty: bool = False
    refusal: str = ""

    @property
    def context(self) -> dict[str, str]:
        """The application, as `outrider.rendering.identity.RenderContext` has it."""
        return {"app_name": self.app, "namespace": self.namespace, "project": self.project}

    @property
    def places(self) -> tuple[Place, ...]:
        """Where its sources lie, each place once."""
        return tuple(dict.fromkeys(map(Place.of, self.sources)))

    @property
    def shown(self) -> str:
        """What to call its sources in messages."""
        rendered = [one for one in self.sources if one.get("path") or one.get("chart") or not one.get("ref")]
        return " + ".join(
            f"{one['repoURL']} {one.get('chart') or one.get('path') or '.'}" for one in rendered
        )

    def at(self, revision: str) -> "Order":
        """Return the order at another revision: of several sources comma-joined, an empty one staying as it is. ValueError."""
        each = [one.strip() for one in revision.split(",")] if len(self.sources) > 1 else [revision]
        if len(each) != len(self.sources):
            raise ValueError(
                f"revision {revision!r} holds {len(each)}, there are {len(self.sources)} sources"
            )
        pairs = zip(self.sources, each, strict=True)
        return replace(self, sources=tuple(_at(source, one) if one else source for source, one in pairs))


def _at(source: Source, revision: str) -> Source:
    # A prefix narrows a range of tags; a revision is one already.
    return {**{key: value for key, value in source.items() if key != "tagPrefix"}, "targetRevision": revision}


def key_of(source: Source) -> bytes:
    """Return the same bytes for equal sources."""
    return codec.canonical(source)


def order_of(app: AppName, record: Desired) -> Order:
    """Return what a record without a bundle asks for."""
    spec = record.spec
    render = _map(spec.get("render"))
    sources = render.get("sources") or []
    if not isinstance(sources, list) or not all(_is_source(one) for one in sources):
        return Order(
            app, (), refusal="its record holds sources that this agent does not understand: update it"
        )
    automated = _map(_map(spec.get("syncPolicy")).get("automated"))
    return Order(
        app,
        tuple(sources),
        str(_map(spec.get("destination")).get("namespace") or ""),
        str(render.get("project") or DEFAULT_PROJECT),
        automated.get("allowEmpty") is True,
    )


def _is_source(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("repoURL"), str) and bool(value["repoURL"])


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def followed(source: Source) -> str:
    """Return what a source follows, as a person calls it."""
    revision = str(source.get("targetRevision") or "HEAD")
    if chart := source.get("chart"):
        return f"{chart} {revision}"
    prefix = source.get("tagPrefix")
    return f"{prefix}:{revision}" if prefix else revision


def shortened(revision: str) -> str:
    """Return a revision with its commits as people write them."""
    return ",".join(one[:SHORT_CHARS] if _is_commit(one) else one for one in revision.split(","))


def _is_commit(text: str) -> bool:
    return len(text) == COMMIT_CHARS and all(char in "0123456789abcdef" for char in text)


def joined(revisions: Sequence[str]) -> str:
    """Return the revisions of several sources as one text."""
    return ",".join(revisions)
