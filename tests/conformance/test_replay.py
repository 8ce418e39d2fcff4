"""A replay notices what differs: without that, the scenarios would prove nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .matching import Bindings, Matcher
from .replay import SCENARIOS, Replay
from .targets import target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CRUD = next(path for path in SCENARIOS if path.stem == "02-create-get-update-delete")
WORKLOADS = next(path for path in SCENARIOS if path.stem == "11-workloads")


def _status(steps: list[Any]) -> None:
    steps[0]["response"]["status"] = 200


def _field(steps: list[Any]) -> None:
    steps[2]["response"]["body"]["data"]["a"] = "other"


def _additional(steps: list[Any]) -> None:
    del steps[2]["response"]["body"]["data"]


def _reason(steps: list[Any]) -> None:
    steps[1]["response"]["body"]["reason"] = "Conflict"


def _cause(steps: list[Any]) -> None:
    steps[7]["response"]["body"]["details"]["causes"][0]["field"] = "metadata.namespace"


def _warning(steps: list[Any]) -> None:
    del steps[11]["response"]["warning"]


def _same_version(steps: list[Any]) -> None:
    steps[3]["response"]["body"]["metadata"]["resourceVersion"] = "<rv:1>"


def _other_uid(steps: list[Any]) -> None:
    steps[2]["response"]["body"]["metadata"]["uid"] = "<uid:9>"


def _content_type(steps: list[Any]) -> None:
    steps[2]["response"]["contentType"] = "application/yaml"


@pytest.mark.parametrize(
    "change",
    [_status, _field, _additional, _reason, _cause, _warning, _same_version, _other_uid, _content_type],
    ids=lambda change: change.__name__.strip("_"),
)
async def test_an_answer_that_differs_from_the_recorded_one_is_noticed(
    change: Callable[[list[Any]], None], tmp_path: Path
) -> None:
    scenario = json.loads(CRUD.read_text("utf-8"))
    change(scenario["steps"])
    altered = tmp_path / CRUD.name
    altered.write_text(json.dumps(scenario), encoding="utf-8")
    async with target() as found:
        with pytest.raises(AssertionError, match="step"):
            await Replay(altered, found, patience_s=0.1).run()


async def test_a_controller_that_does_something_else_is_noticed(tmp_path: Path) -> None:
    scenario = json.loads(WORKLOADS.read_text("utf-8"))
    scenario["steps"][1]["response"]["body"]["status"]["updatedReplicas"] = 1
    altered = tmp_path / WORKLOADS.name
    altered.write_text(json.dumps(scenario), encoding="utf-8")
    async with target() as found:
        with pytest.raises(AssertionError, match="updatedReplicas"):
            await Replay(altered, found, patience_s=0.3).run()


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ([1, 2], [2, 1]),
        ([1], [1, 2]),
        ({"a": None}, {"a": {}}),
        ({"uid": "<uid:1>", "other": "<uid:1>"}, {"uid": "x", "other": "y"}),
        ({"uid": "<uid:1>", "other": "<uid:2>"}, {"uid": "x", "other": "x"}),
        ({"metadata": {"resourceVersion": "<rv:1>"}, "items": []}, {"metadata": {}, "items": []}),
        ({"name": "a-", "generateName": "a-"}, {"name": "b-12345", "generateName": "a-"}),
    ],
)
def test_values_that_mean_something_else_differ(recorded: Any, found: Any) -> None:
    assert Matcher(Bindings(exact_times=True)).differences(recorded, found)


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        ({"message": "one text"}, {"message": "another"}),
        ({"uid": "<uid:1>", "other": "<uid:2>"}, {"uid": "x", "other": "y"}),
        ({"a": "<text>"}, {"a": "anything"}),
        (
            {"clusterIP": "10.0.0.54", "clusterIPs": ["10.0.0.54"]},
            {"clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"]},
        ),
        ({"name": "a-x1y2z", "generateName": "a-"}, {"name": "a-b2c3d", "generateName": "a-"}),
        (
            {"labels": {"pod-template-hash": "7848df77"}, "name": "wl-7848df77"},
            {"labels": {"pod-template-hash": "abc"}, "name": "wl-abc"},
        ),
    ],
)
def test_values_that_only_look_different_do_not_differ(recorded: Any, found: Any) -> None:
    assert Matcher(Bindings(exact_times=True)).differences(recorded, found) == []
