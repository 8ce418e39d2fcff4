"""The values that the server fills in, kind by kind. Each function changes a freshly decoded object in place."""

from .kinds import fill_in

__all__ = ["fill_in"]
