"""Replay a recorded scenario step by step."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from pathlib import Path
from typing import Any

from . import racing
from .happenings import BEFORE, MEANWHILE
from .matching import TOKEN, Bindings, Matcher
from .targets import Answer, Target

SCENARIOS = sorted(Path(__file__).with_name("kubernetes-api").glob("*.json"))
PATIENCE_S = 20.0
"""How long controllers may take."""

_STALE = {"rv": "1", "continue": "x", "time": "2026-01-01T00:00:00Z"}
"""What tokens stand for in a request that no answer has held before."""


class Replay:
    """One scenario against one target."""

    def __init__(self, path: Path, target: Target, patience_s: float = PATIENCE_S) -> None:
        self.name = path.stem
        self._patience_s = patience_s
        self._steps = json.loads(path.read_text("utf-8"))["steps"]
        self._target = target
        self._bindings = Bindings(exact_times=target.exact)

    async def run(self) -> None:
        """Replay all steps; the first one that differs ends it."""
        self._target.hold()
        for number, step in enumerate(self._steps):
            happening = BEFORE.get((self.name, number))
            if happening is not None:
                await happening(self._target)
            self._target.tell_time(_latest_time(step["response"]))
            differences = await self._replay(number, step)
            note = step.get("note", "")
            request = step["request"]
            listed = "\n  ".join(differences)
            assert not differences, (
                f"{self.name} step {number} ({note}) {request['method']} {request['path']}:\n  {listed}"
            )

    async def _replay(self, number: int, step: dict[str, Any]) -> list[str]:
        if number in racing.STEPS.get(self.name, ()):
            await self._await_controllers(step)
            return self._racing_differences(step, await self._send(number, step))
        differences = self._differences(step, await self._send(number, step))
        if differences and step["request"]["method"] == "GET" and "watch=true" not in step["request"]["path"]:
            return await self._await_answer(number, step)
        return differences

    async def _await_answer(self, number: int, step: dict[str, Any]) -> list[str]:
        """Let the controllers work until a read answers as recorded."""
        differences: list[str] = []
        self._target.release()
        try:
            async with asyncio.timeout(self._patience_s):
                while True:
                    differences = self._differences(step, await self._send(number, step))
                    if not differences:
                        return []
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return differences
        finally:
            self._target.hold()

    async def _await_controllers(self, step: dict[str, Any]) -> None:
        """Let the controllers work until they have written what the recorded answer has of theirs."""
        recorded = step["response"]["body"]
        if step["response"]["status"] >= 300:
            return
        written = _written_status(step)
        awaited = {
            **recorded,
            "status": {key: value for key, value in recorded.get("status", {}).items() if key not in written},
        }
        path = step["request"]["path"].partition("?")[0].removesuffix("/status")
        self._target.release()
        try:
            async with asyncio.timeout(self._patience_s):
                while True:
                    live = await self._target.send("GET", path)
                    if not racing.missing(awaited, live.body, {}):
                        return
                    await asyncio.sleep(0.01)
        finally:
            self._target.hold()

    def _racing_differences(self, step: dict[str, Any], answer: Answer) -> list[str]:
        recorded = step["response"]
        if recorded["status"] >= 300:
            return self._differences(step, answer)
        found = Answer(answer.status, answer.content_type, answer.warnings, racing.rest(answer.body))
        rest = {**step, "response": {**recorded, "body": racing.rest(recorded["body"])}}
        return self._differences(rest, found) + racing.missing(
            recorded["body"], answer.body, _written_status(step)
        )

    async def _send(self, number: int, step: dict[str, Any]) -> Answer:
        request = step["request"]
        sending = self._target.send(
            request["method"],
            self._filled(request["path"]),
            self._filled(request["body"]) if "body" in request else None,
            request.get("contentType", ""),
            request.get("accept", "application/json"),
        )
        meanwhile = MEANWHILE.get((self.name, number))
        if meanwhile is None:
            return await sending
        async with asyncio.TaskGroup() as tasks:
            sent = tasks.create_task(sending, name="recorded request")
            tasks.create_task(meanwhile(self._target), name="meanwhile")  # type: ignore[arg-type]
        return sent.result()

    def _filled(self, value: Any) -> Any:
        """Put in what the tokens of a request stand for."""
        if isinstance(value, dict):
            return {key: self._filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner) for inner in value]
        return TOKEN.sub(self._value, value) if isinstance(value, str) else value

    def _value(self, token: re.Match[str]) -> str:
        return self._bindings.value(token[0], _STALE.get(token[1]) or str(uuid.uuid4()))

    def _differences(self, step: dict[str, Any], answer: Answer) -> list[str]:
        recorded, found = step["response"], answer.body
        out = []
        if recorded["status"] != answer.status:
            out.append(f"status {recorded['status']} recorded, {answer.status} found: {found}")
            return out
        if recorded["contentType"].replace(" ", "") != answer.content_type.replace(" ", ""):
            out.append(f"content type {recorded['contentType']} recorded, {answer.content_type} found")
        if recorded.get("warning", []) != answer.warnings:
            out.append(f"warnings {recorded.get('warning', [])} recorded, {answer.warnings} found")
        expected = recorded["events"] if "events" in recorded else recorded["body"]
        if (
            "watch=true" in step["request"]["path"]
            and answer.status == 200
            and not isinstance(expected, list)
        ):
            expected = [expected]
        trial = self._bindings.copy()
        out += Matcher(trial).differences(expected, _kept_part(expected, found))
        if not out:
            self._bindings.adopt(trial)
        return out


def _kept_part(recorded: Any, found: Any) -> Any:
    """Of aggregated discovery keep the groups that the recording kept."""
    if not isinstance(found, dict) or found.get("kind") != "APIGroupDiscoveryList":
        return found
    names = [each["metadata"]["name"] for each in recorded["items"]]
    return {**found, "items": [each for each in found["items"] if each["metadata"].get("name") in names]}


def _written_status(step: dict[str, Any]) -> dict[str, Any]:
    body = step["request"].get("body")
    status = body.get("status") if isinstance(body, dict) else None
    return status or {}


def _latest_time(value: Any) -> int:
    return max((int(number) for number in re.findall(r"<time:(\d+)>", json.dumps(value))), default=1)
