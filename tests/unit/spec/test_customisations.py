"""argocd-cm as the settings of clusters."""

from typing import Any

import pytest

from outrider.spec.customisations import customisations
from outrider.spec.document import InvalidManifest, parse

LUA = 'hs = {}\nhs.status = "Healthy"\nreturn hs\n'
ACTIONS = """
mergeBuiltinActions: true
discovery.lua: |
  return {restart = {}}
definitions:
  - name: restart
    iconClass: fa fa-redo
    action.lua: |
      return obj
"""
IGNORED = """
jsonPointers: [/spec/replicas]
jqPathExpressions: ['.spec.template']
managedFieldsManagers: [kube-controller-manager]
"""


def test_every_customisation_reaches_agents_in_a_form_without_yaml() -> None:
    prefix = "resource.customizations"
    found = customisations(
        {
            f"{prefix}.health.cert-manager.io_Certificate": LUA,
            f"{prefix}.useOpenLibs.cert-manager.io_Certificate": "true",
            f"{prefix}.health.PersistentVolumeClaim": LUA,
            f"{prefix}.actions.apps_Deployment": ACTIONS,
            f"{prefix}.ignoreDifferences.apps_Deployment": IGNORED,
            f"{prefix}.ignoreDifferences.all": "managedFieldsManagers: [a]",
        }
    )
    assert found.problems == []
    assert found.spec == {
        "health": {
            "cert-manager.io/Certificate": {"lua": LUA, "openLibs": True},
            "/PersistentVolumeClaim": {"lua": LUA},
        },
        "actions": {
            "apps/Deployment": {
                "discovery": "return {restart = {}}\n",
                "definitions": [{"name": "restart", "lua": "return obj\n"}],
                "mergeBuiltinActions": True,
            }
        },
        "ignoreDifferences": {
            "apps/Deployment": {
                "jsonPointers": ["/spec/replicas"],
                "jqPathExpressions": [".spec.template"],
                "managedFieldsManagers": ["kube-controller-manager"],
            },
            "*/*": {"managedFieldsManagers": ["a"]},
        },
    }
    assert found.warnings == []


def test_the_block_of_all_kinds_means_the_same() -> None:
    block = f"""
"*.crossplane.io/*":
  health.lua: |
    return {{status = "Healthy"}}
  health.lua.useOpenLibs: true
apps/Deployment:
  ignoreDifferences: |
    jsonPointers: [/spec/replicas]
  actions: |
    definitions: [{{name: restart, action.lua: return obj}}]
Pod:
  health.lua: {LUA.splitlines()[1]!r}
"""
    found = customisations({"resource.customizations": block})
    assert found.problems == []
    assert found.spec["health"]["*.crossplane.io/*"] == {
        "lua": 'return {status = "Healthy"}\n',
        "openLibs": True,
    }
    assert found.spec["health"]["/Pod"] == {"lua": 'hs.status = "Healthy"'}
    assert found.spec["ignoreDifferences"] == {"apps/Deployment": {"jsonPointers": ["/spec/replicas"]}}
    assert found.spec["actions"]["apps/Deployment"]["definitions"] == [
        {"name": "restart", "lua": "return obj"}
    ]


@pytest.mark.parametrize(
    ("options", "ignored"),
    [
        ("ignoreResourceStatusField: all", {"*/*": {"jsonPointers": ["/status"]}}),
        ("ignoreResourceStatusField: crd", {"apiextensions.k8s.io/CustomResourceDefinition": {"jsonPointers": ["/status"]}}),
        ("ignoreResourceStatusField: none", {}),
        ("ignoreResourceStatusField: off", {}),
        (
            "ignoreAggregatedRoles: true",
            {"rbac.authorization.k8s.io/ClusterRole": {"jqPathExpressions": ["if .aggregationRule then .rules else empty end"]}},
        ),
    ],
)  # fmt: skip
def test_compare_options_are_rules_of_what_is_ignored(options: str, ignored: dict[str, Any]) -> None:
    found = customisations({"resource.compareoptions": options})
    assert (found.problems, found.spec.get("ignoreDifferences", {})) == ([], ignored)


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("resource.exclusions", "[]", "an agent watches only the kinds that its applications use"),
        (
            "resource.customizations.ignoreResourceUpdates.all",
            "jsonPointers: [/status]",
            "skips what changes nothing",
        ),
        ("resource.customizations.knownTypeFields.apps_Deployment", "[]", "found out by asking it"),
        ("resource.customizations.useOpenLibs.Pod", "true", "there is no health script beside it"),
        ("oidc.config", "clientSecret: hush", "Outrider has no such setting"),
        ("timeout.reconciliation", "120s", "repositories are polled by the renderer"),
    ],
)
def test_a_key_without_effect_is_said_to_have_none(key: str, text: str, says: str) -> None:
    found = customisations({key: text})
    assert (found.problems, found.spec) == ([], {})
    (warning,) = found.warnings
    assert says in warning
    assert "hush" not in warning


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("resource.customizations.health.a_b_C", LUA, "ends in 'a_b_C': write <group>_<Kind>"),
        ("resource.customizations.health.", LUA, "ends in ''"),
        ("resource.customizations.heath.Pod", LUA, "'heath' is no customisation"),
        ("resource.customizations.actions.Pod", "[", "line 2: while parsing"),
        (
            "resource.customizations.actions.Pod",
            "definitions: [{name: a}]",
            "definitions[0].action.lua: is required",
        ),
        ("resource.customizations.ignoreDifferences.Pod", "jsonPointers: [spec]", "is no JSON pointer"),
        ("resource.customizations.ignoreDifferences.Pod", "pointers: []", "pointers: unknown field"),
        ("resource.customizations.useOpenLibs.Pod", "yes please", "is 'true' or 'false'"),
        ("resource.customizations", "Pod: 5", "Pod: must be a map"),
        ("resource.customizations", "- a", "must be one YAML map"),
        ("resource.compareoptions", "ignoreResourceStatusField: some", "ignoreResourceStatusField"),
    ],
)
def test_what_cannot_be_read_is_refused_with_key_and_place(key: str, text: str, problem: str) -> None:
    found = customisations({key: text})
    assert any(one.startswith(f"data[{key}]") and problem in one for one in found.problems), found.problems


def test_a_bomb_in_a_key_is_refused() -> None:
    bomb = "[" * 100_000
    (problem,) = customisations({"resource.customizations": bomb}).problems
    assert problem.startswith("data[resource.customizations]: ")


def test_of_the_config_map_only_what_has_effect_is_kept() -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": "argocd", "labels": {"a": "b"}},
        "data": {"dex.config": "clientSecret: hush", "resource.customizations.health.Pod": LUA},
    }
    document = parse(manifest)
    assert document.manifest == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm"},
        "data": {"resource.customizations.health.Pod": LUA},
    }
    with pytest.raises(InvalidManifest, match="binaryData: unknown field"):
        parse({**manifest, "binaryData": {"a": "b"}})
    with pytest.raises(InvalidManifest, match="data: must be a map of texts"):
        parse({**manifest, "data": {"a": 1}})
