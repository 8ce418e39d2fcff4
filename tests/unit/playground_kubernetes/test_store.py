from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from outrider_playground.kubernetes.errors import ApiError
from outrider_playground.kubernetes.store import Change, Store

MAPS = ("", "configmaps")


def _manifest(name: str, uid: str, value: int, owner: str = "") -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": "n", "uid": uid}
    if owner:
        metadata["ownerReferences"] = [{"uid": owner, "name": "o"}]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"v": str(value)}}


class Versions(RuleBasedStateMachine):
    """Whatever is changed, the store can tell what was there at every version that it still knows."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(history_size=12)
        self.then: dict[int, list[dict[str, Any]]] = {self.store.version: []}
        self.heard: list[Change] = []
        self.store.listen(self.heard.append)
        self.made = 0

    @rule(name=st.sampled_from("abc"), value=st.integers(0, 3))
    def put(self, name: str, value: int) -> None:
        known = self.store.get(MAPS, ("n", name))
        self.made += 1
        uid = known["metadata"]["uid"] if known else f"uid-{self.made}"
        self.store.put(MAPS, ("n", name), _manifest(name, uid, value, owner="owner"))
        self._note()

    @precondition(lambda self: self.store.listed(MAPS))
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        names = [each["metadata"]["name"] for each in self.store.listed(MAPS)]
        self.store.drop(MAPS, ("n", data.draw(st.sampled_from(names))))
        self._note()

    @rule()
    def forget(self) -> None:
        self.store.forget_history()

    def _note(self) -> None:
        self.then[self.store.version] = self.store.listed(MAPS)

    @invariant()
    def every_known_version_can_be_listed_and_every_older_one_is_refused(self) -> None:
        for version, objects in self.then.items():
            if version >= self.store.oldest:
                assert self.store.at(MAPS, "n", version) == objects
            else:
                with pytest.raises(ApiError, match="too old"):
                    self.store.at(MAPS, "n", version)

    @invariant()
    def listeners_hear_every_change_once_and_in_order(self) -> None:
        versions = [change.version for change in self.heard]
        assert versions == list(range(Store().version + 1, self.store.version + 1))

    @invariant()
    def owners_and_uids_lead_to_what_is_there(self) -> None:
        live = self.store.listed(MAPS)
        assert [manifest for _, _, manifest in self.store.children_of("owner")] == live
        assert all(self.store.with_uid(each["metadata"]["uid"]) == each for each in live)


TestVersions = Versions.TestCase
TestVersions.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


def test_versions_of_an_object_share_what_did_not_change() -> None:
    store = Store()
    first = store.put(MAPS, ("n", "a"), {**_manifest("a", "u", 1), "big": {"list": [1, 2, 3]}})
    second = store.put(MAPS, ("n", "a"), {**_manifest("a", "u", 2), "big": {"list": [1, 2, 3]}})
    assert second["big"] is first["big"]
    assert second["data"] == {"v": "2"}
    assert first["data"] == {"v": "1"}


def test_a_restored_store_goes_on_above_the_versions_it_had() -> None:
    store = Store()
    store.put(MAPS, ("n", "a"), _manifest("a", "u", 1, owner="o"))
    again = Store()
    again.restore(store.dump())
    assert again.listed(MAPS) == store.listed(MAPS)
    assert again.version == store.version
    assert [key for _, key, _ in again.children_of("o")] == [("n", "a")]
    with pytest.raises(ApiError, match="too old"):
        again.since(store.version - 1)
