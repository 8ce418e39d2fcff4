"""Paths inside a repository, as an Application writes them."""

import posixpath
import re

PATH_MAX_CHARS = 1024
# Git itself stops at 4096 bytes; a path that long is no path that a person wrote.
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def repository_path(text: str, *, relative_to: str = "") -> str:
    """Return `text` as a path from the repository's root ("." is the root itself); ValueError if it leaves the repository.

    As in Argo CD's value files, a leading `/` means the root of the repository when `relative_to` is given.
    """
    if CONTROL.search(text):
        raise ValueError("a path holds no control characters")
    if len(text) > PATH_MAX_CHARS:
        raise ValueError(f"a path has at most {PATH_MAX_CHARS} characters")
    if text.startswith("/") and not relative_to:
        raise ValueError("must be relative to the root of the repository: leave out the leading '/'")
    joined = text.lstrip("/") if text.startswith("/") else posixpath.join(relative_to, text)
    path = posixpath.normpath(joined)
    if path == ".." or path.startswith("../"):
        raise ValueError(f"{text!r} leaves the repository")
    return path
