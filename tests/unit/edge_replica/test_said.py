"""What is said of what the replica lost."""

import pytest

from edge_agent.replica import Loss
from edge_agent.replica.said import entries, sentence


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([], ""),
        ([Loss("file", why="database disk image is malformed")],
         "the replica was damaged, set aside, and made anew of what still held in it (database disk image is malformed)"),
        ([Loss("record", "till", "both copies of it are damaged"), Loss("record", "menu")],
         "desired state was damaged and is asked for again; what runs stays as it is (menu, till)"),
        ([Loss("bundle", "00ff"), Loss("bundle", "11")], "bundles were damaged and are fetched again"),
        ([Loss("copy", f"app-{n:02}") for n in range(13)],
         "one of two copies of desired state was damaged and is written again from the other one (app-00, app-01, app-02, app-03, app-04, app-05, app-06, app-07, app-08, app-09 and 3 more)"),
    ],
)  # fmt: skip
def test_a_person_reads_what_was_lost_and_what_becomes_of_it(losses: list[Loss], said: str) -> None:
    assert sentence(losses) == said


def test_the_journal_has_an_entry_for_each_and_for_the_application_that_is_concerned() -> None:
    losses = [
        Loss("file", why="cut short"),
        Loss("record", "till"),
        Loss("core", "till"),
        Loss("journal", "7"),
        Loss("journal", "8"),
    ]
    found = {app: [without(one) for one in told] for app, told in entries(losses).items()}
    assert found == {
        "": [{"what": "file", "why": "cut short"}, {"what": "journal"}],
        "till": [{"what": "record"}, {"what": "core"}],
    }


def without(detail: dict[str, object]) -> dict[str, object]:
    assert str(detail["message"]) in sentence([Loss("file"), Loss("record"), Loss("core"), Loss("journal")])
    return {name: value for name, value in detail.items() if name != "message"}
