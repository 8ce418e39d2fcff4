"""What an application's Desired record should say, given all that is known. Pure.

Nothing is said that would take away what runs because something could not be had: without a rendering, with a rendering
error, or with an empty one, the last record stays and a condition says why.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from outrider import codec, delta
from outrider.generations import content_of, spec_digest
from outrider.messages import Desired
from outrider.records import RenderingRecord

PATCH_MAX_BYTES = 4 << 10
# Larger ones are fetched by the edges that need them, instead of travelling inside every record.
EMPTY_BUNDLE = delta.digest(codec.canonical([]))
COMPARISON_ERROR = "ComparisonError"
INVALID_SPEC_ERROR = "InvalidSpecError"
RENDER_FIELD = "render"
NO_BUNDLE = b""
# The digest of a record that holds none.
_COMMIT_CHARS = 40
ALIKE_MAX = 8192
# Distinct revisions and digests that are kept once.


@dataclass(frozen=True, slots=True)
class Last:
    """What is remembered of a record that was published."""

    uid: bytes
    spec_digest: bytes
    revision: str | bytes
    digest: bytes | None
    # None: a tombstone
    cascade: bool = False
    propagation: str = ""
    # of a tombstone: how the objects go
    follows: bool = False
    # whether the edge renders it, from Git

    @property
    def is_at_edge(self) -> bool:
        """Whether it has the edge render, or stay at what it rendered."""
        return self.digest == NO_BUNDLE and bool(self.spec_digest)

    @property
    def content(self) -> bytes:
        """What it said, as the edge that holds it compares it."""
        return content_of(self.uid, self.spec_digest, self.revision, self.digest, self.cascade)

    @classmethod
    def of(cls, record: Desired) -> "Last":
        """Return what decides of a record."""
        propagation = str(record.spec.get("propagation", "")) if record.is_tombstone else ""
        return cls(
            record.uid,
            _one(spec_digest(record.spec)),
            _one(record.revision),
            _one(record.digest),
            record.cascade,
            propagation,
            record.digest == NO_BUNDLE and bool(_sources_in(record.spec)),
        )


@dataclass(frozen=True)
class Content:
    """A Desired record before it has a generation."""

    uid: bytes
    spec: dict[str, Any]
    revision: str | bytes = ""
    digest: bytes | None = None
    base: bytes | None = None
    patch: bytes | None = None
    cascade: bool = False


@dataclass(frozen=True)
class Condition:
    """Why an application is not at its newest revision; types are Argo CD's."""

    type: str
    message: str


@dataclass(frozen=True)
class Decision:
    """`content`: publish this; None: what was published last is right."""

    content: Content | None = None
    conditions: tuple[Condition, ...] = field(default=())


@dataclass(frozen=True)
class Intent:
    """What a person asked for, as far as it enters a record. `source` names it for messages."""

    uid: bytes
    spec: dict[str, Any]
    allows_empty: bool
    source: str


T = TypeVar("T", bytes, str | bytes, bytes | None)


@lru_cache(maxsize=ALIKE_MAX)
def _one(value: T) -> T:
    """Return one object for all values that are equal: a fleet's applications are alike in what they run."""
    return value


def decide(intent: Intent, rendering: RenderingRecord | None, last: Last | None) -> Decision:
    """Return the record to publish, if any, and the conditions."""
    if rendering is None:
        return Decision()
    conditions = _conditions(intent, rendering)
    if not rendering.digest:
        return Decision(conditions=conditions)
    if _would_empty(intent, rendering, last):
        message = (
            f"{intent.source} renders to nothing at {shown_revision(rendering.revision)}, and would take away all that runs: "
            "the last state stays. Set spec.syncPolicy.automated.allowEmpty if that is meant."
        )
        return Decision(conditions=(*conditions, Condition(COMPARISON_ERROR, message)))
    content = _content(intent, rendering, last)
    wanted = Last(content.uid, spec_digest(content.spec), content.revision, content.digest)
    return Decision(None if wanted == last else content, conditions)


def decide_at_edge(intent: Intent, sources: dict[str, Any], last: Last | None) -> Decision:
    """Return the record to publish of an application that its edge renders; `sources`: `messages.Desired.spec["render"]`."""
    content = Content(intent.uid, {**intent.spec, RENDER_FIELD: sources}, digest=NO_BUNDLE)
    wanted = Last(content.uid, spec_digest(content.spec), "", NO_BUNDLE, follows=True)
    return Decision(None if wanted == last else content)


def frozen(record: Desired) -> Content:
    """Return the record by which an edge that renders an application stays at what it has."""
    return Content(record.uid, {**record.spec, RENDER_FIELD: {}}, digest=NO_BUNDLE)


def _sources_in(spec: dict[str, Any]) -> Any:
    render = spec.get(RENDER_FIELD)
    return render.get("sources") if isinstance(render, dict) else None


def tombstone(uid: bytes, *, propagation: str, status_revision: int) -> Content:
    """Return the record that ends an application; `propagation` is how its objects go, empty if they stay.

    `status_revision` is that of the application's status at this moment: what is newer can prove that the edge is done.
    """
    spec: dict[str, Any] = {"status": status_revision}
    if propagation:
        spec["propagation"] = propagation
    return Content(uid, spec, cascade=bool(propagation))


def _conditions(intent: Intent, rendering: RenderingRecord) -> tuple[Condition, ...]:
    warned = tuple(Condition(kind, message) for kind, message in rendering.warnings)
    if not rendering.error:
        return warned
    at = f" at {shown_revision(rendering.error_revision)}" if rendering.error_revision else ""
    stays = f" (stays at {shown_revision(rendering.revision)})" if rendering.digest else ""
    return (Condition(COMPARISON_ERROR, f"{intent.source}{at}: {rendering.error}{stays}"), *warned)


def _would_empty(intent: Intent, rendering: RenderingRecord, last: Last | None) -> bool:
    empty = rendering.objects == 0 or rendering.digest == EMPTY_BUNDLE
    return empty and not intent.allows_empty and _runs_something(intent, last)


def _runs_something(intent: Intent, last: Last | None) -> bool:
    # A record that counts as none (its uid is empty) says nothing of what runs: take it that something does.
    return last is not None and last.uid in (intent.uid, b"") and last.digest not in (None, EMPTY_BUNDLE)


def _content(intent: Intent, rendering: RenderingRecord, last: Last | None) -> Content:
    base, patch = None, None
    if (
        last is not None
        and last.digest not in (None, rendering.digest)
        and rendering.patch is not None
        and len(rendering.patch) <= PATCH_MAX_BYTES
        and rendering.base == delta.short(last.digest or b"")
    ):
        base, patch = rendering.base, rendering.patch
    return Content(
        intent.uid, intent.spec, packed_revision(rendering.revision), rendering.digest, base, patch
    )


def packed_revision(revision: str) -> str | bytes:
    """Return a commit as 20 bytes, which travel with every change; anything else as it is."""
    if len(revision) != _COMMIT_CHARS or revision != revision.lower():
        return revision
    try:
        return bytes.fromhex(revision)
    except ValueError:
        return revision


def unpacked_revision(revision: str | bytes) -> str:
    """Invert `packed_revision`."""
    return revision.hex() if isinstance(revision, bytes) else revision


def shown_revision(revision: str) -> str:
    """Return a revision as a person reads it: commits are short."""
    each = revision.split(",")
    return ",".join(one[:7] if isinstance(packed_revision(one), bytes) else one for one in each)
