"""Who may let an object go that waits for a person."""

from __future__ import annotations

import pytest

from edge_agent.applications.approval import ANNOTATION, is_approved
from edge_agent.applications.model import Desired, Selector
from edge_agent.applications.progress import Approval, Progress
from edge_agent.applications.state import State
from edge_agent.cluster import Key

KEY = Key("", "ConfigMap", "shop", "dear")
BEGAN = "2026-01-02T03:04:05Z"


def state(annotation: str = "", *approvals: Approval) -> State:
    desired = Desired(
        app="till",
        uid="u",
        generation=(1, 1),
        revision="r",
        digest="d",
        spec={},
        manifests=list,
        annotations={ANNOTATION: annotation} if annotation else {},
    )
    progress = Progress(operation={"startedAt": BEGAN}, approvals=approvals)
    return State("till", desired=desired, progress=progress)


@pytest.mark.parametrize(
    ("annotation", "approved"),
    [
        ("", False),
        ("2026-01-02T03:04:06Z", True),
        ("2026-01-02T03:04:06", True),
        ("2026-01-02T05:04:06+02:00", True),
        ("2026-01-02T03:04:05Z", False),
        ("2026-01-01T00:00:00Z", False),
        ("yes", False),
    ],
)
def test_an_annotation_approves_when_its_time_is_after_the_beginning(annotation: str, approved: bool) -> None:
    assert is_approved(KEY, state(annotation)) is approved


def test_a_command_approves_all_or_what_it_names() -> None:
    other = Selector("", "ConfigMap", "other")
    assert is_approved(KEY, state("", Approval(BEGAN)))
    assert not is_approved(KEY, state("", Approval(BEGAN, resources=(other,))))
    assert is_approved(KEY, state("", Approval(BEGAN, resources=(other, Selector("", "ConfigMap", "dear")))))


def test_nothing_is_approved_before_the_progress_was_read() -> None:
    assert not is_approved(KEY, State("till"))
