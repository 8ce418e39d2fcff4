"""Objects as tables: what `kubectl get` asks for."""

from .rendering import table

__all__ = ["table"]
