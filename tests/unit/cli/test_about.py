"""What a cluster says of itself, for people."""

from outrider_cli import about, sizes


def test_only_what_was_said_is_shown() -> None:
    assert list(about.rows({})) == []
    assert list(about.rows({"agent": {"version": "1.0"}, "link": "nonsense"})) == [("agent", "1.0")]


def test_the_link_is_shown_with_its_budget_and_conditions_with_their_sentence() -> None:
    told = {
        "link": {"spent_today": 4_200_000, "bytes_per_day": 5_000_000, "spent": {"state": 4_200_000}},
        "conditions": [{"type": "LinkBudgetSpent", "message": "most of today's bytes are spent"}],
    }
    assert dict(about.rows(told)) == {
        "link today": "4.2 MB of 5 MB",
        "link by lane": "state 4.2 MB (since the agent began)",
        "LinkBudgetSpent": "most of today's bytes are spent",
    }


def test_what_an_edge_renders_is_shown_with_what_is_wrong() -> None:
    told = {
        "rendering": {
            "applications": 3,
            "repositories": [{"url": "https://a"}, {"url": "https://b", "error": "HTTP 503"}],
            "more_repositories": 7,
        }
    }
    assert dict(about.rows(told)) == {
        "renders": "3 applications of 9 repositories",
        "repository": "https://b: HTTP 503",
    }


def test_amounts_are_decimal() -> None:
    assert [sizes.shown(size) for size in (0, 999, 1000, 64_000, 1_500_000)] == [
        "0 B",
        "999 B",
        "1 kB",
        "64 kB",
        "1.5 MB",
    ]


def test_a_replica_is_shown_with_what_was_written_and_whether_a_restart_keeps_it() -> None:
    told = {
        "keeps": True,
        "size_bytes": 115_104,
        "written_bytes_today": 148_032,
        "write_budget_bytes": 64_000_000,
    }
    assert dict(about.rows({"replica": told})) == {"replica": "115 kB, 148 kB of 64 MB written today"}
    lost = {**told, "keeps": False, "rebuilt_at": "2026-01-01T10:00:00Z", "why": "the file was damaged"}
    assert dict(about.rows({"replica": lost})) == {
        "replica": "115 kB, 148 kB of 64 MB written today, in memory: a restart loses it",
        "replica rebuilt": "2026-01-01T10:00:00Z: the file was damaged",
    }
