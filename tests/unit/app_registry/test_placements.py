import pytest

from app_registry.destinations import Target, UnknownDestination
from app_registry.placements import EPOCH, REMOVING, Placements, stored_epoch
from outrider.names import AppName, ClusterName
from outrider.records import ClusterRecord
from outrider.spec.application import Destination

TILL, MENU = AppName("till"), AppName("menu")
SHOP, IN_CLUSTER = ClusterName("shop1"), ClusterName("in-cluster")
LOCAL = "https://kubernetes.default.svc"


def cluster(name: str, server: str = "", **annotations: str) -> ClusterRecord:
    return ClusterRecord(name, "U", 0, server=server, annotations=annotations)


def test_applications_find_their_cluster_whichever_comes_first() -> None:
    placements = Placements()
    placements.put_application(TILL, Target(name="shop1"))
    assert placements.of(TILL) is None
    assert placements.put_cluster(SHOP, cluster("shop1")) == {TILL}
    assert placements.of(TILL) == SHOP
    placements.put_application(MENU, Target(name="shop1"))
    assert placements.applications[SHOP] == 2
    placements.put_application(MENU, None)
    assert placements.applications[SHOP] == 1
    assert placements.put_cluster(SHOP, None) == {TILL}
    assert placements.of(TILL) is None
    assert placements.applications[SHOP] == 0


def test_a_server_url_leads_to_the_cluster_that_has_it_at_the_moment() -> None:
    placements = Placements()
    placements.put_application(TILL, Target.of(Destination(server="https://a:6443/")))
    assert placements.put_cluster(SHOP, cluster("shop1", "https://a:6443")) == {TILL}
    assert placements.of(TILL) == SHOP
    assert placements.put_cluster(SHOP, cluster("shop1", "https://b:6443")) == {TILL}
    assert placements.of(TILL) is None
    assert placements.with_server("https://b:6443") == SHOP


def test_argo_cds_own_cluster_is_the_one_named_in_cluster() -> None:
    placements = Placements()
    placements.put_application(TILL, Target(server=LOCAL))
    with pytest.raises(UnknownDestination, match="none is registered as 'in-cluster'"):
        placements.resolve(Target(server=LOCAL))
    assert placements.put_cluster(IN_CLUSTER, cluster("in-cluster")) == {TILL}
    assert placements.of(TILL) == IN_CLUSTER
    # Whoever registered that very URL meant it.
    placements.put_cluster(SHOP, cluster("shop1", LOCAL))
    assert placements.of(TILL) == SHOP


@pytest.mark.parametrize(
    ("destination", "says"),
    [
        (Target(name="shop9"), "spec.destination.name: no cluster 'shop9' is registered"),
        (
            Target(server="https://x"),
            "spec.destination.server: no cluster is registered with server https://x",
        ),
    ],
)
def test_a_destination_that_nobody_answers_to_is_named_with_what_to_do(
    destination: Target, says: str
) -> None:
    with pytest.raises(UnknownDestination) as caught:
        Placements().resolve(destination)
    assert says in str(caught.value)
    assert "outrider cluster add" in str(caught.value)


def test_a_cluster_whose_removal_has_begun_takes_nothing_more() -> None:
    placements = Placements()
    placements.put_application(TILL, Target(name="shop1"))
    placements.put_cluster(SHOP, cluster("shop1", "https://a"))
    placements.put_cluster(SHOP, cluster("shop1", "https://a", **{REMOVING: "true"}))
    assert placements.of(TILL) is None
    assert placements.with_server("https://a") is None
    assert SHOP in placements.clusters


@pytest.mark.parametrize(("text", "epoch"), [("7", 7), ("", 0), ("-1", 0), ("x", 0)])
def test_an_epoch_that_is_written_down_is_read_back(text: str, epoch: int) -> None:
    assert stored_epoch(cluster("shop1", **{EPOCH: text})) == epoch
