"""Versions and ranges of versions, as Helm and Argo CD read them (Masterminds/semver v3): `1.2.x`, `~1.2`, `^1`, `>=1 <2 || 3.*`, `*-0`.

A version with a pre-release part is in a range only if the range names one itself (`>=1.2.0-0`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering

VERSION_MAX_CHARS = 256
_PRE = r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
_META = r"(?:\+(?P<meta>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
_VERSION = re.compile(
    rf"v?(?P<major>[0-9]{{1,18}})(?:\.(?P<minor>[0-9]{{1,18}}))?(?:\.(?P<patch>[0-9]{{1,18}}))?{_PRE}{_META}"
)
_PART = r"[0-9]{1,18}|[xX*]"
_TERM = re.compile(
    rf"(?P<op>=|!=|>=|=>|<=|=<|>|<|~>|~|\^|)\s*v?(?P<major>{_PART})(?:\.(?P<minor>{_PART}))?(?:\.(?P<patch>{_PART}))?{_PRE}{_META}"
)
_BARE = r"v?[0-9xX*]+(?:\.[0-9xX*]+){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_HYPHEN = re.compile(rf"\s*({_BARE})\s+-\s+({_BARE})\s*")
_SEPARATOR = re.compile(r"\s*,\s*|\s+")
_WILD = frozenset({"x", "X", "*", None})


class InvalidRange(ValueError):
    """A text that is neither a version nor a range of versions."""


@total_ordering
@dataclass(frozen=True)
class Version:
    """A version; `text` is how it was written. Equal are versions that rank equal, build metadata left aside."""

    major: int
    minor: int
    patch: int
    pre: tuple[str, ...]
    text: str

    @property
    def _rank(self) -> tuple[object, ...]:
        # A release ranks above its pre-releases; numbers rank below words and by value.
        parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.pre)
        return (self.major, self.minor, self.patch, not self.pre, parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._rank == other._rank

    def __lt__(self, other: "Version") -> bool:
        return self._rank < other._rank

    def __hash__(self) -> int:
        return hash(self._rank)


def parse_version(text: str) -> Version | None:
    """Return the version that a text is; `1` and `v1.2` are versions too. None if it is none."""
    match = _VERSION.fullmatch(text) if len(text) <= VERSION_MAX_CHARS else None
    if match is None:
        return None
    major, minor, patch = (int(match[name] or 0) for name in ("major", "minor", "patch"))
    return Version(major, minor, patch, tuple((match["pre"] or "").split(".")) if match["pre"] else (), text)


@dataclass(frozen=True)
class _Term:
    """One comparison. `known` is how many of major, minor, patch are said."""

    operator: str
    version: Version
    known: int

    def holds(self, version: Version) -> bool:
        match self.operator:
            case "" | "=":
                return self._tilde(version) if self.known < 3 else version == self.version
            case "!=":
                return version != self.version if self.known == 3 else not self._same_prefix(version)
            case ">":
                return (
                    version > self.version
                    if self.known == 3
                    else self._head(version) > self._head(self.version)
                )
            case ">=" | "=>":
                return version >= self.version
            case "<":
                return version < self.version
            case "<=" | "=<":
                return (
                    version <= self.version
                    if self.known == 3
                    else self._head(version) <= self._head(self.version)
                )
            case "^":
                return self._caret(version)
            case _:
                return self._tilde(version)

    def _head(self, version: Version) -> tuple[int, ...]:
        # Of nothing but a wildcard, the major version 0 counts as said.
        return (version.major, version.minor, version.patch)[: max(1, self.known)]

    def _same_prefix(self, version: Version) -> bool:
        return self._head(version) == self._head(self.version)

    def _tilde(self, version: Version) -> bool:
        wanted = self.version
        if version < wanted:
            return False
        if self.known == 0 or (self.known == 3 and (wanted.major, wanted.minor, wanted.patch) == (0, 0, 0)):
            return True
        return version.major == wanted.major and (self.known < 2 or version.minor == wanted.minor)

    def _caret(self, version: Version) -> bool:
        wanted = self.version
        if version < wanted:
            return False
        if self.known == 0:
            return True
        if wanted.major > 0 or self.known == 1:
            return version.major == wanted.major
        if version.major > 0:
            return False
        if wanted.minor > 0 or self.known == 2:
            return version.minor == wanted.minor
        return version.minor == 0 and version.patch == wanted.patch


@dataclass(frozen=True)
class Range:
    """Alternatives, each of which is a list of comparisons that hold together."""

    alternatives: tuple[tuple[_Term, ...], ...]

    def holds(self, version: Version) -> bool:
        """Tell whether a version is in the range."""
        return any(
            (not version.pre or any(term.version.pre for term in terms))
            and all(term.holds(version) for term in terms)
            for terms in self.alternatives
        )


def parse_range(text: str) -> Range:
    """Return a range; InvalidRange if it is none. A bare version is the range of that version alone."""
    if len(text) > VERSION_MAX_CHARS:
        raise InvalidRange(f"a range has at most {VERSION_MAX_CHARS} characters")
    written = _HYPHEN.sub(lambda match: f">={match[1]}, <={match[2]} ", text)
    return Range(tuple(_terms(part, text) for part in written.split("||")))


def _terms(part: str, text: str) -> tuple[_Term, ...]:
    terms: list[_Term] = []
    at, part = 0, part.strip()
    while at < len(part) or not terms:
        match = _TERM.match(part, at)
        if match is None:
            raise InvalidRange(f"{text!r} is no version and no range of versions")
        terms.append(_term(match))
        at = match.end()
        separator = _SEPARATOR.match(part, at)
        if at < len(part) and (separator is None or separator.end() == len(part)):
            raise InvalidRange(f"{text!r} is no version and no range of versions")
        at = separator.end() if separator else at
    return tuple(terms)


def _term(match: re.Match[str]) -> _Term:
    parts = [match["major"], match["minor"], match["patch"]]
    known = next((index for index, part in enumerate(parts) if part in _WILD), 3)
    major, minor, patch = [int(part) for part in parts[:known]] + [0] * (3 - known)
    pre = tuple(match["pre"].split(".")) if match["pre"] else ()
    return _Term(match["op"], Version(major, minor, patch, pre, match[0]), known)


def is_range(text: str) -> bool:
    """Tell whether a text is a range and no single version: only then are there versions to choose from."""
    if parse_version(text) is not None:
        return False
    try:
        parse_range(text)
    except InvalidRange:
        return False
    return True


def is_partial(text: str) -> bool:
    """Tell whether a text is a version without its minor or patch number, which Helm takes for a range (`1.2` is `1.2.x`)."""
    match = _VERSION.fullmatch(text) if len(text) <= VERSION_MAX_CHARS else None
    return match is not None and match["patch"] is None


def newest(wanted: str, versions: Iterable[str]) -> str | None:
    """Return the newest of the versions in a range, as it is written there; None if there is none. Others are passed over."""
    limits = parse_range(wanted)
    found = [version for text in versions if (version := parse_version(text)) and limits.holds(version)]
    return max(found).text if found else None
