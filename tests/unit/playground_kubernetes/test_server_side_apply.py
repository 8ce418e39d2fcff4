from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from outrider_playground.kubernetes.field_sets import intersection, union
from outrider_playground.kubernetes.managed_fields import (
    MAX_UPDATE_MANAGERS,
    Managers,
    Writer,
    after_update,
    read,
    with_managers,
)
from outrider_playground.kubernetes.schema import named
from outrider_playground.kubernetes.server_side_apply import ApplyConflictError, apply

DEPLOYMENT = named("apps.v1.Deployment")
CONFIG = named("core.v1.ConfigMap")

_IMAGES = st.sampled_from(["x:1", "x:2", "x:3"])
_CONTAINERS = st.dictionaries(st.sampled_from("abc"), _IMAGES, max_size=3)
_LABELS = st.dictionaries(st.sampled_from("lmn"), st.sampled_from("12"), max_size=2)


def _config(labels: dict[str, str], containers: dict[str, str]) -> dict[str, Any]:
    out: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    if labels:
        out["metadata"]["labels"] = labels
    if containers:
        listed = [{"name": name, "image": image} for name, image in containers.items()]
        out["spec"] = {"template": {"spec": {"containers": listed}}}
    return out


_CONFIGS = st.builds(_config, _LABELS, _CONTAINERS)


def _writer(name: str) -> Writer:
    return Writer(name, "apps/v1", "2026-01-01T00:00:00Z")


class Appliers(RuleBasedStateMachine):
    """Some managers apply, others write, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[str, Any] = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
        }
        self.managers: Managers = {}
        self.applied: dict[str, dict[str, Any]] = {}

    @rule(name=st.sampled_from(["alpha", "beta"]), config=_CONFIGS, force=st.booleans())
    def applies(self, name: str, config: dict[str, Any], force: bool) -> None:
        try:
            result = apply(DEPLOYMENT, self.live, config, self.managers, _writer(name), force=force)
        except ApplyConflictError:
            assert not force
            return
        again = apply(DEPLOYMENT, result.manifest, config, result.managers, _writer(name), force=False)
        assert not again.changed, "the same configuration again changes nothing"
        assert again.managers == result.managers
        assert _holds(result.manifest, config), "what was applied is there"
        self.live, self.managers = result.manifest, result.managers

    @rule(config=_CONFIGS)
    def writes(self, config: dict[str, Any]) -> None:
        managers = after_update(DEPLOYMENT, self.live, config, self.managers, _writer("editor"))
        self.live, self.managers = config, managers

    @invariant()
    def nobody_owns_what_is_not_there(self) -> None:
        everything: dict[str, Any] = {}
        for owned in self.managers.values():
            everything = union(everything, owned.fields)
        containers = (
            everything.get("f:spec", {}).get("f:template", {}).get("f:spec", {}).get("f:containers", {})
        )
        present = {each["name"] for each in _containers(self.live)}
        assert {step for step in containers if step.startswith("k:")} <= {
            f'k:{{"name":"{name}"}}' for name in present
        }

    @invariant()
    def a_manager_with_nothing_is_not_listed(self) -> None:
        assert all(owned.fields for owned in self.managers.values())

    @invariant()
    def managers_survive_being_written_and_read(self) -> None:
        assert read(with_managers(self.live, self.managers)) == self.managers


TestAppliers = Appliers.TestCase
TestAppliers.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)


def _containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    template = ((manifest.get("spec") or {}).get("template") or {}).get("spec") or {}
    return template.get("containers") or []


def _holds(live: Any, config: Any) -> bool:
    if isinstance(config, dict):
        return isinstance(live, dict) and all(
            key in live and _holds(live[key], value) for key, value in config.items()
        )
    if isinstance(config, list):
        return all(any(_holds(item, each) for item in live) for each in config)
    return bool(live == config)


@given(_CONFIGS, _CONFIGS)
def test_two_forced_appliers_never_own_the_same_field_with_different_values(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    empty: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    one = apply(DEPLOYMENT, empty, first, {}, _writer("alpha"), force=True)
    two = apply(DEPLOYMENT, one.manifest, second, one.managers, _writer("beta"), force=True)
    owned = [entry.fields for entry in two.managers.values()]
    if len(owned) == 2:
        for step in intersection(*owned).get("f:metadata", {}).get("f:labels", {}):
            label = step[2:]
            assert first["metadata"]["labels"][label] == second["metadata"]["labels"][label]


def test_a_conflict_names_each_manager_and_field() -> None:
    live = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "1"}}
    bare = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    managers = after_update(CONFIG, bare, live, {}, Writer("editor", "v1", "t"))
    config = {**bare, "data": {"a": "2", "b": "2"}}
    with pytest.raises(ApplyConflictError, match="Apply failed with 2 conflicts") as raised:
        apply(CONFIG, live, config, managers, Writer("outrider", "v1", "t"), force=False)
    assert raised.value.causes == [('"editor" using v1', ".data.a"), ('"editor" using v1', ".data.b")]


def test_plain_writers_beyond_a_bound_are_folded_into_one() -> None:
    live: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {}}
    managers: Managers = {}
    for number in range(MAX_UPDATE_MANAGERS + 5):
        new = {**live, "data": {**live["data"], f"k{number}": "1"}}
        managers = after_update(
            CONFIG, live, new, managers, Writer(f"writer-{number:02}", "v1", f"t{number:02}")
        )
        live = new
    assert len(managers) == MAX_UPDATE_MANAGERS
    assert "ancient-changes" in {manager.name for manager in managers}
    assert "writer-14" in {manager.name for manager in managers}
