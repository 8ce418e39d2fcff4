"""What lies in an application's namespace and is nobody's. Pure.

As in Argo CD (its `docs/user-guide/orphaned-resources.md`): where the project asks for it, objects of the
destination namespace that have no owner and belong to no application, but for what every namespace has, what
the control plane makes, what the project doesn't permit anyway, and what the project's list leaves out.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.sync.project import Project

if TYPE_CHECKING:
    from edge_agent.cluster.names import Key
    from edge_agent.tree.relative import Relative

# Made by Kubernetes itself or by a controller beside what people make: they come and go with other things.
_MADE = frozenset(
    {
        ("", "Endpoints"),
        ("discovery.k8s.io", "EndpointSlice"),
        ("apps", "ControllerRevision"),
        ("cert-manager.io", "CertificateRequest"),
        ("cilium.io", "CiliumEndpoint"),
        ("wgpolicyk8s.io", "PolicyReport"),
        ("reports.kyverno.io", "EphemeralReport"),
    }
)
# In every namespace, or in the namespace `default`.
_ALWAYS = frozenset({("", "ServiceAccount", "default"), ("", "ConfigMap", "kube-root-ca.crt")})


@dataclass(frozen=True, slots=True)
class Watchfulness:
    """What a project says about orphaned resources."""

    namespace: str
    warn: bool
    ignore: tuple[tuple[str, str, str], ...]
    """Group, kind, name: globs; an empty kind or name is any."""
    project: Project

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Watchfulness | None:
        """Read it from an application's spec; None where the project doesn't ask to look."""
        project = spec.get("project")
        asked = project.get("orphanedResources") if isinstance(project, Mapping) else None
        if not isinstance(asked, Mapping):
            return None
        ignore = asked.get("ignore")
        return cls(
            namespace=str((spec.get("destination") or {}).get("namespace") or ""),
            # Asked for, it warns, unless it says not to.
            warn=asked.get("warn") is not False,
            ignore=tuple(
                (str(rule.get("group") or ""), str(rule.get("kind") or "*"), str(rule.get("name") or "*"))
                for rule in (ignore if isinstance(ignore, list) else ())
                if isinstance(rule, Mapping)
            ),
            project=Project.of(spec),
        )

    def leaves_out(self, key: Key) -> bool:
        """Say whether an object is never an orphan."""
        if key.namespace != self.namespace or (key.group, key.kind) in _MADE:
            return True
        if (key.group, key.kind, key.name) in _ALWAYS:
            return True
        if key.namespace == "default" and (key.group, key.kind, key.name) == ("", "Service", "kubernetes"):
            return True
        return bool(self.project.refusal(key)) or any(
            fnmatch.fnmatchcase(key.group, group)
            and fnmatch.fnmatchcase(key.kind, kind)
            and fnmatch.fnmatchcase(key.name, name)
            for group, kind, name in self.ignore
        )


def orphans(found: Iterable[Relative], watchfulness: Watchfulness, apps: frozenset[str]) -> list[Relative]:
    """Return the orphaned objects; `apps` are the applications of this cluster, as objects name them."""
    return sorted(
        (
            one
            for one in found
            if not one.is_owned and one.claimed not in apps and not watchfulness.leaves_out(one.key)
        ),
        key=lambda one: one.key,
    )
