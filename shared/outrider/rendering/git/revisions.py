"""From what a person wrote (`main`, `v1.2`, `1.2.*`, `4f2a91c`, `HEAD`) to an object of the repository."""

import difflib
import re
from collections.abc import Iterable, Mapping

from outrider.rendering.semver import is_range, newest

FULL_SHA = re.compile(r"[0-9a-f]{40}")
SHORT_SHA = re.compile(r"[0-9a-f]{7,39}")
# Git itself shortens to seven digits at the least.
_NEAR_MAX = 3
_TAGS = "refs/tags/"
_ABBREVIATED_PREFIXES = ("refs/heads/", "refs/tags/")


def tag_range(revision: str) -> tuple[str, str] | None:
    """Return prefix and range of a revision that chooses among tags (`1.2.*`, or `prefix:1.2.*`); None for any other."""
    prefix, colon, wanted = revision.rpartition(":")
    if not (colon or is_range(revision)):
        return None
    return prefix, wanted


def ref_names(revision: str) -> tuple[str, ...]:
    """Return the refs that a revision may name, the likeliest first: a branch before a tag of the same name."""
    if revision == "HEAD" or revision.startswith("refs/"):
        return (revision,)
    prefix, colon, version = revision.rpartition(":")
    if colon:
        # With a prefix only tags are meant; no ref's name holds a colon.
        return (f"refs/tags/{prefix}{version}",)
    return (f"refs/heads/{revision}", f"refs/tags/{revision}")


def ref_prefixes(revisions: Iterable[str]) -> list[bytes]:
    """Return the prefixes of all refs that are needed to resolve the revisions: a server then sends no others."""
    prefixes = {"HEAD"}
    for revision in revisions:
        prefixes.update(ref_names(revision))
        if (wanted := tag_range(revision)) is not None:
            prefixes.add(f"{_TAGS}{wanted[0]}")
        if SHORT_SHA.fullmatch(revision):
            prefixes.update(_ABBREVIATED_PREFIXES)
    return sorted(prefix.encode() for prefix in prefixes)


def find(revision: str, refs: Mapping[bytes, bytes]) -> bytes | None:
    """Return the object id of a revision that is the name of a ref, or a range that a tag is in; None if there is none."""
    if (wanted := tag_range(revision)) is not None and (tag := _newest_tag(*wanted, refs)) is not None:
        return refs[tag]
    for name in ref_names(revision):
        found = refs.get(name.encode())
        if found is not None:
            return found
    return None


def _newest_tag(prefix: str, wanted: str, refs: Mapping[bytes, bytes]) -> bytes | None:
    if not is_range(wanted):
        return None
    start = f"{_TAGS}{prefix}".encode()
    tags = [
        ref.removeprefix(start).decode("utf-8", "replace")
        for ref in refs
        if ref.startswith(start) and not ref.endswith(b"^{}")
    ]
    found = newest(wanted, tags)
    return start + found.encode() if found is not None else None


def near(revision: str, refs: Iterable[bytes]) -> tuple[str, ...]:
    """Return names of branches and tags that may have been meant."""
    names = set()
    for ref in refs:
        for prefix in _ABBREVIATED_PREFIXES:
            name = ref.decode("utf-8", "replace")
            if name.startswith(prefix) and not name.endswith("^{}"):
                names.add(name.removeprefix(prefix))
    return tuple(difflib.get_close_matches(revision, sorted(names), n=_NEAR_MAX))
