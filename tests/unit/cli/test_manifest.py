from typing import Any

import pytest

from outrider.bus.model import User
from outrider.identity.credentials import Credentials, parse
from outrider.identity.keys import generate
from outrider.rendering.kubeyaml import Bounds, read_yaml
from outrider_cli import manifest
from outrider_cli.manifest import Placement


@pytest.fixture
def credentials() -> Credentials:
    jwt = "e30.eyJuYW1lIjoic2hvcDEifQ.x"
    return Credentials(
        User("shop1", jwt, generate("user").seed), ("tls://hub.example.com:4222",), "CA\n", (b"k" * 32,)
    )


def by_kind(credentials: Credentials, placement: Placement) -> dict[str, Any]:
    return {one["kind"]: one for one in manifest.objects(credentials, placement)}


def test_the_manifest_is_read_back_as_it_was_meant(credentials: Credentials) -> None:
    objects = manifest.objects(credentials, Placement())
    read = [document.value for document in read_yaml(manifest.as_yaml(objects).encode(), Bounds())]
    assert read == objects
    assert parse(read[4]["stringData"]["credentials"]).user == credentials.user


def test_two_agents_never_run_side_by_side(credentials: Credentials) -> None:
    spec = by_kind(credentials, Placement())["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_pod_has_no_more_rights_on_its_node_than_it_needs(credentials: Credentials) -> None:
    pod = by_kind(credentials, Placement())["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert {"requests", "limits"} == set(container["resources"])
    assert "ports" not in container
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_all_of_it_goes_where_it_was_placed(credentials: Credentials) -> None:
    objects = by_kind(credentials, Placement(image="mirror.example.com/agent:2", namespace="edge"))
    assert objects["Namespace"]["metadata"]["name"] == "edge"
    placed = {kind: one["metadata"].get("namespace") for kind, one in objects.items()}
    assert {kind for kind, namespace in placed.items() if namespace is None} == {
        "Namespace",
        "ClusterRole",
        "ClusterRoleBinding",
    }
    assert set(placed.values()) == {"edge", None}
    assert objects["ClusterRoleBinding"]["subjects"][0]["namespace"] == "edge"
    assert (
        objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"]
        == "mirror.example.com/agent:2"
    )


def test_what_the_agent_needs_for_itself_it_has_in_its_own_namespace_alone(credentials: Credentials) -> None:
    objects = by_kind(credentials, Placement(namespace="edge"))
    assert objects["Role"]["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]},
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["outrider-hold"],
            "verbs": ["get", "list", "watch"],
        },
    ]
    assert objects["RoleBinding"]["roleRef"]["name"] == objects["Role"]["metadata"]["name"]
    assert objects["RoleBinding"]["subjects"] == objects["ClusterRoleBinding"]["subjects"]


def test_an_agent_that_renders_has_room_for_it(credentials: Credentials) -> None:
    def memory(placement: Placement) -> str:
        spec = by_kind(credentials, placement)["Deployment"]["spec"]["template"]["spec"]
        found: str = spec["containers"][0]["resources"]["limits"]["memory"]
        return found

    assert (memory(Placement()), memory(Placement(renders=True))) == ("256Mi", "1Gi")


def test_an_ephemeral_agent_claims_no_volume(credentials: Credentials) -> None:
    objects = by_kind(credentials, Placement(ephemeral=True))
    assert "PersistentVolumeClaim" not in objects
    volumes = objects["Deployment"]["spec"]["template"]["spec"]["volumes"]
    assert {"name": "state", "emptyDir": {}} in volumes
