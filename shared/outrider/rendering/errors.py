"""What a rendering fails with."""

from typing import Any


class RenderError(Exception):
    """A source that can't be rendered, and where in it the reason is.

    `transient` tells whether the same source may render later (it was cut off by a limit, or its worker died); otherwise it
    stays so until the source changes. `file` is a path in the repository.
    """

    def __init__(
        self,
        stage: str,
        reason: str,
        *,
        file: str | None = None,
        line: int | None = None,
        field: str | None = None,
        transient: bool = False,
    ) -> None:
        self.stage, self.reason, self.file, self.line, self.field = stage, reason, file, line, field
        self.transient = transient
        place = file if line is None else f"{file}:{line}"
        super().__init__(": ".join(part for part in (place, field, reason) if part))

    def as_dict(self) -> dict[str, Any]:
        """Return the attributes, for a passage between processes."""
        return {
            "stage": self.stage,
            "reason": self.reason,
            "file": self.file,
            "line": self.line,
            "field": self.field,
            "transient": self.transient,
        }

    @classmethod
    def from_dict(cls, attributes: dict[str, Any]) -> "RenderError":
        """Invert `as_dict`."""
        return cls(**attributes)
