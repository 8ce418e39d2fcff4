"""How much one file may hold, and the error for a file that is refused."""

from dataclasses import dataclass


class InvalidDocument(ValueError):
    """A file that can't be read; `line` counts from 1, None where the whole file is meant."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        self.reason, self.line = reason, line
        super().__init__(reason if line is None else f"line {line}: {reason}")


class LimitExceeded(InvalidDocument):
    """A file that holds more than is read: an attack or a mistake, never merely a file of another kind."""


@dataclass(frozen=True)
class Bounds:
    """Limits of one file.

    `max_weight` bounds the file as it is once every alias is written out: a scalar weighs its length and 8 more, a list or a
    mapping 8. It is what keeps 400 bytes of nested aliases from becoming gigabytes.
    """

    max_bytes: int = 16 * 1024 * 1024
    # The largest manifests in use, bundles of custom resource definitions, have 1 to 4 MiB.
    max_depth: int = 100
    # Schemas of custom resources reach 40 or so.
    max_weight: int = 64 * 1024 * 1024
