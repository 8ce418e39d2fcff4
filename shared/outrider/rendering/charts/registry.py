"""An OCI registry: tags, manifests and blobs, by the distribution API. Blocking, one errand at a time.

A registry may say that requests need a token, and which service gives it. Credentials go to that service if it is in the registry's
own domain, and a token goes to the registry alone: what it redirects to (storage elsewhere) is fetched without either.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import urlencode, urljoin, urlsplit

from outrider.rendering.charts.door import Answer, Door, Origin, origin_of
from outrider.rendering.charts.helm_repository import ARCHIVE_MAX_BYTES, basic
from outrider.rendering.charts.reference import Wanted, sha256_of
from outrider.rendering.git.errors import CredentialsRefused, RepositoryUnavailable, RevisionNotFound
from outrider.rendering.semver import is_partial, is_range, newest, parse_version

MANIFEST_MAX_BYTES = 4 * 1024 * 1024
# What the distribution specification asks registries to take at least.
_TAGS_MAX_BYTES = 8 * 1024 * 1024
_PAGES_MAX = 100
_TAGS_A_PAGE = 1000
_TOKEN_MAX_BYTES = 256 * 1024
_CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_LAYERS = (_CHART_LAYER, "application/vnd.oci.image.layer.v1.tar+gzip")
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_ALIASES = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}
# Names of Docker's registry that do not speak its API themselves.
_SHORT_DOMAINS = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})
# Before a country's two letters they are nobody's own domain.


@dataclass(frozen=True)
class Layer:
    """The archive of an artifact. `revision` is the manifest's digest."""

    revision: str
    digest: str
    is_chart: bool


class Registry:
    """One repository of a registry, as one errand sees it."""

    def __init__(self, door: Door, chart: str) -> None:
        address = door.policy.check(door.access.url)
        self._door = door
        path = address.path.strip("/")
        self._name = f"{path}/{chart}" if chart else path
        self._home: Origin = ("https", _ALIASES.get(address.host, address.host), address.port)
        port = "" if address.port == 443 else f":{address.port}"
        host = _ALIASES.get(address.host, address.host)
        host = f"[{host}]" if ":" in host else host
        self._base = f"https://{host}{port}/v2/{self._name}"
        self._secret: str | None = None

    def tag(self, wanted: Wanted) -> str:
        """Return the tag or digest that a version stands for; RevisionNotFound if no tag is in the range."""
        if not (is_range(wanted.version) or (wanted.chart and is_partial(wanted.version))):
            return wanted.version.replace("+", "_")
        # A tag holds no '+', which Helm writes as '_'.
        versions = {tag.replace("_", "+"): tag for tag in self._tags()}
        found = newest(wanted.version, versions)
        if found is None:
            some = sorted(filter(None, map(parse_version, versions)), reverse=True)[:3]
            reason = f"no tag of {self._name} is in this range"
            if some:
                reason += f"; the newest are {', '.join(version.text for version in some)}"
            raise RevisionNotFound(wanted.version, reason=reason)
        return versions[found]

    def layer(self, tag: str) -> Layer:
        """Return the one archive that a tag's manifest names."""
        answer = self._get(f"{self._base}/manifests/{tag}", MANIFEST_MAX_BYTES, {"Accept": _MANIFESTS})
        if answer.status == 404:
            raise RevisionNotFound(
                tag, reason=f"{self._name} has no such tag, or the credentials may not see it"
            )
        self._door.check_status(answer, f"the manifest of {self._name}:{tag}")
        revision = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        if _DIGEST.fullmatch(tag) and tag != revision:
            raise self._broken(f"the manifest of {tag} is another one")
        layers = _json(answer).get("layers")
        wanted = [
            layer
            for layer in (layers if isinstance(layers, list) else [])
            if isinstance(layer, dict) and layer.get("mediaType") in _LAYERS
        ]
        charts = [layer for layer in wanted if layer.get("mediaType") == _CHART_LAYER]
        chosen = charts or wanted
        if len(chosen) != 1:
            raise self._broken(
                f"{tag} holds {len(chosen)} archives of a kind that can be rendered, where one is needed"
            )
        digest = chosen[0].get("digest")
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise self._broken(f"the manifest of {tag} names its archive by no SHA-256")
        return Layer(revision, digest.removeprefix("sha256:"), bool(charts))

    def download(self, layer: Layer, into: BinaryIO) -> None:
        """Write an archive, checked by its digest."""
        answer = self._get(f"{self._base}/blobs/sha256:{layer.digest}", ARCHIVE_MAX_BYTES, {}, into)
        self._door.check_status(answer, f"an archive of {self._name}")
        if sha256_of(into) != layer.digest:
            raise self._broken("an archive is not what its digest says")

    def _tags(self) -> list[str]:
        found: list[str] = []
        url: str | None = f"{self._base}/tags/list?n={_TAGS_A_PAGE}"
        for _ in range(_PAGES_MAX):
            if url is None:
                break
            answer = self._door.check_status(self._get(url, _TAGS_MAX_BYTES, {}), f"the tags of {self._name}")
            tags = _json(answer).get("tags")
            found += [tag for tag in (tags if isinstance(tags, list) else []) if isinstance(tag, str)]
            url = self._following(answer)
        return found

    def _following(self, answer: Answer) -> str | None:
        link = next((value for key, value in answer.headers.items() if key.lower() == "link"), "")
        match = re.match(r'<([^>]+)>;\s*rel="?next"?', link)
        if match is None:
            return None
        url = urljoin(answer.url, match[1])
        return url if url.startswith(f"{self._base}/") else None

    def _get(
        self, url: str, max_bytes: int, headers: Mapping[str, str], into: BinaryIO | None = None
    ) -> Answer:
        answer = self._ask(url, max_bytes, headers, into)
        if (
            answer.status == 401
            and self._secret is None
            and urlsplit(answer.url).netloc == urlsplit(url).netloc
        ):
            self._secret = self._authorised(answer)
            if self._secret is not None:
                answer = self._ask(url, max_bytes, headers, into)
        return answer

    def _ask(self, url: str, max_bytes: int, headers: Mapping[str, str], into: BinaryIO | None) -> Answer:
        authorization = {self._home: self._secret} if self._secret is not None else {}
        return self._door.get(
            url, max_bytes=max_bytes, headers=headers, authorization=authorization, into=into
        )

    def _authorised(self, answer: Answer) -> str | None:
        """Return what the registry asks to see, by its challenge."""
        challenge = next(
            (value for key, value in answer.headers.items() if key.lower() == "www-authenticate"), ""
        )
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return basic(self._door)
        if scheme.lower() != "bearer":
            return None
        given = dict(_PARAMETER.findall(rest))
        return self._token(given.get("realm", ""), given.get("service", ""), given.get("scope", ""))

    def _token(self, realm: str, service: str, scope: str) -> str:
        target = self._door.policy.check(realm.partition("?")[0])
        secret = basic(self._door)
        if target.scheme != "https" or (secret is not None and not same_domain(target.host, self._home[1])):
            reason = f"names {target.host} as its token service, which is outside of its domain: the credentials are not sent there"
            raise CredentialsRefused(self._door.access.url, reason)
        query = urlencode({"service": service, "scope": scope or f"repository:{self._name}:pull"})
        url = f"{realm}{'&' if '?' in realm else '?'}{query}"
        authorization = {origin_of(target): secret} if secret is not None else {}
        answer = self._door.get(url, max_bytes=_TOKEN_MAX_BYTES, authorization=authorization)
        found = _json(self._door.check_status(answer, "the token service"))
        token = found.get("token") or found.get("access_token")
        if not isinstance(token, str) or not token.isprintable() or " " in token:
            raise self._broken("the token service gives no token")
        return f"Bearer {token}"

    def _broken(self, reason: str) -> RepositoryUnavailable:
        return RepositoryUnavailable(self._door.access.url, reason)


def same_domain(host: str, other: str) -> bool:
    """Tell whether two hosts belong to one owner: one of them, or its parent, is a domain that the other is in."""
    if host == other:
        return True
    parent = other.partition(".")[2]
    labels = parent.split(".")
    shared = len(labels) >= 2 and not (
        len(labels) == 2 and labels[0] in _SHORT_DOMAINS and len(labels[1]) == 2
    )
    return host.endswith(f".{other}") or (shared and (host == parent or host.endswith(f".{parent}")))


def _json(answer: Answer) -> dict[str, Any]:
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RepositoryUnavailable(answer.url.partition("?")[0], "answers with what is no JSON object")
    return value
