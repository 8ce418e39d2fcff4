from datetime import UTC, datetime
from typing import Any

import pytest

from outrider_cli.journal_words import lines

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "detail", "said"),
    [
        (
            "hold-began",
            {"source": "site", "until": "2026-12-02T06:00:00Z", "reason": "9.1 is bad", "by": "root", "applications": ["a", "b"]},
            "a, b is held by root until 2026-12-02T06:00:00Z: 9.1 is bad",
        ),
        ("hold-began", {"source": "configmap"}, "the whole cluster is held"),
        ("hold-ended", {"how": "released", "endedBy": "anna"}, "the whole cluster is held no more (released by anna)"),
        ("hold-ended", {"how": "expired", "applications": ["a"]}, "a is held no more (expired)"),
        ("of-later", {"names": ["a", "b"], "n": 3}, "of-later: names a, b, n 3"),
    ],
)  # fmt: skip
def test_what_happened_is_told_in_words(kind: str, detail: dict[str, Any], said: str) -> None:
    ((_, text),) = lines([{"kind": kind, "at_ms": 0, "detail": detail}], NOW)
    assert text.plain == said
