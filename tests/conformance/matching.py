"""Compare an answer with the recorded one: what differs, given the tokens that stood for the same values so far.

Recorded answers hold tokens where values change from run to run. A token stands for one value throughout a scenario, and two tokens for two
values; only the versions of lists may coincide, as a list's version is that of the whole store. Message texts are not compared.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = re.compile(r"<(rv|uid|time|continue)(?::?(\d*))>")
_ANYTHING = re.compile(r"<(text|address)>")
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_AGE = re.compile(r"\d+s")
_TEXTS = ("message", "description")
_HASH = "pod-template-hash"
_ABSENT = object()


class Bindings:
    """What the tokens of a scenario stand for."""

    def __init__(self, *, exact_times: bool) -> None:
        self._values: dict[str, str] = {}
        self._exact_times = exact_times

    def value(self, token: str, fallback: str) -> str:
        """Return what a token stands for, so that a request can be made; one not seen yet stands for the fallback."""
        known = self._values.get(token) or self._values.get("list" + token)
        return known or self._values.setdefault(token, fallback)

    def known(self, token: str) -> str | None:
        """Return what a token stands for, or None for one not seen yet."""
        return self._values.get(token)

    def list_version_problem(self, token: str, version: Any, path: str) -> str | None:
        """Say what is wrong with the version of a list: it may be that of any object, unless its token was seen on one."""
        if not isinstance(version, str) or not version.isdigit():
            return f"{path}: {token} recorded, {version!r} found"
        known = self._values.get(token)
        if known is None:
            self._values["list" + token] = version
            return None
        return None if known == version else f"{path}: {token} stood for {known}, now for {version}"

    def problem(self, token: str, value: Any, path: str) -> str | None:
        """Bind a token to a value, or say why that can't be."""
        if not isinstance(value, str) or not value:
            return f"{path}: {token} recorded, {value!r} found"
        if token.startswith("<time") and not self._exact_times:
            return None
        known = self._values.setdefault(token, value)
        if known != value:
            return f"{path}: {token} stood for {known}, now for {value}"
        twins = [
            other for other, found in self._values.items() if found == value and not other.endswith(token)
        ]
        if any(not other.startswith("list") for other in twins):
            return f"{path}: {token} and {twins[0]} both stand for {value}"
        return None

    def copy(self) -> Bindings:
        """Return bindings that can be tried without consequence."""
        twin = Bindings(exact_times=self._exact_times)
        twin._values = dict(self._values)
        return twin

    def adopt(self, other: Bindings) -> None:
        """Take over what another set of bindings has learnt."""
        self._values = other._values


class Matcher:
    """Compares one answer."""

    def __init__(self, bindings: Bindings) -> None:
        self._bindings = bindings
        self._hashes: dict[str, str] = {}

    def differences(self, recorded: Any, found: Any) -> list[str]:
        """List what differs."""
        self._learn_hashes(recorded, self._in_order(recorded, found))
        return list(self._compare(recorded, found, ""))

    def _learn_hashes(self, recorded: Any, found: Any) -> None:
        """Pair the hashes in generated names: they have no meaning but to be the same."""
        if isinstance(recorded, dict) and isinstance(found, dict):
            for key, value in recorded.items():
                other = found.get(key)
                if key == _HASH and isinstance(value, str) and isinstance(other, str):
                    self._hashes[value] = other
                self._learn_hashes(value, other)
        elif isinstance(recorded, list) and isinstance(found, list):
            for value, other in zip(recorded, found, strict=False):
                self._learn_hashes(value, other)

    def _compare(self, recorded: Any, found: Any, path: str) -> Iterator[str]:
        if isinstance(recorded, dict) and isinstance(found, dict):
            yield from self._compare_maps(recorded, found, path)
        elif isinstance(recorded, list) and isinstance(found, list):
            if len(recorded) != len(found):
                yield f"{path}: {len(recorded)} items recorded, {len(found)} found: {found!r}"
            for place, (value, other) in enumerate(zip(recorded, found, strict=False)):
                yield from self._compare(value, other, f"{path}[{place}]")
        elif isinstance(recorded, str) and isinstance(found, str):
            yield from self._compare_texts(recorded, found, path)
        elif recorded != found or type(recorded) is not type(found):
            yield f"{path}: {recorded!r} recorded, {found!r} found"

    def _compare_maps(self, recorded: dict[str, Any], found: dict[str, Any], path: str) -> Iterator[str]:
        recorded, found = self._common_keys(recorded), self._common_keys(found)
        if _is_list(recorded):
            token, version = (
                recorded["metadata"]["resourceVersion"],
                found.get("metadata", {}).get("resourceVersion"),
            )
            problem = self._bindings.list_version_problem(token, version, f"{path}.metadata.resourceVersion")
            if problem:
                yield problem
            recorded, found = (
                _without_version(recorded),
                self._paired(recorded["items"], _without_version(found)),
            )
        for key in dict.fromkeys([*recorded, *found]):
            value, other = recorded.get(key, _ABSENT), found.get(key, _ABSENT)
            below = f"{path}.{key}"
            if other is _ABSENT:
                yield f"{below}: recorded, not found"
            elif value is _ABSENT:
                yield f"{below}: found, not recorded: {other!r}"
            elif (key in _TEXTS and isinstance(value, str) and isinstance(other, str)) or (
                key == "continue" and isinstance(other, str) and other and not TOKEN.fullmatch(str(value))
            ):
                continue
            elif key == "name" and "generateName" in recorded:
                prefix = self._translated(recorded["generateName"])
                if not re.fullmatch(re.escape(prefix) + "[a-z0-9]{5}", str(other)):
                    yield f"{below}: {value!r} recorded, {other!r} found"
            else:
                yield from self._compare(value, other, below)

    def _compare_texts(self, recorded: str, found: str, path: str) -> Iterator[str]:
        if TOKEN.fullmatch(recorded) or recorded == "<continue2>":
            problem = self._bindings.problem(recorded, found, path)
            if problem:
                yield problem
        elif _ANYTHING.fullmatch(recorded):
            if not found:
                yield f"{path}: a text recorded, none found"
        elif _ADDRESS.fullmatch(recorded) and _ADDRESS.fullmatch(found):
            if self._bindings.value(f"address {recorded}", found) != found:
                yield f"{path}: the address {recorded} changed to {found}"
        elif not (_AGE.fullmatch(recorded) and _AGE.fullmatch(found)) and self._translated(recorded) != found:
            yield f"{path}: {recorded!r} recorded, {found!r} found"

    def _translated(self, recorded: str) -> str:
        for theirs, ours in self._hashes.items():
            recorded = recorded.replace(theirs, ours)
        return recorded

    def _in_order(self, recorded: Any, found: Any) -> Any:
        if isinstance(recorded, dict) and isinstance(found, dict) and _is_list(recorded):
            return self._paired(recorded["items"], found)
        return found

    def _paired(self, recorded: list[dict[str, Any]], found: dict[str, Any]) -> dict[str, Any]:
        """Put items with generated names into the order of the recorded ones: their names, and so their order, mean nothing."""
        items = found.get("items") or []
        if not any(
            _HASH in (each["metadata"].get("labels") or {}) for each in recorded if "metadata" in each
        ):
            return found
        uids = [self._bindings.known(each["metadata"]["uid"]) for each in recorded]
        rank = {uid: place for place, uid in enumerate(uids) if uid is not None}
        return {
            **found,
            "items": sorted(items, key=lambda each: rank.get(each["metadata"]["uid"], len(rank))),
        }

    def _common_keys(self, value: dict[str, Any]) -> dict[str, Any]:
        """Replace uids within keys, which the recording did not turn into tokens."""
        return {
            _UID.sub("<uid>", key) if key.startswith("k:") else key: inner for key, inner in value.items()
        }


def _is_list(value: dict[str, Any]) -> bool:
    return isinstance(value.get("items"), list) and "resourceVersion" in value.get("metadata", {})


def _without_version(value: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: inner for key, inner in value.get("metadata", {}).items() if key != "resourceVersion"}
    return {**value, "metadata": metadata}
