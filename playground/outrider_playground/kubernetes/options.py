"""What a request says besides its body: dry run, field manager, field validation, force."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from .errors import ApiError, Cause, invalid, unsupported_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .resources import Resource

_VALIDATIONS: Final = ("Ignore", "Warn", "Strict")
_LONGEST_MANAGER: Final = 128


@dataclass(frozen=True, slots=True)
class Options:
    """How a write is to be done. `warnings` is filled while it is, for the answer's Warning headers."""

    manager: str = "unknown"
    dry_run: bool = False
    validation: str = "Warn"
    force: bool = False
    manager_given: bool = True
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Call:
    """A request for one resource, or one object of it, or one part of that object."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    options: Options = field(default_factory=Options)

    @property
    def key(self) -> tuple[str, str]:
        """The object's place among those of its resource."""
        return (self.namespace, self.name)


def read_options(query: Mapping[str, str], user_agent: str, kind: str = "UpdateOptions") -> Options:
    """Read the options of a write. Raises ApiError (422) for values that are none. `kind` names them in errors."""
    causes: list[Cause] = []
    dry_run = query.get("dryRun", "")
    if dry_run not in {"", "All"}:
        causes.append(unsupported_value("dryRun", dry_run, ("All",)))
    validation = query.get("fieldValidation", "") or "Warn"
    if validation not in _VALIDATIONS:
        causes.append(unsupported_value("fieldValidation", validation, _VALIDATIONS))
    manager = query.get("fieldManager", "")
    if len(manager) > _LONGEST_MANAGER:
        causes.append(
            Cause(
                "FieldValueTooLong",
                f"Too long: may not be more than {_LONGEST_MANAGER} bytes",
                "fieldManager",
            )
        )
    if causes:
        raise invalid(kind, "meta.k8s.io", "", causes)
    return Options(
        manager=manager or user_agent.split("/", 1)[0] or "unknown",
        dry_run=bool(dry_run),
        validation=validation,
        force=_flag(query.get("force", "")),
        manager_given=bool(manager),
    )


def _flag(text: str) -> bool:
    if text.lower() in {"", "0", "f", "false"}:
        return False
    if text.lower() in {"1", "t", "true"}:
        return True
    raise ApiError(400, "BadRequest", f'strconv.ParseBool: parsing "{text}": invalid syntax')
