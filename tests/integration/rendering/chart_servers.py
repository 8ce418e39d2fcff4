"""Chart repositories and OCI registries for tests: answers for the HTTPS server of `servers`, which what is pushed here fills."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.integration.rendering.servers import PASSWORD, USERNAME, Certificate, HttpsServer, https_server

BASIC = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
FILES_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def archive(files: Mapping[str, "str | bytes | tarfile.TarInfo"]) -> bytes:
    """Return a .tar.gz; a TarInfo stands for itself, with whatever type and name it has."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def chart_files(name: str, version: str, **files: str) -> dict[str, str]:
    """Return a chart with one ConfigMap that shows its version and values."""
    shown = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-{{ .Chart.Name }}}\n"
        "data: {version: {{ .Chart.Version | quote }}, values: {{ .Values | toJson | quote }} }\n"
    )
    return {
        f"{name}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n" + files.pop("extra", ""),
        f"{name}/values.yaml": "a: chart\n",
        f"{name}/templates/shown.yaml": shown,
        **{f"{name}/{path}": text for path, text in files.items()},
    }


@dataclass
class Charts:
    """What a server holds. Archives at `/charts/…`, an index there, and a registry at `/v2/…`."""

    server: HttpsServer
    certificate: Certificate
    entries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    archives: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, dict[str, bytes]] = field(default_factory=dict)
    # Of the registry: name -> tag -> manifest.
    blobs: dict[str, bytes] = field(default_factory=dict)
    index: bytes | None = None
    # In place of the one made of the entries.
    requires_login: bool = False
    realm: str = ""
    redirect_blobs_to: str = ""
    page_size: int = 1000

    @property
    def url(self) -> str:
        return f"{self.server.url}/charts"

    @property
    def registry(self) -> str:
        """Host and path, as Argo CD writes it."""
        return f"{self.server.url.removeprefix('https://')}/charts"

    def publish(self, name: str, version: str, *, url: str = "", **files: str) -> bytes:
        """Put a version of a chart into the Helm repository."""
        data = archive(chart_files(name, version, **files))
        path = f"{name}-{version}.tgz"
        self.archives[path] = data
        entry = {
            "name": name,
            "version": version,
            "urls": [url or path],
            "digest": hashlib.sha256(data).hexdigest(),
        }
        self.entries.setdefault(name, []).append(entry)
        return data

    def push(self, name: str, tag: str, data: bytes, *, media_type: str = CHART_LAYER) -> str:
        """Put an archive into the registry; return the manifest's digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        layer = {"mediaType": media_type, "digest": digest, "size": len(data)}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer]}).encode()
        found = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        self.tags.setdefault(name, {}).update({tag: manifest, found: manifest})
        return found

    def requests(self, part: str) -> list[tuple[str, str | None]]:
        """Return the requests whose line holds a text, with what authorised each."""
        seen = self.server.requests
        return [one for one in zip(seen.lines, seen.authorizations, strict=True) if part in one[0]]

    def answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path.startswith("/v2/"):
            status, headers, body = self._registry(path, environ)
        elif path == "/token":
            status, headers, body = self._token(environ)
        else:
            status, headers, body = self._repository(path, environ)
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _repository(self, path: str, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        if self.requires_login and environ.get("HTTP_AUTHORIZATION") != BASIC:
            return "401 Unauthorized", [("WWW-Authenticate", "Basic")], b""
        if path == "/charts/index.yaml":
            body = self.index or json.dumps({"apiVersion": "v1", "entries": self.entries}).encode()
            etag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
            if environ.get("HTTP_IF_NONE_MATCH") == etag:
                return "304 Not Modified", [("ETag", etag)], b""
            return "200 OK", [("ETag", etag)], body
        found = self.archives.get(path.removeprefix("/charts/"))
        return ("200 OK", [], found) if found is not None else ("404 Not Found", [], b"")

    def _registry(self, path: str, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        wanted = "Bearer token-canary" if self.realm else BASIC if self.requires_login else None
        if wanted is not None and environ.get("HTTP_AUTHORIZATION") != wanted:
            challenge = f'Bearer realm="{self.realm}",service="registry"' if self.realm else "Basic"
            return "401 Unauthorized", [("WWW-Authenticate", challenge)], b""
        if path.endswith("/tags/list"):
            return self._tags(path.removeprefix("/v2/").removesuffix("/tags/list"), environ)
        name, kind, reference = path.removeprefix("/v2/").rsplit("/", 2)
        if kind == "manifests":
            found = self.tags.get(name, {}).get(reference)
            return (
                ("200 OK", [("Content-Type", MANIFEST)], found)
                if found is not None
                else ("404 Not Found", [], b"{}")
            )
        if self.redirect_blobs_to:
            return "307 Temporary Redirect", [("Location", f"{self.redirect_blobs_to}/{reference}")], b""
        blob = self.blobs.get(reference)
        return ("200 OK", [], blob) if blob is not None else ("404 Not Found", [], b"")

    def _tags(self, name: str, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        tags = [tag for tag in self.tags.get(name, {}) if not tag.startswith("sha256:")]
        begin = int(parse_qs(environ.get("QUERY_STRING", "")).get("begin", ["0"])[0])
        page = tags[begin : begin + self.page_size]
        following = begin + self.page_size
        link = (
            [("Link", f'</v2/{name}/tags/list?begin={following}>; rel="next"')]
            if following < len(tags)
            else []
        )
        return "200 OK", link, json.dumps({"name": name, "tags": page}).encode()

    def _token(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        if environ.get("HTTP_AUTHORIZATION") != BASIC:
            return "401 Unauthorized", [], b"{}"
        return "200 OK", [], b'{"token": "token-canary"}'


@contextmanager
def charts_server(folder: Path, certificate: Certificate) -> Iterator[Charts]:
    with https_server(folder, certificate) as server:
        charts = Charts(server, certificate)
        server.answers.append(charts.answer)
        yield charts
