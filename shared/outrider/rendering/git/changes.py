"""Which paths differ between two trees: found by comparing ids, so that what is equal is never looked into."""

from outrider.rendering.git.trees import Entry, Trees

CHANGES_MAX = 20_000
# Beyond it, looking at every source anew costs less.


def changed_paths(trees: Trees, before: Entry, after: Entry) -> frozenset[str] | None:
    """Return every path that was added, removed or changed, and every folder above one; None if there are too many."""
    found: set[str] = set()
    waiting: list[tuple[str, Entry | None, Entry | None]] = [("", before, after)]
    while waiting:
        path, old, new = waiting.pop()
        if old == new:
            continue
        found.add(path or ".")
        if len(found) > CHANGES_MAX:
            return None
        olds = trees.entries(old.object_id) if old is not None and old.is_tree else {}
        news = trees.entries(new.object_id) if new is not None and new.is_tree else {}
        for name in olds.keys() | news.keys():
            if olds.get(name) != news.get(name):
                shown = name.decode("utf-8", "surrogateescape")
                waiting.append((f"{path}/{shown}" if path else shown, olds.get(name), news.get(name)))
    return frozenset(found)
