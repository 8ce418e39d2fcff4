"""Read the documents of a YAML file: libyaml's events, put together without recursion and within bounds.

libyaml parses in C and does not recurse; what PyYAML puts on top of it does, and ends the process on a file of brackets. The
tree is therefore built here, on a stack of its own. As in kubectl, the last of several equal keys counts, and a merge (`<<`)
overrides the keys before it; equal keys are reported as a warning.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from outrider.rendering.kubeyaml.bounds import Bounds, InvalidDocument, LimitExceeded
from outrider.rendering.kubeyaml.scalars import Scalar, key, normal, resolve, tagged

_NODE_WEIGHT = 8


@dataclass(frozen=True)
class Document:
    """One document: its value, the line it begins at, and what a person should look at in it."""

    value: Any
    line: int
    warnings: tuple[str, ...] = ()


@dataclass
class _Merge:
    """The key `<<`, waiting for what it merges."""


@dataclass(frozen=True)
class _Anchored:
    """What an alias stands for, its weight, and the levels of nesting in it."""

    value: Any
    weight: int
    height: int


@dataclass
class _Open:
    """A list or mapping that is being read."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    weight_before: int
    height: int = 1
    pending: str | _Merge | None = None
    has_pending: bool = False
    own_keys: set[str] = field(default_factory=set)


def read_yaml(data: bytes, bounds: Bounds) -> Iterator[Document]:
    """Yield each document that is not empty; InvalidDocument, with its line, ends the iteration.

    Documents before a broken one have been yielded by then: a caller that wants all or nothing collects them first.
    """
    if len(data) > bounds.max_bytes:
        raise LimitExceeded(f"has {len(data)} bytes, more than the {bounds.max_bytes} allowed")
    builder = _Builder(bounds)
    try:
        for event in yaml.parse(data, Loader=yaml.CSafeLoader):
            document = builder.take(event)
            if document is not None and document.value is not None:
                yield document
    except yaml.YAMLError as error:
        _raise_from(error)


def _raise_from(error: yaml.YAMLError) -> NoReturn:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise InvalidDocument(reason, mark.line + 1 if mark else None) from None
    # A character that YAML forbids: PyYAML's own text quotes the file's bytes.
    raise InvalidDocument("holds a character that YAML does not allow") from None


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class _Builder:
    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._weight = 0
        self._reset(1)

    def _reset(self, line: int) -> None:
        self._line = line
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._open_anchors: set[str] = set()
        self._root: Any = None
        self._warnings: list[str] = []

    def take(self, event: Any) -> Document | None:
        """Take the next event; return the document that it completes, if it does."""
        try:
            return _TAKE[type(event)](self, event)
        except InvalidDocument as error:
            raise type(error)(error.reason, error.line or _line(event)) from None

    def _document_start(self, event: yaml.DocumentStartEvent) -> None:
        self._reset(_line(event))

    def _document_end(self, _: yaml.DocumentEndEvent) -> Document:
        return Document(self._root, self._line, tuple(self._warnings))

    def _stream(self, _: yaml.StreamStartEvent | yaml.StreamEndEvent) -> None:
        pass

    def _spend(self, weight: int) -> None:
        self._weight += weight
        if self._weight > self._bounds.max_weight:
            raise LimitExceeded(
                f"grows beyond {self._bounds.max_weight} bytes once its aliases are written out"
            )

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._spend(len(event.value) + _NODE_WEIGHT)
        if event.value == "<<" and event.implicit[0] and event.tag is None and self._expects_key():
            self._add(_Merge(), event)
            return
        value = self._value(event)
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(value, len(event.value) + _NODE_WEIGHT, 0)
        self._add(value, event)

    def _value(self, event: yaml.ScalarEvent) -> Scalar:
        if event.tag is not None and event.tag != "!":
            value = tagged(event.tag, event.value)
        else:
            # implicit[0] tells that the scalar is plain and has no tag.
            value = resolve(event.value) if event.implicit[0] else event.value
        return value if self._expects_key() else normal(value)

    def _expects_key(self) -> bool:
        return (
            bool(self._stack) and isinstance(self._stack[-1].value, dict) and not self._stack[-1].has_pending
        )

    def _begin_mapping(self, event: yaml.MappingStartEvent) -> None:
        self._begin({}, event.anchor)

    def _begin_sequence(self, event: yaml.SequenceStartEvent) -> None:
        self._begin([], event.anchor)

    def _begin(self, value: list[Any] | dict[str, Any], anchor: str | None) -> None:
        if self._expects_key():
            raise InvalidDocument("a key is a list or a mapping, which JSON has no form for")
        self._check_depth(1)
        self._stack.append(_Open(value, anchor, self._weight))
        if anchor:
            self._anchors.pop(anchor, None)
            self._open_anchors.add(anchor)
        self._spend(_NODE_WEIGHT)

    def _end(self, event: yaml.CollectionEndEvent) -> None:
        done = self._stack.pop()
        if done.anchor:
            self._anchors[done.anchor] = _Anchored(done.value, self._weight - done.weight_before, done.height)
            self._open_anchors.discard(done.anchor)
        self._raise_height(done.height)
        self._add(done.value, event)

    def _alias(self, event: yaml.AliasEvent) -> None:
        anchor = event.anchor or ""
        if anchor in self._open_anchors:
            raise InvalidDocument(f"anchor {anchor[:80]!r} contains itself")
        if anchor not in self._anchors:
            raise InvalidDocument(f"alias {anchor[:80]!r} has no anchor")
        target = self._anchors[anchor]
        if target.height and self._expects_key():
            raise InvalidDocument("a key is a list or a mapping, which JSON has no form for")
        self._check_depth(target.height)
        self._spend(target.weight)
        self._raise_height(target.height)
        self._add(target.value, event)

    def _check_depth(self, more: int) -> None:
        if len(self._stack) + more > self._bounds.max_depth:
            raise LimitExceeded(f"is nested deeper than {self._bounds.max_depth} levels")

    def _raise_height(self, child: int) -> None:
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, child + 1)

    def _add(self, value: Any, event: Any) -> None:
        if not self._stack:
            self._root = value
            return
        parent = self._stack[-1]
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif not parent.has_pending:
            parent.pending = value if isinstance(value, _Merge) else key(value)
            parent.has_pending = True
        else:
            self._entry(parent, parent.value, value, event)

    def _entry(self, parent: _Open, into: dict[str, Any], value: Any, event: Any) -> None:
        name, parent.has_pending = parent.pending, False
        if isinstance(name, _Merge):
            self._merge(into, value)
        elif isinstance(name, str):
            if name in parent.own_keys:
                line = _line(event)
                self._warnings.append(f"line {line}: key {name[:80]!r} occurs twice; the last one counts")
            parent.own_keys.add(name)
            into[name] = value

    def _merge(self, into: dict[str, Any], value: Any) -> None:
        # The first of several mappings wins over those after it.
        parts = list(reversed(value)) if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            raise InvalidDocument("'<<' merges mappings, and this is none")
        for part in parts:
            self._spend(_NODE_WEIGHT * len(part))
            into.update(part)


_TAKE: dict[type[yaml.Event], Callable[[_Builder, Any], Document | None]] = {
    yaml.StreamStartEvent: _Builder._stream,
    yaml.StreamEndEvent: _Builder._stream,
    yaml.DocumentStartEvent: _Builder._document_start,
    yaml.DocumentEndEvent: _Builder._document_end,
    yaml.ScalarEvent: _Builder._scalar,
    yaml.MappingStartEvent: _Builder._begin_mapping,
    yaml.SequenceStartEvent: _Builder._begin_sequence,
    yaml.MappingEndEvent: _Builder._end,
    yaml.SequenceEndEvent: _Builder._end,
    yaml.AliasEvent: _Builder._alias,
}
