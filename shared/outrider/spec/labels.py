"""Keys and values of labels and annotations, by Kubernetes' rules (`docs/concepts/overview/working-with-objects/labels`)."""

import re
from typing import Annotated

from pydantic import AfterValidator

_PREFIX = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")


def _key(text: str) -> str:
    prefix, slash, name = text.rpartition("/")
    if (slash and not _PREFIX.fullmatch(prefix)) or not _NAME.fullmatch(name):
        raise ValueError(f"{text[:80]!r} is no key: write team or example.com/team")
    return text


def _value(text: str) -> str:
    if text and not _NAME.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no value of a label: up to 63 letters, digits, '-', '_', '.'")
    return text


LabelKey = Annotated[str, AfterValidator(_key)]
AnnotationKey = LabelKey
LabelValue = Annotated[str, AfterValidator(_value)]
