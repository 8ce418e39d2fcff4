"""Label selectors and field selectors: parsed from a query or an object, and matched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN: Final = re.compile(r"\s*(!=|==|=|!|<|>|\(|\)|,|[^\s=!<>(),]+)")
_WORD: Final = re.compile(r"[^\s=!<>(),]+")
_KEY: Final = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")


class SelectorError(Exception):
    """A selector can't be read."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label. `operator` is one of: in, notin, exists, absent, gt, lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether these labels meet the condition; `notin` is met by a label that is not there."""
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value in self.values
            case "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "absent":
                return value is None
        return value is not None and _compares(self.operator, value, next(iter(self.values)))


def _compares(operator: str, value: str, bound: str) -> bool:
    try:
        return int(value) > int(bound) if operator == "gt" else int(value) < int(bound)
    except ValueError:
        return False


Selector = tuple[Requirement, ...]
"""All requirements must be met; the empty selector matches everything."""


def matches(selector: Selector, labels: Mapping[str, str] | None) -> bool:
    """Tell whether the labels meet every requirement."""
    return all(requirement.matches(labels or {}) for requirement in selector)


def parse_label_selector(text: str) -> Selector:
    """Read the form that queries use, such as `app in (a,b),!canary,tier!=cache`."""
    tokens = _tokens(text)
    out: list[Requirement] = []
    while tokens:
        out.append(_requirement(tokens))
        if tokens and tokens.pop(0) != ",":
            raise SelectorError("found a token where ',' or 'end of string' was expected")
        if out and not tokens and text.rstrip().endswith(","):
            raise SelectorError("found '', expected: identifier after ','")
    return tuple(out)


def _tokens(text: str) -> list[str]:
    out, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise SelectorError(f"unable to parse requirement: {text[at:]}")
        out.append(match[1])
        at = match.end()
    return out


def _requirement(tokens: list[str]) -> Requirement:
    word = tokens.pop(0)
    if word == "!":
        return Requirement(_key(tokens.pop(0) if tokens else ""), "absent")
    key = _key(word)
    if not tokens or tokens[0] == ",":
        return Requirement(key, "exists")
    operator = tokens.pop(0)
    if operator in {"=", "=="}:
        return Requirement(key, "in", frozenset([_label_value(tokens)]))
    if operator == "!=":
        return Requirement(key, "notin", frozenset([_label_value(tokens)]))
    if operator in {"in", "notin"}:
        return Requirement(key, operator, frozenset(_listed(tokens)))
    if operator in {"<", ">"}:
        return Requirement(key, "gt" if operator == ">" else "lt", frozenset([_label_value(tokens)]))
    raise SelectorError(f"found '{operator}', expected: in, notin, =, ==, !=, >, <")


def _key(token: str) -> str:
    if not _WORD.fullmatch(token):
        raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
    if not _KEY.fullmatch(token):
        raise SelectorError(
            f'key: Invalid value: "{token}": name part must consist of alphanumeric characters'
        )
    return token


def _label_value(tokens: list[str]) -> str:
    if not tokens or tokens[0] == ",":
        return ""
    token = tokens.pop(0)
    if not _VALUE.fullmatch(token):
        raise SelectorError(
            f'values[0][..]: Invalid value: "{token}": a valid label must be an empty string or consist of alphanumeric characters'
        )
    return token


def _listed(tokens: list[str]) -> list[str]:
    if not tokens or tokens.pop(0) != "(":
        raise SelectorError("found '', expected: '('")
    out: list[str] = []
    while tokens and tokens[0] != ")":
        out.append("" if tokens[0] == "," else _label_value(tokens))
        if tokens and tokens[0] == ",":
            tokens.pop(0)
            if tokens and tokens[0] == ")":
                out.append("")
    if not tokens:
        raise SelectorError("found '', expected: ',', or ')'")
    tokens.pop(0)
    return out


def from_label_selector(selector: dict[str, Any] | None) -> Selector:
    """Read the form that objects hold: matchLabels and matchExpressions."""
    if selector is None:
        return ()
    out = [
        Requirement(key, "in", frozenset([value]))
        for key, value in (selector.get("matchLabels") or {}).items()
    ]
    words = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    for expression in selector.get("matchExpressions") or ():
        operator = words.get(expression.get("operator", ""))
        if operator is None:
            raise SelectorError(f'"{expression.get("operator")}" is not a valid label selector operator')
        out.append(
            Requirement(expression.get("key", ""), operator, frozenset(expression.get("values") or ()))
        )
    return tuple(out)


def selector_text(selector: dict[str, Any] | None) -> str:
    """Write an object's selector in the form that queries use."""
    parts = []
    for requirement in from_label_selector(selector):
        values = ",".join(sorted(requirement.values))
        if requirement.operator == "in" and len(requirement.values) == 1:
            parts.append(f"{requirement.key}={values}")
        elif requirement.operator in {"in", "notin"}:
            parts.append(f"{requirement.key} {requirement.operator} ({values})")
        else:
            parts.append(("!" if requirement.operator == "absent" else "") + requirement.key)
    return ",".join(parts)


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One condition on a field, by dotted path."""

    path: str
    value: str
    equal: bool


def parse_field_selector(text: str) -> tuple[FieldRequirement, ...]:
    """Read a field selector such as `metadata.name=web,status.phase!=Running`."""
    out = []
    for part in filter(None, text.split(",")):
        for sign, equal in (("!=", False), ("==", True), ("=", True)):
            path, found, value = part.partition(sign)
            if found:
                out.append(FieldRequirement(path.strip(), value.strip(), equal))
                break
        else:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
    return tuple(out)


def field_value(manifest: dict[str, Any], path: str) -> str:
    """Return the field at a dotted path as field selectors see it: a string, empty when not set."""
    value: Any = manifest
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def fields_match(requirements: tuple[FieldRequirement, ...], manifest: dict[str, Any]) -> bool:
    """Tell whether an object meets every condition."""
    return all((field_value(manifest, each.path) == each.value) == each.equal for each in requirements)
