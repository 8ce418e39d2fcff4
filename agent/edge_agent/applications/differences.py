"""Where an application differs from what is desired, for a person who asks: object by object, with values.

A Secret's values are masked, and what is ignored isn't shown. Answered between passes and from what they
know; nothing is changed by it, nothing kept. Where the Kubernetes API is away, the objects that were found
different last are named with the paths that were found then.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from edge_agent.applications.bundle import Bundle
from edge_agent.applications.compare import in_sync
from edge_agent.applications.doomed import doomed
from edge_agent.applications.predict import would_be
from edge_agent.cluster import FIELD_MANAGER, ClusterError, Key, NotFound, Object, Transient
from edge_agent.diff import ExpressionFailed, hidden, ignored
from edge_agent.diff.compare_options import BY_WEBHOOKS
from edge_agent.diff.readable import Change, applied, projected
from edge_agent.diff.verdict import settled
from outrider.manifests.mask import masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.cluster import Kind
    from edge_agent.sync import Entry

# Objects looked at at a time: each is held thrice meanwhile.
AT_A_TIME = 8
# Of the answer as JSON: what follows is named, without its manifests.
BYTES_MAX = 2 << 20


async def differences(
    state: State, around: Surroundings, wanted: Callable[[Key], bool] | None = None
) -> dict[str, Any]:
    """Return `{"resources": [{group, version, kind, namespace, name, state, desired, live, changes, message?}],
    "truncated"}`; `wanted` selects objects, None: all that differ. Raises `LookupError` with a sentence.
    """
    if state.index is None:
        raise LookupError(f"application {state.app!r} has not been compared yet; ask again in a moment")
    entries = [
        entry
        for key, entry in state.index.entries.items()
        if (wanted(key) if wanted else not in_sync(entry, state, around))
    ]
    going = [one for one in doomed(state, state.index, around) if wanted is None or wanted(one.key)]
    slots = asyncio.Semaphore(AT_A_TIME)
    async with Bundle(state, around) as bundle:
        manifests = await bundle.manifests()

        async def modified(entry: Entry) -> dict[str, Any] | None:
            async with slots:
                return await _modified(entry, manifests.get(entry.key), state, around)

        async def removed(key: Key, kind: Kind) -> dict[str, Any] | None:
            async with slots:
                return await _removed(key, kind, around)

        found = await asyncio.gather(
            *(modified(entry) for entry in entries), *(removed(one.key, one.kind) for one in going)
        )
    return _bounded(one for one in found if one is not None)


async def _modified(
    entry: Entry, manifest: Object | None, state: State, around: Surroundings
) -> dict[str, Any] | None:
    if manifest is None:
        return None
    try:
        live = await around.cluster.get(entry.kind, entry.key)
    except NotFound:
        (shown,) = masked(manifest)
        return _resource(entry.key, entry.kind, "added", shown, None, [])
    except ClusterError as error:
        return _last_known(entry, manifest, state, around, error)
    try:
        return await _compared(entry, manifest, live, state, around)
    except ExpressionFailed as error:
        (shown, found) = masked(manifest, live)
        return _resource(entry.key, entry.kind, "modified", shown, found, [], str(error))


async def _compared(
    entry: Entry, manifest: Object, live: Object, state: State, around: Surroundings
) -> dict[str, Any] | None:
    """Return the difference, None where there is none. Raises `ExpressionFailed`."""
    expected: Object | None = None
    message = ""
    try:
        expected = await would_be(entry, manifest, live, state, around)
    except ClusterError as error:
        message = f"a dry run of the apply was refused: {error.why}"
    what = ignored(state.policy.ignore, entry.key)
    objects = [manifest, live] if expected is None else [manifest, live, expected]
    compared = await hidden(what, objects, live, around.expressions)
    # All together: the same value is the same row of signs everywhere.
    seen = masked(manifest, live, *compared)
    compared = [_with_owners(one, whole) for one, whole in zip(seen[2:], compared, strict=True)]
    if expected is None:
        found = projected(compared[0], compared[1], FIELD_MANAGER)
    else:
        by_others = BY_WEBHOOKS in state.compare_options
        found = applied(compared[1], compared[2], FIELD_MANAGER, by_others=by_others)
    if not found:
        return None
    # Against what the apply would make of it: beside the manifest, every default of the server would look like a
    # difference.
    before, after = (seen[1], seen[0]) if expected is None else map(settled, (compared[1], compared[2]))
    return _resource(entry.key, entry.kind, "modified", after, before, found, message)


def _with_owners(shown: Object | None, whole: Object) -> Object:
    """Return a masked object with its managed fields, which comparing needs; they hold no values."""
    found: Object = shown or {}
    owners = (whole.get("metadata") or {}).get("managedFields")
    if owners is None or "managedFields" in (found.get("metadata") or {}):
        return found
    return {**found, "metadata": {**found["metadata"], "managedFields": owners}}


async def _removed(key: Key, kind: Kind, around: Surroundings) -> dict[str, Any] | None:
    try:
        live = await around.cluster.get(kind, key)
    except NotFound:
        return None
    except ClusterError as error:
        return _resource(key, kind, "removed", None, None, [], str(error))
    (shown,) = masked(live)
    return _resource(key, kind, "removed", None, shown, [])


def _last_known(
    entry: Entry, manifest: Object, state: State, around: Surroundings, error: ClusterError
) -> dict[str, Any] | None:
    if in_sync(entry, state, around):
        return None
    live, known = around.inventory.get(entry.key), state.verdicts.get(entry.key)
    word = "modified" if live is not None else "added"
    (shown,) = masked(manifest)
    changes: list[Change] = [{"path": path} for path in (known.paths if known else ())]
    when = "this is what was found last" if isinstance(error, Transient) else "it can't be compared"
    return _resource(entry.key, entry.kind, word, shown, None, changes, f"{error}; {when}")


def shown(found: Object | None) -> Object | None:
    """Return a masked object without what nobody reads: who holds which field."""
    if found is None:
        return None
    metadata = {
        name: value for name, value in (found.get("metadata") or {}).items() if name != "managedFields"
    }
    return {**found, "metadata": metadata}


def _resource(
    key: Key,
    kind: Kind,
    word: str,
    desired: Object | None,
    live: Object | None,
    changes: list[Change],
    message: str = "",
) -> dict[str, Any]:
    return {
        "group": key.group,
        "version": kind.version,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "state": word,
        "desired": shown(desired),
        "live": shown(live),
        "changes": changes,
    } | ({"message": message} if message else {})


def _bounded(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    resources, left, truncated = [], BYTES_MAX, False
    for one in found:
        left -= len(json.dumps(one))
        if left < 0:
            truncated = True
            cut = "left out: the answer would be too large; ask for this resource alone"
            resources.append({**one, "desired": None, "live": None, "changes": [], "message": cut})
        else:
            resources.append(one)
    return {"resources": resources, "truncated": truncated}
