"""What the server sets and refuses, kind by kind."""

from .kinds import Rules, rules_of

__all__ = ["Rules", "rules_of"]
