"""Every subject on the bus. Nothing else in the code spells one out.

`fleet.<cluster>.…` is what an edge may see, `pool.<pool>.…` what a delegated renderer may: the server holds each of them to its own
part. `hub.…` stays inside the hub. A cluster's name and a pool's are DNS labels and an application's is a token (`outrider.names.token`).
"""

from typing import NewType

from outrider.names import AppName, ClusterName, PoolName, from_token, token

Subject = NewType("Subject", str)

# hub -> agent
ALL_DESIRED = Subject("fleet.*.desired.*")
# agent -> hub
ALL_RESYNC = Subject("fleet.*.resync")
ALL_BUNDLE = Subject("fleet.*.bundle")
ALL_STATUS = Subject("fleet.*.status")
ALL_JOURNAL = Subject("fleet.*.journal")
# hub -> agent, answered on `reply`
ALL_COMMANDS = Subject("fleet.*.command.*")
ALL_REPLIES = Subject("fleet.*.reply.*")

# delegated renderer -> hub, answered to its inbox
ALL_GATEWAY = Subject("pool.*.gateway.*")

REGISTRY = Subject("hub.registry")
STATUS = Subject("hub.status")

SETTINGS = AppName("$settings")
# Stands where an application's name would, for a record of a cluster's settings. No application can have it as its name.
EXPORT = AppName("$export")
# The same in the signature of an export's header (`outrider.export_file`).
CLUSTER = AppName("$cluster")
# The same on the way up: the document that tells of the agent and its site (`edge_agent.link.about`). No set digest counts it.


def desired(cluster: ClusterName, app: AppName) -> Subject:
    """Where the Desired record of one application goes; the stream keeps the last one."""
    return Subject(f"fleet.{cluster}.desired.{token(app)}")


def desired_of(cluster: ClusterName) -> Subject:
    """All Desired records of one cluster."""
    return Subject(f"fleet.{cluster}.desired.*")


def app_of_desired(subject: str) -> tuple[ClusterName, AppName]:
    """Return the cluster and application that a Desired subject names."""
    _, cluster, _, app = subject.split(".")
    return ClusterName(cluster), AppName(from_token(app))


def resync(cluster: ClusterName) -> Subject:
    """Where an agent asks what differs from what it holds."""
    return Subject(f"fleet.{cluster}.resync")


def bundle(cluster: ClusterName) -> Subject:
    """Where an agent asks for a bundle by digest."""
    return Subject(f"fleet.{cluster}.bundle")


def status(cluster: ClusterName) -> Subject:
    """Where an agent sends batches of status patches."""
    return Subject(f"fleet.{cluster}.status")


def journal(cluster: ClusterName) -> Subject:
    """Where an agent sends batches of what happened."""
    return Subject(f"fleet.{cluster}.journal")


def command(cluster: ClusterName, verb: str) -> Subject:
    """Where the hub asks an agent to do something."""
    return Subject(f"fleet.{cluster}.command.{verb}")


def commands_of(cluster: ClusterName) -> Subject:
    """Every command to one agent."""
    return Subject(f"fleet.{cluster}.command.*")


def reply(cluster: ClusterName, request_id: str) -> Subject:
    """Where an agent answers one command."""
    return Subject(f"fleet.{cluster}.reply.{request_id}")


def cluster_of(subject: str) -> ClusterName:
    """Return the cluster in a `fleet.<cluster>.…` subject: the server has checked that the sender may use it."""
    return ClusterName(subject.split(".", 2)[1])


def gateway(pool: PoolName, verb: str) -> Subject:
    """Where a delegated renderer asks the hub for something."""
    return Subject(f"pool.{pool}.gateway.{verb}")


def gateway_of(pool: PoolName) -> Subject:
    """All that the renderers of one pool ask for."""
    return Subject(f"pool.{pool}.gateway.*")


def registry(verb: str) -> Subject:
    """A request to the app-registry, as `app.apply`."""
    return Subject(f"{REGISTRY}.{verb}")


def status_query(verb: str) -> Subject:
    """A query to the status-aggregator, as `apps`."""
    return Subject(f"{STATUS}.{verb}")


def render(pool: str, verb: str) -> Subject:
    """A request to the renderers of one pool, as `refresh`."""
    return Subject(f"hub.render.{pool}.{verb}")


def event(cluster: ClusterName, app: AppName, name: str) -> Subject:
    """Where an event for integrations is published."""
    return Subject(f"events.{cluster}.{token(app)}.{name}")
