"""A Helm repository: an index of charts, and archives wherever it says. Blocking, one errand at a time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import urllib3

from outrider.rendering.charts.door import Answer, Door, Origin, origin_of
from outrider.rendering.charts.reference import Wanted, sha256_of
from outrider.rendering.git.address import AddressPolicy
from outrider.rendering.git.bounds import MIB
from outrider.rendering.git.errors import AddressRefused, RepositoryUnavailable, RevisionNotFound
from outrider.rendering.semver import is_partial, newest, parse_version

INDEX_MAX_BYTES = 64 * MIB
ARCHIVE_MAX_BYTES = 64 * MIB
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_NEAR_MAX = 3


@dataclass(frozen=True)
class Listed:
    """One version of a chart in an index. `digest` is the SHA-256 of its archive, or empty where the index says none."""

    version: str
    url: str
    digest: str


def fetch_index(door: Door, file: Path, etag: str) -> str | None:
    """Write the index to a file; return what to ask with the next time, None if it is as it was then."""
    headers = {"If-None-Match": etag} if etag else {}
    with file.open("wb") as out:
        answer = door.get(
            _joined(door.access.url, "index.yaml"),
            max_bytes=INDEX_MAX_BYTES,
            headers=headers,
            authorization=_authorization(door),
            into=out,
        )
    if answer.status == 304 and etag:
        return None
    door.check_status(answer, "index.yaml")
    return _header(answer, "ETag")


def listed(entries: Sequence[Sequence[str]]) -> list[Listed]:
    """Return the versions in an index, as they were read in a worker."""
    found = []
    for version, url, digest in entries:
        match = _DIGEST.fullmatch(digest)
        found.append(Listed(version, url, match[1] if match else ""))
    return found


def choose(wanted: Wanted, versions: Sequence[Listed]) -> Listed:
    """Return the version that is wanted: the one of that name, else the newest in the range; RevisionNotFound if there is none."""
    by_text = {one.version: one for one in reversed(versions)}
    if wanted.version in by_text:
        return by_text[wanted.version]
    exact = None if is_partial(wanted.version) else parse_version(wanted.version)
    equal = next((one for one in versions if exact is not None and parse_version(one.version) == exact), None)
    if equal is not None:
        return equal
    found = newest(wanted.version, by_text)
    if found is None:
        known = sorted(filter(None, map(parse_version, by_text)), reverse=True)[:_NEAR_MAX]
        reason = f"chart {wanted.chart!r} has no such version"
        if known:
            reason += f"; the newest are {', '.join(version.text for version in known)}"
        raise RevisionNotFound(wanted.version, reason=reason)
    return by_text[found]


def download(door: Door, chosen: Listed, passes_credentials: bool, into: BinaryIO) -> str:
    """Write a chart's archive; return its SHA-256. RepositoryUnavailable if it is not what the index says."""
    url = urljoin(_joined(door.access.url, ""), chosen.url)
    try:
        authorization = dict(_authorization(door))
        if passes_credentials and authorization:
            target = door.policy.check(url.partition("?")[0])
            if target.scheme == "https":
                authorization[origin_of(target)] = next(iter(authorization.values()))
        answer = door.get(url, max_bytes=ARCHIVE_MAX_BYTES, authorization=authorization, into=into)
    except AddressRefused as refused:
        raise AddressRefused(door.access.url, f"its index names {refused.url!r}: {refused.reason}") from None
    if answer.status in {401, 403} and urlsplit(answer.url).netloc != urlsplit(door.access.url).netloc:
        reason = f"its index names {urlsplit(answer.url).hostname}, which wants credentials; set helm.passCredentials to send them there"
        raise RepositoryUnavailable(door.access.url, reason)
    door.check_status(answer, f"the archive of version {chosen.version}")
    digest = sha256_of(into)
    if chosen.digest and digest != chosen.digest:
        raise RepositoryUnavailable(
            door.access.url, f"the archive of version {chosen.version} is not what the index says (SHA-256)"
        )
    return digest


def basic(door: Door) -> str | None:
    """Return what authorises a request with a name and a password, if they are known."""
    access = door.access
    if not access.password:
        return None
    headers = urllib3.util.make_headers(basic_auth=f"{access.username}:{access.password}")
    return str(headers["authorization"])


def home(url: str, policy: AddressPolicy) -> Origin:
    """Return the origin that a repository's credentials belong to."""
    return origin_of(policy.check(url))


def _authorization(door: Door) -> Mapping[Origin, str]:
    secret = basic(door)
    return {} if secret is None else {home(door.access.url, door.policy): secret}


def _joined(url: str, name: str) -> str:
    return f"{url.rstrip('/')}/{name}"


def _header(answer: Answer, name: str) -> str:
    return next((value for key, value in answer.headers.items() if key.lower() == name.lower()), "")
