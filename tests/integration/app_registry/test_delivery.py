"""From an applied manifest and a rendering to the record that the edge gets."""

from outrider.messages import Generation
from outrider.names import AppName

from .conftest import COMMIT, Fleet, application, bundle

TILL = AppName("till")


async def test_an_application_reaches_its_edge_once_it_is_rendered(served: Fleet) -> None:
    edge = await served.edge("shop1")
    answer = await served.ask("app.apply", manifest=application("till"))
    assert answer == {"name": "till", "result": "created", "warnings": []}
    key = await served.wanted()
    rendering = await served.render(key, bundle("a"))
    app, record = await edge.next()
    assert (app, record.generation) == (TILL, Generation(1, 1))
    assert record.digest == rendering.digest
    assert record.revision == bytes.fromhex(COMMIT)
    assert record.spec == {
        "destination": {"namespace": "till"},
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            "syncOptions": ["CreateNamespace=true"],
        },
    }
    found = await served.ask("app.get", name="till")
    assert found["cluster"] == "shop1"
    assert found["desired"] == {
        "generation": [1, 1],
        "revision": COMMIT,
        "digest": rendering.digest.hex(),
    }
