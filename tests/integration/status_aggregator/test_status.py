"""From an edge's batch to a person's answer, over a real server."""

import pytest
from tests.integration.status_aggregator.conftest import Fleet
from tests.unit.status_aggregator.edge_model import status

from outrider.bus.services import RequestRefused


async def test_what_an_edge_says_is_what_a_person_is_told(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    async with fleet.aggregator():
        edge = await fleet.edge("shop1")
        edge.model.put("till", status("Progressing", revision="a" * 40, message="1 of 2 pods"))
        await edge.flush()
        found = await fleet.until(
            "app", lambda app: app["health"] == "Progressing" and app["presence"] == "online", name="till"
        )
        assert found["document"] == edge.model.documents["till"]
        assert (found["cluster"], found["project"], found["sync"]) == ("shop1", "shops", "Synced")
        assert (found["freshness"], found["delivered"]) == ("fresh", True)
        assert found["message"] == "1 of 2 pods"
        edge.model.put("till", status("Healthy", revision="a" * 40))
        await edge.flush()
        await fleet.until("app", lambda app: app["health"] == "Healthy", name="till")
        summary = await fleet.ask("summary")
        assert summary["health"]["Healthy"] == summary["sync"]["Synced"] == summary["freshness"]["fresh"] == 1
        assert len((await fleet.ask("resources", name="till"))["items"]) == 2
        cluster = await fleet.ask("cluster", name="shop1")
        assert (cluster["healthy"], cluster["applications"], cluster["presence"]) == (1, 1, "online")


async def test_a_question_about_what_does_not_exist_is_refused_with_a_sentence(fleet: Fleet) -> None:
    async with fleet.aggregator():
        await fleet.until("summary", bool)
        refused: list[tuple[str, dict[str, object], str]] = [
            ("app", {"name": "till"}, "there is no application 'till'"),
            ("cluster", {"name": "shop9"}, "no cluster is registered as 'shop9'"),
            ("apps", {"limit": 501}, "`limit` must be from 1 to 500"),
            ("apps", {"health": "Splendid"}, "`health` must be one of Healthy"),
            ("apps", {"after": 7}, "`after` must be text"),
        ]
        for verb, arguments, sentence in refused:
            with pytest.raises(RequestRefused, match=sentence):
                await fleet.ask(verb, **arguments)
