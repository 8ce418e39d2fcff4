"""A manifest as a person gives it: bounded, its kind known, cleaned of what a cluster added, then checked as a whole.

All problems of a document are collected, not only the first. What is stored is the person's own text, cleaned; what decides
is the checked model.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from outrider import codec
from outrider.spec.app_project import AppProject
from outrider.spec.application import Application
from outrider.spec.application_set import ApplicationSet
from outrider.spec.customisations import CONFIG_MAP, KEPT_PREFIX, customisations
from outrider.spec.metadata import REFRESH, cleaned
from outrider.spec.problems import path, problems, shown

M = TypeVar("M", bound=BaseModel)

MANIFEST_MAX_BYTES = 256 << 10
# Of canonical msgpack. Kubernetes itself stores no object above 1.5 MB.
DEPTH_MAX = 64
NODES_MAX = 50_000
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1

API_VERSION = "argoproj.io/v1alpha1"
_MODELS: dict[str, type[BaseModel]] = {
    "Application": Application,
    "AppProject": AppProject,
    "ApplicationSet": ApplicationSet,
}
_OTHER_CONFIG_MAPS = {
    "argocd-rbac-cm": "rights at the hub come with an identity and its role, not from a policy file",
    "argocd-cmd-params-cm": "the hub's processes are set up by their environment; docs/deployment.md lists it",
    "argocd-notifications-cm": "events are published on the bus; docs/status.md says how to hear them",
    "argocd-ssh-known-hosts-cm": "known hosts belong to a repository: `outrider repo add --known-hosts`",
    "argocd-tls-certs-cm": "authorities belong to a repository: `outrider repo add --ca`",
    "argocd-gpg-keys-cm": "commits' signatures are not checked",
}
_NO_SECRETS = "a Secret is never stored here: give credentials with `outrider repo add` and clusters with `outrider cluster add`"


class InvalidManifest(ValueError):
    """A manifest that can't be taken; `problems` has one sentence for each thing that is wrong."""

    def __init__(self, what: str, found: list[str]) -> None:
        self.what, self.problems = what, found
        super().__init__(f"{what}: {'; '.join(found)}")


@dataclass(frozen=True)
class Document:
    """A checked manifest: its kind and name, the text that it came from, and what its author should know."""

    kind: str
    name: str
    model: BaseModel | None
    # None for a ConfigMap
    manifest: dict[str, Any]
    warnings: list[str]
    settings: dict[str, Any] = field(default_factory=dict)
    # of a ConfigMap: what clusters are to be told
    refresh: str = ""
    # asked for by an annotation: "normal" or "hard"

    @property
    def application(self) -> Application:
        """The Application; TypeError if this is another kind."""
        return self._as(Application)

    @property
    def project(self) -> AppProject:
        """The AppProject; TypeError if this is another kind."""
        return self._as(AppProject)

    def _as(self, model: type[M]) -> M:
        if not isinstance(self.model, model):
            raise TypeError(f"{self.kind} {self.name} is no {model.__name__}")
        return self.model


def parse(manifest: object) -> Document:
    """Check a manifest of whatever kind the hub takes; InvalidManifest with every problem."""
    if not isinstance(manifest, dict):
        raise InvalidManifest("manifest", [f"must be a map, not {shown(manifest)}"])
    what = _name(manifest)
    read = _reader(what, manifest)
    _check_bounds(what, manifest)
    kept = {key: value for key, value in manifest.items() if key != "status" and value is not None}
    warnings: list[str] = []
    refresh = _refresh(kept.get("metadata"))
    if isinstance(kept.get("metadata"), dict):
        kept["metadata"], warnings = cleaned(kept["metadata"])
    if len(codec.canonical(kept)) > MANIFEST_MAX_BYTES:
        raise InvalidManifest(what, [f"is larger than {MANIFEST_MAX_BYTES >> 10} KiB"])
    return read(what, kept, warnings, refresh)


def _refresh(metadata: object) -> str:
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    asked = annotations.get(REFRESH) if isinstance(annotations, dict) else None
    return "" if asked is None else "hard" if asked == "hard" else "normal"


def _read_model(what: str, kept: dict[str, Any], warnings: list[str], refresh: str) -> Document:
    kind = kept["kind"]
    try:
        model = _MODELS[kind].model_validate(kept)
    except ValidationError as error:
        raise InvalidManifest(what, list(problems(error, _MODELS[kind]))) from error
    told = getattr(getattr(model, "spec", None), "warnings", list)
    stored = {key: value for key, value in kept.items() if key != "operation"}
    return Document(kind, kept["metadata"]["name"], model, stored, [*warnings, *told()], refresh=refresh)


def _read_settings(what: str, kept: dict[str, Any], warnings: list[str], _refresh: str) -> Document:
    data = kept.get("data") or {}
    if not isinstance(data, dict) or not all(isinstance(text, str) for text in data.values()):
        raise InvalidManifest(what, ["data: must be a map of texts"])
    unknown = sorted(set(kept) - {"apiVersion", "kind", "metadata", "data", "immutable"})
    found = customisations(data)
    if unknown or found.problems:
        raise InvalidManifest(what, [*(f"{key}: unknown field" for key in unknown), *found.problems])
    # What has no effect may be a login's secret: it is not stored.
    data = {key: text for key, text in data.items() if key.startswith(KEPT_PREFIX)}
    manifest = {**kept, "metadata": {"name": CONFIG_MAP}, "data": data}
    return Document("ConfigMap", CONFIG_MAP, None, manifest, [*warnings, *found.warnings], found.spec)


_Reader = Callable[[str, dict[str, Any], list[str], str], Document]


def _name(manifest: dict[Any, Any]) -> str:
    """Return what to call a manifest in messages, whatever is wrong with it."""
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    kind = manifest.get("kind")
    shown_kind = kind if isinstance(kind, str) and kind else "manifest"
    return f"{shown_kind} {name}"[:200] if isinstance(name, str) else f"{shown_kind} without a name"


def _reader(what: str, manifest: dict[Any, Any]) -> _Reader:
    """Return what reads a manifest of its kind; InvalidManifest says why there is nothing that does."""
    version, kind = manifest.get("apiVersion"), manifest.get("kind")
    missing = [f"{field}: is required" for field in ("apiVersion", "kind") if not manifest.get(field)]
    if missing:
        raise InvalidManifest(what, missing)
    if version == API_VERSION and kind in _MODELS:
        return _read_model
    if version == "v1" and kind == "ConfigMap":
        return _config_map(what, manifest)
    if version == "v1" and kind == "Secret":
        raise InvalidManifest(what, [f"kind: {_NO_SECRETS}"])
    if kind in _MODELS and str(version).startswith("argoproj.io/"):
        raise InvalidManifest(what, [f"apiVersion: {shown(version)} is not supported; use {API_VERSION}"])
    advice = f"give an Application of {API_VERSION}, and put what it deploys into its source"
    found = f"kind: {shown(kind)} of apiVersion {shown(version)} is nothing that the hub takes; {advice}"
    raise InvalidManifest(what, [found])


def _config_map(what: str, manifest: dict[Any, Any]) -> _Reader:
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if name == CONFIG_MAP:
        return _read_settings
    why = (
        _OTHER_CONFIG_MAPS.get(name, f"of ConfigMaps the hub takes {CONFIG_MAP} alone")
        if name
        else "has no name"
    )
    raise InvalidManifest(what, [f"metadata.name: {why}"])


def _check_bounds(what: str, manifest: dict[Any, Any]) -> None:
    """Refuse what is no JSON, or too deep or large to look at further. Without recursion: the depth is a stranger's."""
    nodes = 0
    waiting: list[tuple[object, tuple[int | str, ...]]] = [(manifest, ())]
    while waiting:
        value, location = waiting.pop()
        nodes += 1
        if nodes > NODES_MAX:
            raise InvalidManifest(what, [f"holds more than {NODES_MAX} values"])
        if len(location) > DEPTH_MAX:
            raise InvalidManifest(what, [f"{path(location[:4])}…: is nested deeper than {DEPTH_MAX} levels"])
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise InvalidManifest(what, [f"{path(location)}: the key {shown(key)} must be a text"])
                waiting.append((item, (*location, key)))
        elif isinstance(value, list):
            waiting += [(item, (*location, index)) for index, item in enumerate(value)]
        elif problem := _scalar_problem(value):
            raise InvalidManifest(what, [f"{path(location)}: {problem}"])


def _scalar_problem(value: object) -> str:
    if isinstance(value, int) and not _INT_MIN <= value <= _INT_MAX:
        return "is a whole number beyond 64 bits"
    if value is None or isinstance(value, bool | int | float | str):
        return ""
    return f"must be a JSON value, not {shown(value)}; a date or binary value goes in quotes"
