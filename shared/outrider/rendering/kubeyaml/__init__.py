"""YAML and JSON as kubectl reads them: the same text gives the same object as `kubectl apply` would send.

kubectl reads YAML with a fork of go-yaml v2: `y` is true, `0o17` and `017` are 15, `1e3` is the integer 1000, `12:30:45` and dates
are text, keys are turned into text. The files come from strangers, so every document is bounded in bytes, depth and expansion of
aliases, and nothing recurses on their nesting.
"""

from outrider.rendering.kubeyaml.bounds import Bounds, InvalidDocument, LimitExceeded
from outrider.rendering.kubeyaml.json_reader import read_json
from outrider.rendering.kubeyaml.reader import Document, read_yaml

__all__ = ["Bounds", "Document", "InvalidDocument", "LimitExceeded", "read_json", "read_yaml"]
